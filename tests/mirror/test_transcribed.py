"""Recordings in the local copy: transcribed here if RingCentral has no whole transcript, and found by their words."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC
from math import inf
from pathlib import Path
from typing import BinaryIO

import pytest

from rc_mcp.emulator import Draft, Emulator
from rc_mcp.media import transcription
from rc_mcp.media.reading import Progress
from rc_mcp.media.sentences import Sentence
from rc_mcp.media.speech_model import ModelError, SpeechModel
from rc_mcp.media.transcription import Mode, Transcriber, Transcription
from rc_mcp.mirror.feed import Feed
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import search
from rc_mcp.ringcentral import Message
from tests.mirror.feeding import CALLER, Wire, client_on, is_on_disk, move

pytestmark = pytest.mark.anyio

VOICEMAIL = Draft(type="VoiceMail", sender=CALLER, seconds=9, media=("robocall.mp3",))


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for the worker: each model hears its own name. Return the models that were used."""
    used: list[str] = []

    async def transcribe(
        file: BinaryIO, model: SpeechModel, progress: Progress, *, in_background: bool = False
    ) -> Transcription:
        assert in_background
        used.append(model.name)
        said = () if model.name in {"silent", "broken"} else (Sentence(1, 2, f"zebra {model.name}"),)
        return Transcription(
            model.name, is_english_only=True, sentences=said, why="failed" if model.name == "broken" else None
        )

    monkeypatch.setattr(transcription, "transcribe", transcribe)

    def digest(model: SpeechModel) -> str:
        return model.name

    monkeypatch.setattr(SpeechModel, "digest", digest)
    return used


def transcriber(name: str = "okapi", mode: Mode = "missing") -> Transcriber:
    return Transcriber(mode, name, lambda named: SpeechModel(Path(), named, is_english_only=True, size_bytes=1))


@pytest.fixture
def emulator() -> Generator[Emulator]:
    with Emulator(scenario="empty", rate_limits=False) as emulator:
        yield emulator


async def feed(emulator: Emulator, folder: Path, transcriber: Transcriber | None, *, most: float = inf) -> Wire:
    """Feed the copy as one run of a server does."""
    wire = Wire(emulator)
    async with client_on(emulator, wire) as client:
        with Mirror(folder) as mirror:
            feed = Feed(client, mirror, now=emulator.clock, transcriber=transcriber)
            await feed.sync()
            await feed.texts(most=most)
    return wire


def counted(emulator: Emulator, folder: Path, words: str = "zebra") -> tuple[int, int, int]:
    """Return how many messages have the words, and how many texts are missing and unreadable."""
    with Mirror(folder) as mirror:
        found = search(mirror, 1, words, emulator.clock(), UTC)
    return found.total, found.coverage.contents_missing, found.coverage.contents_unreadable


async def test_a_voicemail_without_a_transcript_is_found_by_its_words_and_fetched_once(
    emulator: Emulator, tmp_path: Path, heard: list[str]
) -> None:
    emulator.store.add(VOICEMAIL)
    assert len((await feed(emulator, tmp_path, transcriber())).contents()) == 1
    assert counted(emulator, tmp_path) == (1, 0, 0)
    assert (await feed(emulator, tmp_path, transcriber())).contents() == []
    assert heard == ["okapi"]


async def test_a_whole_transcript_of_ringcentrals_is_enough_unless_all_are_asked_for(
    emulator: Emulator, tmp_path: Path, heard: list[str]
) -> None:
    emulator.store.add(replace(VOICEMAIL, transcript="giraffe"))
    await feed(emulator, tmp_path, transcriber())
    assert heard == []
    assert counted(emulator, tmp_path, "giraffe") == (1, 0, 0)
    await feed(emulator, tmp_path, transcriber(mode="all"))
    assert counted(emulator, tmp_path, "giraffe zebra") == (1, 0, 0)


async def test_a_partial_transcript_and_the_whole_one_are_both_found(emulator: Emulator, tmp_path: Path) -> None:
    emulator.store.add(replace(VOICEMAIL, transcript="giraffe", seconds=90))
    await feed(emulator, tmp_path, transcriber())
    assert counted(emulator, tmp_path, "giraffe zebra") == (1, 0, 0)


