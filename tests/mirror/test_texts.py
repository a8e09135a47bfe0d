"""Tests of the texts that the feed fetches: what each kind of attachment gives to the index."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import pytest

from rc_mcp.emulator import Draft, Emulator, File
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.rows import Source, State
from rc_mcp.mirror.search import search
from tests import documents
from tests.mirror.feeding import CALLER, feeding, is_on_disk

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Sent:
    """An attachment, and what the copy must have of it."""

    name: str
    make: Callable[[], bytes]
    text: str | None
    state: State = "text"


def many_pages() -> bytes:
    return documents.pdf([f"page {n} has the word zebra{n} in it" for n in range(1, 121)])


TEXTS = [
    Sent("note.txt", lambda: "Grüße, a note".encode(), "Grüße, a note"),
    Sent("utf16.txt", lambda: "a note in UTF-16".encode("utf-16"), "a note in UTF-16"),
    Sent("empty.txt", lambda: b" \n", None, "none"),
    Sent("scan.pdf", lambda: b"\xff\xd8\xff\xe0 a picture", None, "failed"),
]
DOCUMENTS = [
    Sent("offer.pdf", lambda: documents.pdf(["the first", "the second"]), "the second"),
    Sent("long.pdf", many_pages, "zebra120"),
    Sent("locked.pdf", documents.locked_pdf, None, "failed"),
    Sent("drawn.pdf", lambda: documents.scan([documents.page("only drawn")]), None, "failed"),
]


async def stored(folder: Path, sent: Sent) -> tuple[tuple[State, Source | None, str | None], int]:
    """Return what the copy has after a feed of one message with this attachment, and how many hits its text has."""
    with Emulator(scenario="empty", rate_limits=False) as emulator:
        file = File(sent.name, sent.make())
        emulator.store.add(Draft(type="Fax", sender=CALLER, media=(file,)))
        (record,) = emulator.store.messages()
        async with feeding(emulator, folder) as (feed, mirror, wire):
            await feed.sync()
            assert await feed.texts() == 1
            assert await feed.texts() == 0
            assert len(wire.contents()) == 1
            found = mirror.text(1, str(record["id"]), str(record["attachments"][0]["id"]))
            hits = search(mirror, 1, sent.text, emulator.clock(), UTC).total if sent.text else 0
            return found, hits


async def check(folder: Path, sent: Sent) -> None:
    (state, source, text), hits = await stored(folder, sent)
    assert state == sent.state
    assert (text is None) == (sent.text is None)
    if sent.text is not None:
        assert sent.text in (text or "")
        assert (source, hits) == ("document", 1)


@pytest.mark.parametrize("sent", TEXTS, ids=lambda s: s.name)
async def test_a_text_is_found_by_its_words_and_other_bytes_are_said_to_be_unreadable(
    tmp_path: Path, sent: Sent
) -> None:
    await check(tmp_path, sent)


@pytest.mark.process
@pytest.mark.parametrize("sent", DOCUMENTS, ids=lambda s: s.name)
async def test_all_pages_of_a_pdf_are_found_by_their_words(tmp_path: Path, sent: Sent) -> None:
    await check(tmp_path, sent)


@pytest.mark.process
async def test_a_scan_is_counted_as_unreadable_until_there_is_ocr_and_then_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a_patient_reader: None
) -> None:
    scan = documents.scan([documents.page("REFERRAL FOR PELICAN")])
    with Emulator(scenario="empty", rate_limits=False) as emulator:
        emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("scan.pdf", scan),)))
        async with feeding(emulator, tmp_path) as (feed, mirror, _):
            await feed.sync()
            for _ in range(2):
                await feed.texts()
                found = search(mirror, 1, "pelican", emulator.clock(), UTC)
                assert (found.total, found.coverage.contents_unreadable, found.coverage.contents_missing) == (0, 1, 0)
            monkeypatch.setattr("rc_mcp.mirror.texts.has_ocr", lambda: True)
            await feed.texts()
            found = search(mirror, 1, "pelican", emulator.clock(), UTC)
            assert (found.total, found.coverage.contents_unreadable) == (1, 0)
            monkeypatch.setattr("rc_mcp.mirror.texts.has_ocr", lambda: False)
            assert await feed.texts() == 0
            assert search(mirror, 1, "pelican", emulator.clock(), UTC).total == 1


async def test_an_attachment_that_is_too_large_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rc_mcp.mirror.texts.LIMITS", type(LIMITS)(document_bytes=5))
    (state, _, _), _ = await stored(tmp_path, Sent("note.txt", lambda: b"a long note", None))
    assert state == "failed"


async def test_a_fax_that_is_still_rendered_is_fetched_later_and_holds_back_no_other(tmp_path: Path) -> None:
    with Emulator(scenario="empty", rate_limits=False) as emulator:
        for n in range(3):
            emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File(f"{n}.txt", b"note %d" % n),)))
        emulator.faults.inject("fax_in_progress", operation="readMessageContent", times=1)
        async with feeding(emulator, tmp_path) as (feed, mirror, _):
            await feed.sync()
            assert await feed.texts() == 2
            assert len(mirror.missing(1, 9)) == 1


async def test_after_a_purge_no_byte_of_a_message_or_its_text_is_left(tmp_path: Path) -> None:
    canary = b"canary-of-the-purge"
    with Emulator(scenario="empty", rate_limits=False) as emulator:
        fax = emulator.store.add(
            Draft(type="Fax", sender=CALLER, media=(File("a.txt", canary),), cover_text=canary.decode())
        )
        async with feeding(emulator, tmp_path) as (feed, mirror, _):
            await feed.sync()
            assert await feed.texts() == 1
            assert is_on_disk(canary, tmp_path)
            record = emulator.store.find(fax["id"])
            assert record is not None
            emulator.store.move(record, "Purged")
            await feed.sync()
            assert mirror.message(1, str(fax["id"])) is None
            assert not is_on_disk(canary, tmp_path)


async def test_a_text_whose_message_was_purged_in_the_meantime_is_not_kept(tmp_path: Path) -> None:
    with Emulator(scenario="empty", rate_limits=False) as emulator:
        fax = emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("a.txt", b"a note"),)))
        async with feeding(emulator, tmp_path) as (feed, mirror, _):
            await feed.sync()
            record = emulator.store.find(fax["id"])
            assert record is not None
            emulator.store.move(record, "Purged")
            await feed.texts()
            await feed.sync()
            assert mirror.status(1).messages == 0
            with Mirror(tmp_path) as other, other.reading() as db:
                assert db.execute("SELECT count(*) FROM content").fetchone() == (0,)


async def test_a_full_temporary_folder_is_an_error_and_the_text_is_fetched_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    with Emulator(scenario="empty", rate_limits=False) as emulator:
        emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("a.txt", b"a note"),)))
        async with feeding(emulator, tmp_path) as (feed, _, _):
            await feed.sync()
            with monkeypatch.context() as during:
                during.setattr(tempfile, "TemporaryFile", full)
                with pytest.raises(OSError, match="No space"):
                    await feed.texts()
            assert await feed.texts() == 1
