"""read_message_content with a transcript made here, apart from RingCentral's, and without a second inference."""

from pathlib import Path
from typing import Any, BinaryIO

import pytest

from rc_mcp.attachments import hearing
from rc_mcp.emulator import Draft
from rc_mcp.media import transcription
from rc_mcp.media.reading import Progress
from rc_mcp.media.sentences import Sentence
from rc_mcp.media.speech_model import ModelError, SpeechModel
from rc_mcp.media.transcription import Transcriber, Transcription
from rc_mcp.settings import NO_MODEL, SettingsError
from tests.desk import Desk, call
from tests.speech import MODEL, with_engine

pytestmark = pytest.mark.anyio

HEARD = Transcription(
    "model 1",
    is_english_only=True,
    seconds=40,
    languages=("en",),
    sentences=(Sentence(0, 3, "Hello."), Sentence(12, 15, "Call 5 [check by ear at 0:13]")),
    heard_s=40,
)


class Engine:
    """In place of the worker: it gives what the test says, and counts."""

    def __init__(self, made: Transcription) -> None:
        self.made, self.inferences = made, 0

    async def transcribe(
        self, file: BinaryIO, model: SpeechModel, progress: Progress, *, in_background: bool = False
    ) -> Transcription:
        assert file.read is not None
        self.inferences += 1
        await progress(1, 2, "seconds of sound")
        return self.made


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine(HEARD)
    monkeypatch.setattr(transcription, "transcribe", found.transcribe)
    model = SpeechModel(Path(), "model 1", is_english_only=True, size_bytes=1)

    def find(_: Transcriber) -> tuple[SpeechModel, str]:
        return model, "digest"

    monkeypatch.setattr(Transcriber, "_found", find)
    return found


def voicemail(desk: Desk, status: str) -> str:
    return desk.ids(type="VoiceMail", vmTranscriptionStatus=status)[0]


async def content(desk: Desk, message_id: str, mode: str = "missing", **arguments: Any) -> dict[str, Any]:
    async with desk.client(RC_MCP_TRANSCRIBE=mode, RC_MCP_TRANSCRIBE_MODEL="model") as client:
        return await call(client, "read_message_content", message_id=message_id, **arguments)


@pytest.mark.parametrize("form", ["auto", "text"])
async def test_a_voicemail_without_a_transcript_is_written_down_here(desk: Desk, engine: Engine, form: str) -> None:
    answer = await content(desk, voicemail(desk, "Failed"), form=form)
    assert answer["untrusted"]["transcribed_here"] == "[0:00] Hello.\n[0:12] Call 5 [check by ear at 0:13]"
    assert "text" not in answer["untrusted"]
    assert answer["form"] == "text"
    assert "model 1" in answer["said"]
    assert "language en" in answer["said"]
    assert engine.inferences == 1


async def test_ringcentrals_whole_transcript_is_enough_unless_all_are_asked_for(desk: Desk, engine: Engine) -> None:
    message_id = voicemail(desk, "Completed")
    answer = await content(desk, message_id)
    assert "transcribed_here" not in answer["untrusted"]
    assert engine.inferences == 0
    both = await content(desk, message_id, "all")
    assert both["untrusted"]["text"] == answer["untrusted"]["text"]
    assert both["untrusted"]["transcribed_here"] == HEARD.text


async def test_a_partial_transcript_stays_beside_the_whole_one(desk: Desk, engine: Engine) -> None:
    draft = Draft(type="VoiceMail", media=("robocall.mp3",), seconds=90, transcript="The first minute")
    message_id = str(desk.emulator.store.add(draft)["id"])
    answer = await content(desk, message_id)
    assert answer["untrusted"]["text"]
    assert answer["untrusted"]["transcribed_here"] == HEARD.text


