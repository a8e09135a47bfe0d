"""Tests of imports: exports of the emulator come into the copy, and the feed compares them with the mailbox."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from rc_mcp.emulator import Draft, Emulator, File
from rc_mcp.mirror import archive as archive_module
from rc_mcp.mirror.archive import Imported, Step, import_archive
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import progress_of
from rc_mcp.ringcentral import Message
from tests import documents
from tests.mirror.exporting import FOLDER, OWNER, RECORDS, exported, ids_found, of_records, owner_of, records_in, zipped
from tests.mirror.feeding import CALLER, arrive, in_the_mailbox, is_on_disk
from tests.mirror.messages import fax, text_message, voicemail

pytestmark = pytest.mark.anyio


def changed(message: Message, hour: int, **fields: Any) -> dict[str, Any]:
    """Return the record as it was last changed at this hour."""
    return {**message.sent, "lastModifiedTime": f"2026-11-02T{hour:02}:00:00.000Z", **fields}


# What comes


async def test_an_import_brings_the_records_that_the_api_has_and_leaves_out_other_mailboxes(
    tmp_path: Path, copy: Path
) -> None:
    with Emulator(messages=300, rate_limits=False) as emulator, Mirror(copy) as mirror:
        files = await exported(emulator, tmp_path)
        imported = await import_archive(mirror, files[:1], [owner_of(emulator)])
        assert records_in(mirror, owner_of(emulator)) == in_the_mailbox(emulator)
        assert any(record["availability"] == "Deleted" for record in in_the_mailbox(emulator).values())
        others = sum(len(store.messages()) for i, store in emulator.mailboxes.items() if i != emulator.extension_id)
        assert imported.added == len(in_the_mailbox(emulator))
        assert imported.of_others == others > 0
        with mirror.reading() as db:
            assert db.execute("SELECT count(*) FROM mailbox").fetchone() == (1,)


async def test_messages_of_several_mailboxes_come_into_the_mailbox_of_each(tmp_path: Path, copy: Path) -> None:
    with Emulator(rate_limits=False) as emulator, Mirror(copy) as mirror:
        owners = [(emulator.account_id, extension_id) for extension_id in emulator.mailboxes]
        imported = await import_archive(mirror, (await exported(emulator, tmp_path))[:1], owners)
        for owner in owners:
            there = {str(m["id"]) for m in emulator.mailboxes[owner[1]].messages() if m["availability"] != "Purged"}
            assert records_in(mirror, owner).keys() == there
        assert imported.of_others == 0


@pytest.mark.process
async def test_words_of_documents_are_found_and_a_scan_is_said_to_have_no_text(tmp_path: Path, copy: Path) -> None:
    with Emulator(scenario="empty", rate_limits=False) as emulator, Mirror(copy) as mirror:
        pdf = documents.pdf(["the first", "the second page has an okapi"])
        found = emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("offer.pdf", pdf),)))
        scan = documents.scan([documents.page("only drawn")])
        emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("drawn.pdf", scan),)))
        imported = await import_archive(mirror, await exported(emulator, tmp_path), [owner_of(emulator)])
        assert ids_found(mirror, "okapi", owner_of(emulator)) == [str(found["id"])]
        assert (imported.texts, imported.without_text) == (1, 1)
        assert mirror.status(1).contents_missing == 0


async def test_attachments_of_other_mailboxes_are_not_read_even_if_the_copy_has_their_messages(
    copy: Path, tmp_path: Path
) -> None:
    file = zipped(tmp_path / "a.zip", {f"{FOLDER}/5/content/52.txt": "a transcript with an okapi"})
    with Mirror(copy) as mirror:
        mirror.put(mirror.mailbox(*OWNER), [voicemail(5)])
        assert await import_archive(mirror, [file], [("400100", "400300")]) == Imported(files_left_out=1)
        assert len(mirror.missing(mirror.mailbox(*OWNER), 9)) == 1


@pytest.mark.parametrize("state", ["none", "failed"])
async def test_an_attachment_that_was_read_without_success_is_not_read_again(
    copy: Path, tmp_path: Path, state: Literal["none", "failed"]
) -> None:
    file = zipped(tmp_path / "a.zip", {f"{FOLDER}/5/content/52.txt": "a transcript with an okapi"})
    with Mirror(copy) as mirror:
        mirror.put(mirror.mailbox(*OWNER), [voicemail(5)])
        mirror.put_text(mirror.mailbox(*OWNER), "5", "52", None, state=state)
        assert await import_archive(mirror, [file], [OWNER]) == Imported(files_left_out=1)


@pytest.mark.parametrize(
    "name", [f"{FOLDER}/5/content/52", f"{FOLDER}/content/5/52.txt", f"/{FOLDER}/5/content/52.txt"]
)
async def test_the_names_of_the_guides_text_and_picture_are_both_read(copy: Path, tmp_path: Path, name: str) -> None:
    file = zipped(tmp_path / "a.zip", {name: "an okapi"})
    with Mirror(copy) as mirror:
        mirror.put(mirror.mailbox(*OWNER), [voicemail(5)])
        assert (await import_archive(mirror, [file], [OWNER])).texts == 1


async def test_a_text_is_read_in_the_charset_that_its_record_names(copy: Path, tmp_path: Path) -> None:
    note = fax(5, attachments=[{"id": "51", "type": "SourceDocument", "contentType": "text/plain; charset=cp1251"}])
    records = of_records(tmp_path / "0.zip", [note.sent])
    contents = zipped(tmp_path / "1.zip", {f"{FOLDER}/5/content/51.txt": "Привет, окапи".encode("cp1251")})
    with Mirror(copy) as mirror:
        await import_archive(mirror, [records, contents], [OWNER])
        assert ids_found(mirror, "окапи") == ["5"]


# What stays


@pytest.mark.parametrize(
    ("in_copy", "in_archive", "stays"),
    [(9, 10, False), (10, 9, True), (9, 9, True), (None, 9, True), (9, None, True), (None, None, True)],
)
async def test_the_newer_record_counts_and_at_the_same_time_that_of_the_copy(
    copy: Path, tmp_path: Path, in_copy: int | None, in_archive: int | None, stays: bool
) -> None:
    ours, theirs = (
        changed(text_message(5, "hello", sender={"phoneNumber": number}), hour or 0, mark=hour)
        for number, hour in (("+15035550134", in_copy), ("+1503555XXXX", in_archive))
    )
    for record in (ours, theirs):
        if record["mark"] is None:
            del record["lastModifiedTime"]
    with Mirror(copy) as mirror:
        mirror.put(mirror.mailbox(*OWNER), [Message(ours)])
        imported = await import_archive(mirror, [of_records(tmp_path / "a.zip", [theirs])], [OWNER])
        assert records_in(mirror) == {"5": ours if stays else theirs}
        assert (imported.unchanged, imported.updated, imported.added) == ((1, 0, 0) if stays else (0, 1, 0))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("is_one_file", [True, False])
async def test_of_two_records_of_a_message_the_newer_counts_in_any_order(
    copy: Path, tmp_path: Path, order: int, is_one_file: bool
) -> None:
    old, new = changed(text_message(5, "old"), 9), changed(text_message(5, "new"), 10)
    parts = [[old, new][::order]] if is_one_file else [[record] for record in (old, new)[::order]]
    files = [of_records(tmp_path / f"{n}.zip", part) for n, part in enumerate(parts)]
    with Mirror(copy) as mirror:
        await import_archive(mirror, files, [OWNER])
        assert records_in(mirror) == {"5": new}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("is_one_file", [True, False])
async def test_a_message_that_is_purged_in_an_archive_is_not_in_the_copy(
    copy: Path, tmp_path: Path, order: int, is_one_file: bool
) -> None:
    alive = changed(text_message(5, "the canary"), 10)
    purged = {"id": 5, "availability": "Purged"}
    parts = [[alive, purged][::order]] if is_one_file else [[record] for record in (alive, purged)[::order]]
    files = [of_records(tmp_path / f"{n}.zip", part) for n, part in enumerate(parts)]
    with Mirror(copy) as mirror:
        mirror.put(mirror.mailbox(*OWNER), [Message(alive)])
        assert (await import_archive(mirror, files, [OWNER])).purged == 1
        assert records_in(mirror) == {}
    assert not is_on_disk(b"canary", copy)


async def test_to_import_a_file_twice_changes_nothing(tmp_path: Path, copy: Path) -> None:
    with Emulator(scenario="empty", rate_limits=False) as emulator, Mirror(copy) as mirror:
        for n in range(3):
            arrive(emulator)
            emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File(f"{n}.txt", b"note %d" % n),)))
        files = await exported(emulator, tmp_path)
        first = await import_archive(mirror, files, [owner_of(emulator)])
        assert (first.added, first.texts) == (6, 3)
        before = records_in(mirror, owner_of(emulator))
        again = await import_archive(mirror, [*files, *files], [owner_of(emulator)])
        assert again == Imported(unchanged=12, files_left_out=6)
        assert records_in(mirror, owner_of(emulator)) == before


async def test_records_that_are_no_messages_are_left_out_and_counted(copy: Path, tmp_path: Path) -> None:
    good = {**text_message(5, "hello").sent, "from": "not a caller", "attachments": [None, 7]}
    records: list[Any] = [good, 1, None, [], "5", {}, {"id": ""}, {"id": "6"}, {"subject": "no id"}]
    file = zipped(tmp_path / "a.zip", {RECORDS: json.dumps(records)})
    with Mirror(copy) as mirror:
        imported = await import_archive(mirror, [file], [OWNER])
        assert (imported.added, imported.unreadable) == (1, len(records) - 1)
        assert records_in(mirror) == {"5": good}


# Interruptions


async def test_after_an_interruption_the_same_import_goes_on(
    tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_MESSAGES_AT_ONCE", 4)
    monkeypatch.setattr(archive_module, "_TEXTS_AT_ONCE", 2)
    records = of_records(tmp_path / "0.zip", [voicemail(n, minutes=n).sent for n in range(1, 21)])
    contents = zipped(tmp_path / "1.zip", {f"{FOLDER}/{n}/content/{n}2.txt": f"okapi {n}" for n in range(1, 21)})

    stops = [Step("messages", 8, 20), Step("texts", 6, 20)]

    def stop(at: Step) -> None:
        if at == stops[0]:
            raise InterruptedError

    while stops:
        with Mirror(copy) as mirror, pytest.raises(InterruptedError):
            await import_archive(mirror, [records, contents], [OWNER], stop)
        del stops[0]
    with Mirror(copy) as mirror:
        imported = await import_archive(mirror, [records, contents], [OWNER])
        assert imported == Imported(unchanged=20, texts=14, files_left_out=6)
        assert len(records_in(mirror)) == 20
        assert progress_of(mirror, 1).imports > 1


async def test_steps_say_how_far_the_import_is(tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_MESSAGES_AT_ONCE", 4)
    steps: list[Step] = []
    with Emulator(scenario="empty", rate_limits=False) as emulator, Mirror(copy) as mirror:
        for n in range(6):
            emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File(f"{n}.txt", b"note %d" % n),)))
        files = await exported(emulator, tmp_path)
        await import_archive(mirror, files, [owner_of(emulator)], steps.append)
    assert steps == [
        Step("checking", 4, None),
        Step("checking", 6, None),
        Step("messages", 4, 6),
        Step("messages", 6, 6),
        Step("texts", 6, 6),
    ]
