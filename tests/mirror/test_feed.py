"""Tests of the feed over the emulator and the real client, on a clock that jumps: the copy equals the mailbox."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from anyio import to_thread

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.mailbox import lifecycle
from rc_mcp.mirror import feed as feed_module
from rc_mcp.mirror.errors import Unusable
from rc_mcp.mirror.following import follow
from rc_mcp.mirror.mirror import Mirror, forget_copy
from rc_mcp.mirror.progress import noted_kept, progress_of
from rc_mcp.ringcentral import AnswerLost, RateLimited
from rc_mcp.ringcentral.limits import LIMITS
from tests.mirror.feeding import (
    Wire,
    ago,
    arrive,
    copied,
    feeding,
    in_the_mailbox,
    inline,
    move,
    vanish,
)
from tests.ringcentral.under_budget import virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio
SLOT_LIGHT_S, SLOT_MEDIUM_S = LIMITS.rate_window_s / 50, LIMITS.rate_window_s / 40


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_thread, "run_sync", inline)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(now=virtual_now, messages=300) as service:
        yield service


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LIMITS", replace(LIMITS, records_per_page=25))


def refused(emulator: Emulator) -> int:
    return sum(request.status == 429 for request in emulator.requests)


async def test_after_the_first_fill_the_copy_equals_the_mailbox_and_nothing_new_is_one_request(
    emulator: Emulator, tmp_path: Path, small_pages: None
) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)
        assert any(record["availability"] == "Deleted" for record in copied(mirror).values())
        assert len(wire.pages()) == pytest.approx(len(copied(mirror)) / 24, abs=2)
        for _ in range(3):
            await anyio.sleep(60)
            wire.sent.clear()
            await feed.sync()
            assert len(wire.sent) == 1


def by_a_user(emulator: Emulator, ids: list[str]) -> None:
    arrive(emulator, "new")
    move(emulator, ids[0], "Deleted")
    move(emulator, ids[1], "Purged")
    record = emulator.store.find(ids[2])
    assert record is not None
    emulator.store.mark(record, "Unread" if record.read_status == "Read" else "Read")


def restored(emulator: Emulator, ids: list[str]) -> None:
    deleted = next(m for m in in_the_mailbox(emulator).values() if m["availability"] == "Deleted")
    move(emulator, str(deleted["id"]), "Alive")


def read_and_then_deleted(emulator: Emulator, ids: list[str]) -> None:
    by_a_user(emulator, ids)
    move(emulator, ids[2], "Deleted")
    move(emulator, arrive(emulator, "here and gone"), "Deleted")


def late_with_an_early_time(emulator: Emulator, ids: list[str]) -> None:
    arrive(emulator, "late", created=ago(emulator, days=9))


def shorter_retention(emulator: Emulator, ids: list[str]) -> None:
    lifecycle.set_retention_days(emulator.store, 7)
    lifecycle.pass_time(emulator.store)


def many_at_once(emulator: Emulator, ids: list[str]) -> None:
    for message_id in ids[:120]:
        move(emulator, message_id, "Purged" if int(message_id) % 3 == 0 else "Deleted")


def vanished(emulator: Emulator, ids: list[str]) -> None:
    vanish(emulator, *ids[:60])


CHANGES = [by_a_user, restored, read_and_then_deleted, late_with_an_early_time, shorter_retention, many_at_once]
Change = Callable[[Emulator, list[str]], None]


@pytest.mark.parametrize("change", CHANGES)
async def test_after_each_change_the_copy_equals_the_mailbox(
    emulator: Emulator, tmp_path: Path, change: Change
) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        await feed.sync()
        await anyio.sleep(60)
        change(emulator, [i for i, m in in_the_mailbox(emulator).items() if m["availability"] == "Alive"])
        wire.sent.clear()
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)
        assert wire.pages() == []


@pytest.mark.parametrize("change", [*CHANGES, vanished])
async def test_a_rejected_token_leads_to_a_comparison_with_the_whole_mailbox(
    emulator: Emulator, tmp_path: Path, small_pages: None, change: Change
) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, _):
        await feed.sync()
        change(emulator, [i for i, m in in_the_mailbox(emulator).items() if m["type"] == "SMS"])
        mirror.put(mirror.mailbox("~", "~"), [], {"sync_token": "AAAA"})
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)


async def test_after_weeks_without_a_feed_the_copy_equals_the_mailbox(emulator: Emulator, tmp_path: Path) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, _):
        await feed.sync()
        ids = list(in_the_mailbox(emulator))
        for message_id in ids[:40]:
            move(emulator, message_id, "Deleted")
        await feed.sync()
        await anyio.sleep(12 * 86_400)
        arrive(emulator, "new")
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)
        assert ids[0] not in copied(mirror)


async def test_messages_that_vanish_without_a_record_are_erased_within_a_day(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, _):
        await feed.sync()
        ids = list(in_the_mailbox(emulator))
        vanish(emulator, *ids[5:90:7])
        await anyio.sleep(86_400)
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)
        assert not progress_of(mirror, 1).kept


async def test_voicemails_that_ringcentral_took_because_they_were_the_oldest_are_kept_and_named(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        await feed.sync()
        voicemails = [i for i, m in in_the_mailbox(emulator).items() if m["type"] == "VoiceMail"]
        newest_first = [i for i in voicemails if emulator.store.message(i)["availability"] == "Alive"]  # pyright: ignore[reportOptionalSubscript]
        vanish(emulator, newest_first[3], *newest_first[-5:])
        await feed.compare()
        assert progress_of(mirror, 1).kept == set(newest_first[-5:])
        assert copied(mirror) == in_the_mailbox(emulator)
        assert mirror.message(1, newest_first[-1]) is not None
        wire.sent.clear()
        await feed.compare()
        assert len(wire.sent) == 3
        assert progress_of(mirror, 1).kept == set(newest_first[-5:])


@pytest.mark.usefixtures("small_pages")
async def test_a_copy_that_is_forgotten_while_it_is_filled_is_filled_from_the_beginning_and_mixes_no_mailboxes(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        done = False

        def forget_once(_: httpx.Request) -> None:
            nonlocal done
            if len(wire.pages()) == 2 and not done:  # a page is stored
                done = True
                forget_copy(tmp_path)
                with Mirror(tmp_path) as other:
                    other.mailbox("of", "another login")

        wire.before = forget_once
        await feed.sync()
        assert done
        assert copied(mirror) == in_the_mailbox(emulator)
        assert mirror.status(mirror.mailbox("of", "another login")).messages == 0
        assert mirror.status(mirror.mailbox("~", "~")).messages == len(in_the_mailbox(emulator))


async def test_a_kept_message_that_ringcentral_reports_again_is_no_longer_called_lost(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, _):
        await feed.sync()
        other, *_ = in_the_mailbox(emulator)
        back, purged = arrive(emulator, "back"), arrive(emulator, "purged")
        await feed.sync()
        mirror.put(1, [], noted_kept([back, purged, other]))
        move(emulator, back, "Deleted")
        move(emulator, purged, "Purged")
        await feed.sync()
        assert progress_of(mirror, 1).kept == {other}


async def test_a_sync_that_left_records_out_leads_to_one_comparison_and_not_to_one_each_time(
    emulator: Emulator, tmp_path: Path
) -> None:
    class LeavesOut(Wire):
        active = False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if not self.active or request.url.params.get("syncType") != "ISync":
                return response
            answer: dict[str, Any] = json.loads(await response.aread())
            answer["records"], answer["syncInfo"]["olderRecordsExist"] = [], True
            return httpx.Response(200, json=answer)

    wire = LeavesOut(emulator)
    async with feeding(emulator, tmp_path, wire) as (feed, mirror, _):
        await feed.sync()
        wire.active = True
        ids = list(in_the_mailbox(emulator))
        move(emulator, ids[0], "Purged")
        arrive(emulator)
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)
        wire.sent.clear()
        for _ in range(20):
            await anyio.sleep(60)
            await feed.sync()
        assert len(wire.pages()) == 0


class Killed(BaseException):
    """The process ends here."""


async def test_a_killed_fill_goes_on_where_it_was_and_fetches_no_page_twice(
    emulator: Emulator, tmp_path: Path, small_pages: None
) -> None:
    async with feeding(emulator, tmp_path / "whole") as (feed, _, whole):
        await feed.sync()
    requests = len(whole.sent)
    pages: list[str] = []
    killed_at = 1
    kills = 0
    while True:
        wire = Wire(emulator)

        def kill(_: httpx.Request, wire: Wire = wire, after: int = killed_at) -> None:
            if len(wire.sent) == after:
                raise Killed

        wire.before = kill
        killed_at = killed_at % 4 + 1
        async with feeding(emulator, tmp_path / "killed", wire) as (feed, mirror, _):
            try:
                await feed.sync()
            except Killed:
                pages += wire.pages()
                kills += 1
                continue
            pages += wire.pages()
            assert copied(mirror) == in_the_mailbox(emulator)
            break
    assert kills >= 3
    assert len(pages) <= requests + kills
    assert len(pages) - len(set(pages)) <= kills


async def test_changes_during_the_fill_are_in_the_copy(emulator: Emulator, tmp_path: Path, small_pages: None) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):

        def change(_: httpx.Request) -> None:
            if len(wire.sent) in {2, 5, 9}:
                by_a_user(emulator, [i for i, m in in_the_mailbox(emulator).items() if m["availability"] == "Alive"])

        wire.before = change
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)


async def test_texts_come_transcripts_first_each_once_and_no_more_often_than_allowed(
    tmp_path: Path,
) -> None:
    with Emulator(now=virtual_now, messages=900, seed=3) as emulator:
        async with feeding(emulator, tmp_path) as (feed, mirror, wire):
            await feed.sync()
            transcripts = [
                a["id"]
                for m in in_the_mailbox(emulator).values()
                for a in m["attachments"]
                if a["type"] == "AudioTranscription"
            ]
            assert len(transcripts) > 120
            began = anyio.current_time()
            assert await feed.texts(most=len(transcripts)) == len(transcripts)
            took_s = anyio.current_time() - began
            fetched = wire.contents()
            assert sorted(int(path.rpartition("/")[2]) for path in fetched) == sorted(transcripts)
            assert 60 * (len(transcripts) - 40) / 40 <= took_s <= 60 * len(transcripts) / 40 / 0.99
            for record in in_the_mailbox(emulator).values():
                for attachment in record["attachments"]:
                    if attachment["type"] == "AudioTranscription":
                        content = emulator.store.content(record["id"], attachment["id"]) or b""
                        found = mirror.text(1, str(record["id"]), str(attachment["id"]))
                        assert found == ("text", "ringcentral", content.decode())
            assert refused(emulator) == 0


async def test_one_attachment_that_always_fails_holds_back_no_other(emulator: Emulator, tmp_path: Path) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        await feed.sync()
        first = mirror.missing(1, 1)[0]

        def fail(request: httpx.Request) -> None:
            if f"/{first.message.id}/content/" in request.url.path:
                raise httpx.ReadError("broken", request=request)

        wire.before = fail
        assert await feed.texts(most=20) == 20
        assert mirror.missing(1, 1) == [first]


@pytest.mark.parametrize("group", ["light", "medium"])
async def test_a_user_waits_for_one_place_at_most_while_the_feed_works(
    emulator: Emulator, tmp_path: Path, small_pages: None, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(feed_module, "LIMITS", replace(LIMITS, records_per_page=3))
    async with feeding(emulator, tmp_path) as (feed, mirror, _):
        user = feed._client  # the server has one client for both  # pyright: ignore[reportPrivateUsage]

        async def calls() -> None:
            record = next(m for m in in_the_mailbox(emulator).values() if m["type"] == "VoiceMail" and m["attachments"])
            for n in range(60):
                await anyio.sleep(3.7 + n % 5)
                began = anyio.current_time()
                if group == "light":
                    await user.list_messages()
                else:
                    async with user.read_message_content(str(record["id"]), str(record["attachments"][0]["id"])) as it:
                        await it.read(10**7)
                waits.append(anyio.current_time() - began)

        if group == "medium":
            await feed.sync()
            kinds = {m.message.type for m in mirror.missing(1, 1)}
            assert kinds == {"VoiceMail"}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(calls)
            if group == "light":
                while len(waits) < 50:
                    await feed.compare()
            else:
                await feed.texts(most=45)
        assert max(waits) <= (SLOT_LIGHT_S if group == "light" else SLOT_MEDIUM_S) + 0.01
        assert refused(emulator) == 0


async def test_of_two_feeds_on_one_folder_one_feeds_and_the_other_takes_over(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "fetch_text", no_text)
    async with (
        feeding(emulator, tmp_path) as (one, _, first),
        feeding(emulator, tmp_path) as (two, mirror, second),
        anyio.create_task_group() as tasks,
    ):
        ends = anyio.CancelScope()

        async def follow_one() -> None:
            with ends:
                await follow([one], tmp_path)

        tasks.start_soon(follow_one)
        await anyio.sleep(5)
        tasks.start_soon(follow, [two], tmp_path)
        await anyio.sleep(600)
        assert second.sent == []
        assert progress_of(mirror, 1).phase == "following"
        assert copied(mirror) == in_the_mailbox(emulator)
        ends.cancel()
        sent = len(first.sent)
        arrive(emulator, "after the first feed")
        await anyio.sleep(200)
        assert len(first.sent) == sent
        assert copied(mirror) == in_the_mailbox(emulator)
        tasks.cancel_scope.cancel()


async def no_text(*_: object, **__: object) -> feed_module.Found:
    return feed_module.Found(None)


async def test_a_full_disk_stops_the_feed_until_there_is_room(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "fetch_text", no_text)
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        with mirror.reading() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
        mirror._db.execute(f"PRAGMA max_page_count = {pages + 20}")  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(Unusable):
            await feed.sync()
        with Mirror(tmp_path) as other:
            assert not other.was_damaged
        wire.sent.clear()
        mirror._db.execute("PRAGMA max_page_count = 1000000")  # pyright: ignore[reportPrivateUsage]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, [feed], tmp_path)
            await anyio.sleep(2_000)
            assert copied(mirror) == in_the_mailbox(emulator)
            assert feed.fault is None
            tasks.cancel_scope.cancel()


async def test_a_damaged_copy_is_fed_anew(emulator: Emulator, tmp_path: Path) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, _):
        await feed.sync()
        file = tmp_path / "mirror.db"
        mirror._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # pyright: ignore[reportPrivateUsage]
        mirror._db.execute("PRAGMA cache_size = 0")  # pyright: ignore[reportPrivateUsage]
        data = bytearray(file.read_bytes())
        data[4096:] = b"\x5a" * (len(data) - 4096)
        file.write_bytes(data)
        arrive(emulator, "new")
        await feed.sync()
        assert feed.was_damaged
        assert copied(mirror) == in_the_mailbox(emulator)


async def test_a_canceled_feed_leaves_whole_pages(emulator: Emulator, tmp_path: Path, small_pages: None) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, _):
        for n in range(3):
            with anyio.move_on_after(4):
                await feed.sync()
            listing = progress_of(mirror, 1).listing
            # After an interruption, the messages of one second are counted twice.
            assert listing is None or 0 <= listing.done - mirror.status(1).messages <= n
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)


async def test_an_outage_is_an_error_and_the_copy_keeps_what_it_has(emulator: Emulator, tmp_path: Path) -> None:
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        await feed.sync()
        before = copied(mirror)

        def cut(request: httpx.Request) -> None:
            raise httpx.ReadError("broken", request=request)

        wire.before = cut
        for attempt in (feed.sync, feed.compare):
            with pytest.raises((AnswerLost, RateLimited)):
                await attempt()
        assert copied(mirror) == before


async def test_an_account_without_shared_messages_is_fed_too(emulator: Emulator, tmp_path: Path) -> None:
    class Refuses(Wire):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.params.get("owner"):
                return httpx.Response(403, json={"errorCode": "BIL-103", "message": "Feature not available"})
            return await super().handle_async_request(request)

    async with feeding(emulator, tmp_path, Refuses(emulator)) as (feed, mirror, _):
        await feed.sync()
        assert {i for i, m in in_the_mailbox(emulator).items() if "owner" not in m} == set(copied(mirror))


async def test_an_empty_answer_to_a_list_erases_nothing(emulator: Emulator, tmp_path: Path) -> None:
    class SaysNothing(Wire):
        active = False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if self.active and request.url.path.endswith("/message-store"):
                return httpx.Response(200, json={"records": [], "paging": {}, "navigation": {}})
            return response

    wire = SaysNothing(emulator)
    async with feeding(emulator, tmp_path, wire) as (feed, mirror, _):
        await feed.sync()
        wire.active = True
        await feed.compare()
        assert copied(mirror) == in_the_mailbox(emulator)


async def test_messages_deleted_shortly_before_the_fill_are_not_read_again(emulator: Emulator, tmp_path: Path) -> None:
    for message_id in list(in_the_mailbox(emulator))[:150]:
        move(emulator, message_id, "Deleted")
    async with feeding(emulator, tmp_path) as (feed, mirror, wire):
        await feed.sync()
        assert copied(mirror) == in_the_mailbox(emulator)
        assert len(wire.sent) == 3


async def test_headers_take_no_longer_than_the_limits_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LIMITS", replace(LIMITS, records_per_page=10))
    with Emulator(now=virtual_now, messages=1_000) as emulator:
        async with feeding(emulator, tmp_path) as (feed, mirror, wire):
            began = anyio.current_time()
            await feed.sync()
            assert anyio.current_time() - began <= len(wire.sent) / 50 * 60 * 1.02
            assert len(wire.sent) > 100
            assert refused(emulator) == 0
            assert timedelta(0) <= virtual_now() - (progress_of(mirror, 1).synced_at or virtual_now())