async def test_the_second_time_there_is_no_inference_and_no_request_for_the_sound(desk: Desk, engine: Engine) -> None:
    message_id = voicemail(desk, "Failed")
    async with desk.client(RC_MCP_TRANSCRIBE="missing", RC_MCP_TRANSCRIBE_MODEL="model") as client:
        first = await call(client, "read_message_content", message_id=message_id)
        sounds = [path for path in desk.sent("GET") if "/content/" in path]
        assert await call(client, "read_message_content", message_id=message_id) == first
    assert [path for path in desk.sent("GET") if "/content/" in path] == sounds
    assert (len(sounds), engine.inferences) == (1, 1)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Transcription("m", is_english_only=True, seconds=5), hearing.NO_SPEECH.format(model="m")),
        (
            Transcription("m", is_english_only=True, seconds=14, unclear=((0, 13.9),), heard_s=13.9),
            hearing.NO_ENGLISH.format(model="m", times="0:00-0:13"),
        ),
        (
            Transcription("m", is_english_only=False, seconds=14, unclear=((0, 13.9),), heard_s=13.9),
            hearing.NOT_UNDERSTOOD.format(model="m", times="0:00-0:13"),
        ),
        *((Transcription("m", is_english_only=True, why=why), said) for why, said in hearing.REASONS.items()),
    ],
)
async def test_what_could_not_be_written_down_is_said_and_not_invented(
    desk: Desk, engine: Engine, made: Transcription, said: str
) -> None:
    engine.made = made
    answer = await content(desk, voicemail(desk, "Failed"))
    assert said in answer["said"]
    assert "transcribed_here" not in answer["untrusted"]
    assert "form" not in answer


async def test_a_model_that_cannot_be_used_leaves_ringcentrals_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ModelError("It has no model.bin.")

    monkeypatch.setattr(Transcriber, "_found", broken)
    answer = await content(desk, voicemail(desk, "Completed"), "all")
    assert answer["untrusted"]["text"]
    assert "no model.bin" in answer["said"]


async def test_a_server_without_the_setting_transcribes_nothing(desk: Desk, engine: Engine) -> None:
    async with desk.client() as client:
        answer = await call(client, "read_message_content", message_id=voicemail(desk, "Failed"))
    assert engine.inferences == 0
    assert "transcribed_here" not in answer["untrusted"]


def test_only_a_server_that_transcribes_says_so_to_the_model(desk: Desk) -> None:
    transcribing = desk.server(RC_MCP_TRANSCRIBE="all", RC_MCP_TRANSCRIBE_MODEL="model")
    assert "transcribed_here" in (transcribing.instructions or "")
    assert "transcribed_here" not in (desk.server().instructions or "")


async def test_a_server_without_a_named_model_does_not_start(desk: Desk) -> None:
    with pytest.raises(SettingsError) as error:
        desk.server(RC_MCP_TRANSCRIBE="all")
    assert str(error.value) == NO_MODEL.format(mode="all")


async def test_a_long_transcript_comes_in_parts(desk: Desk, engine: Engine) -> None:
    line = Sentence(0, 1, "and then he said that it was all the same to him " * 4)
    engine.made = Transcription("m", is_english_only=True, languages=("en",), sentences=(line,) * 100, heard_s=600)
    message_id = voicemail(desk, "Failed")
    parts = [
        (await content(desk, message_id, pages=str(number)))["untrusted"]["transcribed_here"] for number in (1, 2, 3)
    ]
    assert "".join(parts) == engine.made.text
    assert all(len(part) < 12_000 for part in parts)


@pytest.mark.process
async def test_the_spanish_voicemail_is_not_written_down_as_english(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_engine(monkeypatch)
    async with desk.client(RC_MCP_TRANSCRIBE="missing", RC_MCP_TRANSCRIBE_MODEL=MODEL) as client:
        answer = await call(client, "read_message_content", message_id=voicemail(desk, "Failed"))
        assert "transcribed_here" not in answer["untrusted"]
        assert "knows only English" in answer["said"]
        english = await call(client, "read_message_content", message_id=voicemail(desk, "InProgress"))
    assert (
        "first visit" in english["untrusted"]["transcribed_here"]
        or "morning" in english["untrusted"]["transcribed_here"]
    )
