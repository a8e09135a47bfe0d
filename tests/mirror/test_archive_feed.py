"""Tests of what follows an import, on a clock that jumps: the feed compares the messages with the mailbox."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from anyio import to_thread

from rc_mcp.emulator import Draft, Emulator, File
from rc_mcp.media.document_limits import LIMITS
from rc_mcp.mirror import archive as archive_module
from rc_mcp.mirror import feed as feed_module
from rc_mcp.mirror.archive import Imported, import_archive
from rc_mcp.mirror.feed import Feed
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import noted_due, progress_of
from rc_mcp.ringcentral.limits import LIMITS as API_LIMITS
from tests.mirror.exporting import exported, ids_found, owner_of, records_in, zipped
from tests.mirror.feeding import CALLER, Wire, ago, arrive, client_on, in_the_mailbox, inline, is_on_disk, move, vanish
from tests.ringcentral.under_budget import virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_thread, "run_sync", inline)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(scenario="empty", now=virtual_now) as service:
        yield service


@asynccontextmanager
async def fed(emulator: Emulator, folder: Path) -> AsyncGenerator[tuple[Feed, Mirror, Wire]]:
    """Open a copy that knows the mailbox by its ids, as exports do, and its feed."""
    wire = Wire(emulator)
    async with client_on(emulator, wire) as client:
        with Mirror(folder) as mirror:
            yield Feed(client, mirror, known_as=owner_of(emulator), now=virtual_now), mirror, wire


@pytest.mark.parametrize("backwards", [False, True])
async def test_words_of_transcripts_and_texts_are_found_and_need_no_request(
    emulator: Emulator, tmp_path: Path, copy: Path, backwards: bool
) -> None:
    spoken = emulator.store.add(
        Draft(type="VoiceMail", sender=CALLER, media=("hang-up.wav",), transcript="the zebra is loose")
    )
    sent = emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("a.txt", "a giraffe, größer".encode()),)))
    files = await exported(emulator, tmp_path)
    async with fed(emulator, copy) as (feed, mirror, wire):
        owner = owner_of(emulator)
        imported = await import_archive(mirror, files[::-1] if backwards else files, [owner])
        assert ids_found(mirror, "zebra", owner) == [str(spoken["id"])]
        assert ids_found(mirror, "größer", owner) == [str(sent["id"])]
        assert (imported.texts, imported.files_left_out) == (2, 1)
        await feed.sync()
        assert await feed.texts() == 0
        assert wire.contents() == []
        mailbox = mirror.mailbox(*owner)
        _, source, _ = mirror.text(mailbox, str(spoken["id"]), str(spoken["attachments"][1]["id"]))
        assert source == "ringcentral"


async def test_an_archive_of_attachments_alone_completes_the_messages_of_the_copy(
    emulator: Emulator, tmp_path: Path, copy: Path
) -> None:
    emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("a.txt", b"an okapi"),)))
    _, contents = await exported(emulator, tmp_path)
    async with fed(emulator, copy) as (feed, mirror, _):
        assert await import_archive(mirror, [contents], [owner_of(emulator)]) == Imported(files_left_out=1)
        await feed.sync()
        assert (await import_archive(mirror, [contents], [owner_of(emulator)])).texts == 1
        assert len(ids_found(mirror, "okapi", owner_of(emulator))) == 1


async def test_an_attachment_that_is_damaged_or_too_large_is_left_to_the_feed(
    emulator: Emulator, tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "LIMITS", type(LIMITS)(document_bytes=40))
    for data in (b"the damaged okapi", b"the good okapi", b"the okapi that is too large for us to open it"):
        emulator.store.add(Draft(type="Fax", sender=CALLER, media=(File("a.txt", data),)))
    records, contents = await exported(emulator, tmp_path)
    packed = bytearray(contents.read_bytes())
    packed[packed.rindex(b"PK\x01\x02") + 16] ^= 1  # the checksum of the last one
    contents.write_bytes(packed)
    async with fed(emulator, copy) as (feed, mirror, _):
        imported = await import_archive(mirror, [records, contents], [owner_of(emulator)])
        assert (imported.texts, imported.damaged) == (1, 2)
        await feed.sync()
        assert await feed.texts() == 2


async def test_a_message_that_was_purged_since_the_export_is_erased_by_the_next_sync(
    emulator: Emulator, tmp_path: Path, copy: Path
) -> None:
    kept, purged = arrive(emulator, "stays"), arrive(emulator, "the canary")
    files = await exported(emulator, tmp_path)
    async with fed(emulator, copy) as (feed, mirror, _):
        await feed.sync()
        move(emulator, purged, "Purged")
        await feed.sync()
        assert records_in(mirror, owner_of(emulator)).keys() == {kept}
        await import_archive(mirror, files, [owner_of(emulator)])
        await feed.sync()
        assert records_in(mirror, owner_of(emulator)) == {
            i: m for i, m in in_the_mailbox(emulator).items() if i == kept
        }
    assert not is_on_disk(b"canary", copy)


async def test_the_comparison_does_not_wait_for_an_hour_after_another_sign_and_happens_once(
    emulator: Emulator, tmp_path: Path, copy: Path
) -> None:
    gone = arrive(emulator, "gone")
    arrive(emulator)
    files = await exported(emulator, tmp_path)
    vanish(emulator, gone)
    async with fed(emulator, copy) as (feed, mirror, wire):
        await feed.sync()
        mirror.put(mirror.mailbox(*owner_of(emulator)), [], noted_due())
        await feed.sync()
        await import_archive(mirror, files, [owner_of(emulator)])
        assert gone in records_in(mirror, owner_of(emulator))
        await feed.sync()
        assert records_in(mirror, owner_of(emulator)) == in_the_mailbox(emulator)
        wire.sent.clear()
        await feed.sync()
        assert wire.pages() == []


class Crash(Exception):  # noqa: N818
    """The end of a process."""


@pytest.mark.parametrize("crashes", [False, True])
async def test_an_import_during_a_listing_is_compared_by_another_one(
    emulator: Emulator, tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, crashes: bool
) -> None:
    monkeypatch.setattr(feed_module, "LIMITS", replace(API_LIMITS, records_per_page=3))
    for n in range(9):
        arrive(emulator, f"text {n}", created=ago(emulator, hours=n + 2))
    gone = arrive(emulator, "gone", created=ago(emulator, hours=1))
    files = await exported(emulator, tmp_path)
    vanish(emulator, gone)
    in_the_middle = anyio.Event()
    async with fed(emulator, copy) as (feed, mirror, wire):
        await feed.sync()

        def before(_: httpx.Request) -> None:
            listing = progress_of(mirror, 1).listing
            if listing and listing.down_to and not in_the_middle.is_set():
                in_the_middle.set()
                if crashes:
                    raise Crash

        async def compare() -> None:
            with suppress(Crash):
                await feed.compare()

        wire.before = before
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(compare)
            await in_the_middle.wait()
            await import_archive(mirror, files, [owner_of(emulator)])
            assert gone in records_in(mirror, owner_of(emulator))
        await feed.sync()
        assert records_in(mirror, owner_of(emulator)) == in_the_mailbox(emulator)


async def test_what_was_read_of_many_messages_is_not_read_again_after_a_crash(
    emulator: Emulator, tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_READ_AT_ONCE", 3)
    ids = {arrive(emulator, f"text {n}", created=ago(emulator, days=n + 2)) for n in range(9)}
    arrive(emulator)
    files = await exported(emulator, tmp_path)
    vanish(emulator, *ids)
    async with fed(emulator, copy) as (feed, mirror, wire):

        def before(request: httpx.Request) -> None:
            if len(read(wire)) == 6:
                raise Crash

        wire.before = before
        await import_archive(mirror, files, [owner_of(emulator)])
        with pytest.raises(Crash):
            await feed.sync()
        wire.before = lambda _: None
        await feed.sync()
        assert sorted(read(wire)) == sorted(ids)
        assert records_in(mirror, owner_of(emulator)) == in_the_mailbox(emulator)


def read(wire: Wire) -> list[str]:
    """Return the ids that were read."""
    paths = [request.url.path.rpartition("/message-store/")[2] for request in wire.sent]
    return [message_id for path in paths if path.replace(",", "").isdecimal() for message_id in path.split(",")]


async def test_of_messages_that_are_gone_only_those_stay_that_ringcentrals_limits_took(
    emulator: Emulator, tmp_path: Path, copy: Path
) -> None:
    recent = ago(emulator, days=2)
    expired, by_a_user = (
        str(emulator.store.add(Draft(type="VoiceMail", sender=CALLER, media=("hang-up.wav",), created=created))["id"])
        for created in (ago(emulator, days=20), recent)
    )
    text = arrive(emulator, "a text", created=ago(emulator, days=20))
    files = await exported(emulator, tmp_path)
    vanish(emulator, expired, by_a_user, text)
    async with fed(emulator, copy) as (feed, mirror, _):
        imported = await import_archive(mirror, files, [owner_of(emulator)])
        assert imported.added == 3
        await feed.sync()
        assert records_in(mirror, owner_of(emulator)).keys() == {expired}
        assert progress_of(mirror, 1).kept == {expired}
        # Kept messages stay kept when they are imported once more.
        await import_archive(mirror, files, [owner_of(emulator)])
        await feed.sync()
        assert records_in(mirror, owner_of(emulator)).keys() == {expired}


async def test_a_masked_number_of_an_archive_gives_way_to_the_mailbox(
    emulator: Emulator, tmp_path: Path, copy: Path
) -> None:
    message_id = arrive(emulator)
    record = in_the_mailbox(emulator)[message_id]
    masked = {**record, "from": {"phoneNumber": "+1650555XXXX"}}
    account_id, extension_id = owner_of(emulator)
    name = f"account/{account_id}/extension/{extension_id}/message-store.json"
    file = zipped(tmp_path / "a.zip", {name: json.dumps([masked])})
    async with fed(emulator, copy) as (feed, mirror, _):
        await import_archive(mirror, [file], [owner_of(emulator)])
        assert records_in(mirror, owner_of(emulator)) == {message_id: masked}
        await feed.sync()
        assert records_in(mirror, owner_of(emulator)) == {message_id: record}
