"""Transcripts made here: faster-whisper with tiny.en, in the worker process."""

import io
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import wave
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from pydantic import TypeAdapter

from rc_mcp.media import transcription
from rc_mcp.media.reading import no_progress
from rc_mcp.media.speech_limits import LIMITS
from rc_mcp.media.speech_model import SpeechModel, find_model
from rc_mcp.media.speech_protocol import Piece, Sound, SoundDone, SoundFailed, SoundMessage, SoundTask, Word
from rc_mcp.media.transcription import Transcriber, Transcription, transcribe
from tests.speech import MODEL, RECORDINGS, VOICEMAILS, errors, spoken, with_engine, words

pytestmark = [pytest.mark.anyio, pytest.mark.process]

_SEED_BYTES = 2_500
MARK = re.compile(r" ?\[check by ear at (\d+):(\d\d)\]")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SpeechModel:
    with_engine(monkeypatch)
    return find_model(MODEL)


@pytest.fixture
def heard(model: SpeechModel, tmp_path: Path) -> "Hear":
    return Hear(model, tmp_path / "recording")


class Hear:
    """Transcribes recordings, and bytes."""

    def __init__(self, model: SpeechModel, file: Path) -> None:
        self._model, self._file = model, file

    async def __call__(self, recording: Path | bytes) -> Transcription:
        if isinstance(recording, bytes):
            self._file.write_bytes(recording)
            recording = self._file
        with recording.open("rb") as file:
            return await transcribe(file, self._model, no_progress)


async def test_the_english_voicemails_are_written_with_few_errors_and_nothing_of_them_is_withheld(heard: Hear) -> None:
    said = spoken()
    wrong = total = 0
    assert len(said) == 12
    for name, text in said.items():
        made = await heard(VOICEMAILS / name)
        assert made.why is None
        assert not made.unclear, name
        assert made.languages == ("en",)
        total += len(words(text))
        wrong += errors(words(text), words(MARK.sub("", " ".join(s.text for s in made.sentences))))
    assert wrong / total <= 0.24


@pytest.mark.parametrize("name", ["spanish.mp3", "french.mp3", "german.mp3", "carmen-spanish.mp3"])
async def test_a_model_that_knows_only_english_invents_nothing_for_another_language(heard: Hear, name: str) -> None:
    made = await heard((VOICEMAILS if name.startswith("carmen") else RECORDINGS) / name)
    assert made.why is None
    assert made.is_english_only
    assert made.sentences == ()
    assert made.unclear


@pytest.mark.parametrize("name", ["spanish.mp3", "french.mp3"])
async def test_english_before_another_language_is_kept_and_the_rest_is_named(heard: Hear, name: str) -> None:
    made = await heard((RECORDINGS / "mp3.mp3").read_bytes() + (RECORDINGS / name).read_bytes())
    assert {"fire", "department", "alarms", "monday"} <= {*words(made.text)}
    assert made.sentences[-1].to_s < 8
    assert made.unclear[-1][1] > 14


async def test_a_hang_up_has_no_speech(heard: Hear) -> None:
    made = await heard(VOICEMAILS / "hang-up.wav")
    assert (made.why, made.sentences, made.unclear) == (None, (), ())
    assert made.seconds == 5


@pytest.mark.parametrize("kind", ["silence", "busy tone", "quiet noise", "loud noise"])
async def test_a_line_on_which_nobody_speaks_has_no_words(heard: Hear, kind: str) -> None:
    made = await heard(line(kind))
    assert (made.why, made.sentences, made.unclear) == (None, (), ())


def line(kind: str, seconds: int = 12) -> bytes:
    """Return a recording of a telephone line, as 16-bit WAV."""
    chance = random.Random(7)  # noqa: S311
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        for at in (n / 8000 for n in range(8000 * seconds)):
            tones = (math.sin(2 * math.pi * 480 * at) + math.sin(2 * math.pi * 620 * at)) / 4 * (at % 1 < 0.5)
            level = {"busy tone": tones, "quiet noise": chance.gauss(0, 0.002), "loud noise": chance.gauss(0, 0.2)}
            file.writeframesraw(struct.pack("<h", int(32767 * max(-1.0, min(1.0, level.get(kind, 0.0))))))
    return written.getvalue()


@pytest.mark.parametrize(
    "name", ["pcm.wav", "mu-law.wav", "a-law.wav", "gsm.wav", "ms-adpcm.wav", "ima-adpcm.wav", "mp3.mp3"]
)
async def test_each_way_of_storing_a_telephone_call_is_read(heard: Hear, name: str) -> None:
    made = await heard(RECORDINGS / name)
    assert made.why is None
    assert {"fire", "department", "alarms", "monday"} <= {*words(made.text)}