async def test_recordings_count_as_missing_while_they_wait_for_the_other_texts(
    emulator: Emulator, tmp_path: Path, heard: list[str]
) -> None:
    await feed(emulator, tmp_path, transcriber())
    emulator.store.add(VOICEMAIL)
    emulator.store.add(replace(VOICEMAIL, transcript="giraffe"))
    await feed(emulator, tmp_path, transcriber(), most=1)
    assert heard == []
    assert counted(emulator, tmp_path, "giraffe") == (1, 1, 0)
    await feed(emulator, tmp_path, transcriber())
    assert counted(emulator, tmp_path) == (1, 0, 0)


async def test_a_copy_that_was_filled_before_gets_its_transcripts_when_they_are_switched_on(
    emulator: Emulator, tmp_path: Path, heard: list[str]
) -> None:
    emulator.store.add(VOICEMAIL)
    await feed(emulator, tmp_path, None)
    assert counted(emulator, tmp_path) == (0, 0, 0)
    await feed(emulator, tmp_path, transcriber(), most=0)
    assert counted(emulator, tmp_path) == (0, 1, 0)
    await feed(emulator, tmp_path, None)
    assert counted(emulator, tmp_path) == (0, 0, 0)
    assert heard == []


async def test_another_model_makes_all_transcripts_missing_again(
    emulator: Emulator, tmp_path: Path, heard: list[str]
) -> None:
    emulator.store.add(VOICEMAIL)
    await feed(emulator, tmp_path, transcriber())
    await feed(emulator, tmp_path, transcriber("quagga"), most=0)
    assert counted(emulator, tmp_path, "okapi") == (1, 1, 0)
    await feed(emulator, tmp_path, transcriber("quagga"))
    assert counted(emulator, tmp_path, "okapi") == (0, 0, 0)
    assert counted(emulator, tmp_path, "quagga") == (1, 0, 0)
    assert heard == ["okapi", "quagga"]


async def test_ringcentrals_late_transcript_takes_the_place_of_ours(emulator: Emulator, tmp_path: Path) -> None:
    late = emulator.store.add(replace(VOICEMAIL, transcript="giraffe", transcript_status="InProgress"))
    await feed(emulator, tmp_path, transcriber())
    assert counted(emulator, tmp_path) == (1, 0, 0)
    with Mirror(tmp_path) as mirror:
        mirror.put(1, [Message({**late, "vmTranscriptionStatus": "Completed"})])
    assert counted(emulator, tmp_path) == (0, 1, 0)


async def test_silence_has_no_text_and_a_failure_counts_as_unreadable(emulator: Emulator, tmp_path: Path) -> None:
    emulator.store.add(VOICEMAIL)
    await feed(emulator, tmp_path, transcriber("silent"))
    assert counted(emulator, tmp_path) == (0, 0, 0)
    await feed(emulator, tmp_path, transcriber("broken"))
    assert counted(emulator, tmp_path, "okapi") == (0, 0, 1)


async def test_a_transcript_is_erased_with_its_message(emulator: Emulator, tmp_path: Path) -> None:
    record = emulator.store.add(VOICEMAIL)
    await feed(emulator, tmp_path, transcriber())
    assert is_on_disk(b"zebra", tmp_path)
    move(emulator, str(record["id"]), "Purged")
    await feed(emulator, tmp_path, transcriber())
    assert counted(emulator, tmp_path) == (0, 0, 0)
    assert not is_on_disk(b"zebra", tmp_path)


async def test_without_a_usable_model_the_rest_of_the_copy_is_filled(emulator: Emulator, tmp_path: Path) -> None:
    def find(_: str) -> SpeechModel:
        raise ModelError("no model")

    emulator.store.add(VOICEMAIL)
    emulator.store.add(replace(VOICEMAIL, transcript="giraffe"))
    await feed(emulator, tmp_path, Transcriber("missing", "none", find))
    assert counted(emulator, tmp_path, "giraffe") == (1, 0, 0)