async def test_three_minutes_are_written_down_to_their_end_with_rising_times(heard: Hear) -> None:
    names = [*spoken()]
    recordings = [VOICEMAILS / name for name in [*names, names[0], names[1]]]
    made = await heard(b"".join(path.read_bytes() for path in recordings))  # MP3 has no header of the whole
    assert made.why is None
    assert (made.seconds or 0) > 180
    assert not made.is_longer
    starts = [sentence.from_s for sentence in made.sentences]
    assert starts == sorted(starts)
    assert starts[-1] > 170
    said = [word for path in recordings for word in words(spoken()[path.name])]
    assert errors(said, words(MARK.sub("", " ".join(s.text for s in made.sentences)))) / len(said) <= 0.35


@pytest.mark.parametrize(
    ("recording", "why"),
    [
        (b"", "empty"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 40, "no_sound"),
        (b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/next.mp3\n#EXT-X-ENDLIST\n", "no_sound"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "no_sound"),
        (b"<html><body>Service unavailable</body></html>", "no_sound"),
    ],
)
async def test_a_file_without_sound_says_so(heard: Hear, recording: bytes, why: str) -> None:
    made = await heard(recording)
    assert made.why == why
    assert not made.sentences


async def test_a_playlist_cannot_name_a_file_of_this_machine(heard: Hear) -> None:
    with tempfile.NamedTemporaryFile(suffix=".wav") as near:  # in the folder that the worker runs in
        near.write((RECORDINGS / "pcm.wav").read_bytes())
        near.flush()
        made = await heard(f"ffconcat version 1.0\nfile '{Path(near.name).name}'\n".encode())
    assert made.why == "no_sound"


async def test_of_a_truncated_recording_the_beginning_is_written(heard: Hear) -> None:
    whole = (VOICEMAILS / "velmont-backorder.mp3").read_bytes()
    made = await heard(whole[: len(whole) // 2])
    assert made.why is None
    assert 8 < (made.seconds or 0) < 10
    assert made.sentences


async def test_of_two_hours_only_so_much_is_heard_as_the_limit_allows(heard: Hear, tmp_path: Path) -> None:
    count = 8000 * 7200
    file = tmp_path / "two hours.wav"
    header = (VOICEMAILS / "hang-up.wav").read_bytes()[:44]
    with file.open("wb") as written:
        written.write(header[:4] + (count + 36).to_bytes(4, "little") + header[8:40] + count.to_bytes(4, "little"))
        written.truncate(44 + count)
    made = await heard(file)
    assert made.why is None
    assert made.is_longer
    assert made.seconds == LIMITS.sound_s


async def test_a_canceled_call_kills_the_worker(model: SpeechModel, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[anyio.abc.Process] = []
    with anyio.CancelScope() as scope:
        original = transcription.worker

        @asynccontextmanager
        async def watched(*args: object, **more: object) -> AsyncGenerator[anyio.abc.Process]:
            async with original(*args, **more) as process:  # pyright: ignore[reportArgumentType]
                started.append(process)
                scope.cancel()
                yield process

        monkeypatch.setattr(transcription, "worker", watched)
        with (VOICEMAILS / "velmont-backorder.mp3").open("rb") as file:
            await transcribe(file, model, no_progress)
    assert scope.cancelled_caught
    assert started[0].returncode is not None


async def test_at_the_end_of_the_time_the_sentences_so_far_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    word = Word(text=" Hello.", from_s=1, to_s=2, probability=0.9)

    @asynccontextmanager
    async def no_process(*_: object, **__: object) -> AsyncGenerator[None]:
        yield

    async def stuck(_: object) -> AsyncGenerator[SoundMessage]:
        yield Sound(seconds=40)
        yield Piece(from_s=0, to_s=20, language="en", words=[word])
        await anyio.sleep_forever()

    monkeypatch.setattr(transcription, "worker", no_process)
    monkeypatch.setattr(transcription, "_messages", stuck)
    monkeypatch.setattr(transcription, "LIMITS", replace(LIMITS, background_time_s=0.1))
    model = SpeechModel(Path(), "model", is_english_only=True, size_bytes=0)
    with (RECORDINGS / "pcm.wav").open("rb") as file:
        made = await transcribe(file, model, no_progress, in_background=True)
    assert made.why == "slow"
    assert (made.text, made.heard_s) == ("[0:01] Hello.", 20)


async def test_progress_is_reported_in_seconds_of_sound(model: SpeechModel) -> None:
    reported: list[tuple[float, float | None]] = []

    async def note(done: float, total: float | None, unit: str) -> None:
        reported.append((done, total))

    with (RECORDINGS / "pcm.wav").open("rb") as file:
        made = await transcribe(file, model, note)
    assert reported
    assert all(total == made.seconds and done <= (total or 0) for done, total in reported)


async def test_the_same_sound_is_transcribed_once_whatever_its_address(
    model: SpeechModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcriber = Transcriber("missing", MODEL)
    with (RECORDINGS / "pcm.wav").open("rb") as file:
        first = await transcriber.transcribe(file, "one", no_progress)
        monkeypatch.setattr(transcription, "worker", None)  # no other worker can start
        assert await transcriber.transcribe(file, "two", no_progress) is first
    assert transcriber.known("one") is transcriber.known("two") is first
    assert transcriber.known("three") is None


async def test_a_missing_engine_is_named(tmp_path: Path) -> None:
    model = SpeechModel(tmp_path, "none", is_english_only=True, size_bytes=0)
    with (RECORDINGS / "pcm.wav").open("rb") as file:
        made = await transcribe(file, model, no_progress)
    assert made.why == "no_engine"


async def test_a_damaged_model_is_named(model: SpeechModel, tmp_path: Path) -> None:
    for path in model.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:10_000])
    with (RECORDINGS / "pcm.wav").open("rb") as file:
        made = await transcribe(file, replace(model, folder=tmp_path), no_progress)
    assert made.why == "bad_model"


@pytest.mark.skipif(os.name == "nt", reason="it forks")
@pytest.mark.parametrize("how_many", [50, pytest.param(200, marks=pytest.mark.long)])
def test_each_mutated_recording_has_an_answer_within_the_memory(
    model: SpeechModel, tmp_path: Path, how_many: int
) -> None:
    names = ("mu-law.wav", "a-law.wav", "gsm.wav", "ima-adpcm.wav", "ms-adpcm.wav", "pcm.wav", "mp3.mp3")
    files: list[str] = []
    seeds = [(RECORDINGS / name).read_bytes()[:_SEED_BYTES] for name in names]
    for at, mutant in enumerate(mutants(seeds, how_many)):
        file = tmp_path / f"{at}"
        file.write_bytes(mutant)
        files.append(str(file))
    done = subprocess.run(
        [sys.executable, "-m", "tests.media.forked_transcriber", str(model.folder), *files],
        capture_output=True,
        check=True,
        text=True,
        timeout=600,
        cwd=Path(__file__).parents[2],
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == how_many
    lasts = [TypeAdapter[SoundMessage](SoundMessage).validate_json(result["messages"][-1]) for result in results]
    assert all(result["status"] == 0 for result in results)
    assert all(isinstance(last, SoundDone | SoundFailed) for last in lasts)
    assert {type(last) for last in lasts} == {SoundDone, SoundFailed}
    assert max(result["peak_kb"] for result in results) < 400 * 1024


def mutants(seeds: list[bytes], how_many: int) -> Iterator[bytes]:
    """Yield recordings with some bytes flipped, cut out or doubled, half of the time among the first."""
    chance = random.Random(25)  # noqa: S311  the same mutants in each run
    for at in range(how_many):
        mutant = bytearray(seeds[at % len(seeds)])
        for _ in range(chance.choice((1, 1, 4, 32))):
            start = chance.randrange(min(len(mutant), chance.choice((48, _SEED_BYTES))) or 1)
            match chance.choice(("flip", "flip", "cut", "double", "end")):
                case "flip":
                    mutant[start : start + 1] = bytes([chance.randrange(256)])
                case "cut":
                    del mutant[start : start + chance.choice((1, 4, 200))]
                case "double":
                    mutant[start:start] = mutant[start : start + 200]
                case _:
                    del mutant[max(start, 1) * 8 :]
        yield bytes(mutant)


@pytest.mark.skipif(not shutil.which("unshare"), reason="there are no network namespaces here")
def test_without_any_network_it_works_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with_engine(monkeypatch)
    alone = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make network namespaces")
    task = SoundTask(model_folder=str(find_model(MODEL).folder), is_english_only=True).model_dump_json()
    with (RECORDINGS / "pcm.wav").open("rb") as file:
        done = subprocess.run(
            [*alone, sys.executable, "-P", "-m", "rc_mcp.media.transcriber", task],
            stdin=file,
            capture_output=True,
            check=True,
            text=True,
            timeout=300,
        )
    last = done.stdout.splitlines()[-1]
    assert TypeAdapter[SoundMessage](SoundMessage).validate_json(last) == SoundDone()


def test_a_server_that_transcribes_loads_nothing_of_it_at_its_start() -> None:
    code = "import rc_mcp.server, rc_mcp.cli.serve, sys; print([m for m in sys.modules if m in sys.argv])"
    heavy = ["rc_mcp.media.transcription", "rc_mcp.media.speech_protocol", "faster_whisper", "ctranslate2", "av"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
