"""Tests of summaries that the local copy gives without a request, and of what it knows of RingCentral's limits."""

import json
import random
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from rc_mcp.emulator import Draft, Emulator, Owner, Party
from rc_mcp.mirror.database import FILE
from rc_mcp.mirror.following import EVERY_S
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import noted_due, noted_import, progress_of
from rc_mcp.ringcentral import Message, MessageType
from rc_mcp.views.summary import INBOX_CAP
from tests.desk import Clock, Desk, Era, Faults, call
from tests.searching import searching

pytestmark = pytest.mark.anyio

PEOPLE = [
    Party(phone_number="+16505550177", name="Ada Park"),
    Party(phone_number="(650) 555-0177"),
    Party(phone_number="+16505550188", name="Bo Lee"),
    Party(name="anonymous"),
]
QUEUE = Owner(extension_number="900", name="Queue")
FILTERS: dict[str, list[list[str] | None]] = {
    "message_type": [None, ["SMS"], ["Fax", "VoiceMail"]],
    "read_status": [None, ["Unread"]],
    "direction": [None, ["Inbound"], ["Outbound"]],
    "availability": [None, ["Alive"], ["Deleted"], ["Alive", "Deleted"]],
}


@contextmanager
def random_desk(tmp_path: Path, seed: int, messages: int = 150) -> Generator[Desk]:
    """A mailbox of random messages of the last 20 days: deleted, shared and failed ones too."""
    chance, clock = random.Random(seed), Clock()  # noqa: S311
    with Emulator(rate_limits=False, scenario="empty", now=clock) as emulator:
        emulator.store.add_all([_draft(chance, clock) for _ in range(messages)])
        yield Desk(emulator, tmp_path / f"state{seed}", clock, Faults(emulator))


def _draft(chance: random.Random, clock: Clock) -> Draft:
    is_sent, party = chance.random() < 0.4, chance.choice(PEOPLE)
    kinds: list[MessageType] = ["SMS", "Fax"] if is_sent else ["SMS", "VoiceMail", "Fax"]
    kind = chance.choice(kinds)
    is_deleted = chance.random() < 0.1
    return Draft(
        type=kind,
        text="hello" if kind == "SMS" else "",
        direction="Outbound" if is_sent else "Inbound",
        sender=None if is_sent else party,
        recipients=(party,) if is_sent else (),
        read=chance.random() < 0.5,
        status="DeliveryFailed" if is_sent and kind == "SMS" and chance.random() < 0.1 else None,
        created=clock.time - timedelta(seconds=chance.randrange(60, 20 * 86_400)),
        availability="Deleted" if is_deleted else "Alive",
        removed=clock.time - timedelta(seconds=30) if is_deleted else None,
        owner=QUEUE if not is_sent and chance.random() < 0.1 else None,
    )


def without_place(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without what a summary of the copy has of its own."""
    found = json.loads(json.dumps(answer))
    del found["next"], found["page"], found["window"]["date_to"]
    return found


async def asked(desk: Desk, client: Client, **arguments: Any) -> tuple[dict[str, Any], int]:
    """A summary, and how many requests it took."""
    before = len(desk.emulator.requests)
    answer = await call(client, "list_messages", detail="summary", **arguments)
    return answer, len(desk.emulator.requests) - before


async def from_ringcentral(desk: Desk, client: Client, **arguments: Any) -> dict[str, Any]:
    """The same summary from RingCentral, which a server without a copy asks."""
    answer, requests = await asked(desk, client, **arguments)
    assert requests > 0
    return answer


@pytest.mark.parametrize("seed", range(3))
async def test_a_summary_of_the_copy_equals_ringcentral_s(tmp_path: Path, seed: int) -> None:
    windows: list[dict[str, str]] = [
        {},
        {"date_from": "30d"},
        {"date_from": "9d"},
        {"date_from": "19d", "date_to": "5d"},
    ]
    with random_desk(tmp_path, seed) as desk:
        async with searching(desk) as (client, _), desk.client() as other:
            not_empty = 0
            for values in product(*FILTERS.values()):
                given = {name: value for name, value in zip(FILTERS, values, strict=True) if value is not None}
                for frame in windows:
                    answer, requests = await asked(desk, client, **given, **frame)
                    assert requests == 0
                    assert without_place(answer) == without_place(
                        await from_ringcentral(desk, other, **given, **frame)
                    ), (given, frame)
                    not_empty += answer["summary"]["messages"] > 0
            assert not_empty > 100


async def test_a_summary_of_the_copy_says_so_and_as_of_when(desk: Desk, era: Era) -> None:
    async with searching(desk, era) as (client, _):
        synced_at = desk.clock.time
        desk.clock.time += timedelta(seconds=EVERY_S)
        answer, requests = await asked(desk, client, date_from="30d")
    assert requests == 0
    assert "local copy" in answer["next"]
    assert "request" in answer["next"]
    assert datetime.fromisoformat(answer["window"]["date_to"]) == synced_at.replace(microsecond=0)


async def test_more_messages_than_a_page_of_ringcentral_s_are_one_summary(tmp_path: Path) -> None:
    clock = Clock()
    with Emulator(rate_limits=False, now=clock, messages=10_200) as emulator:
        desk = Desk(emulator, tmp_path, clock, Faults(emulator))
        async with searching(desk) as (client, _):
            answer, requests = await asked(desk, client, date_from="2000-01-01")
        alive = [m for m in emulator.store.messages() if m["availability"] == "Alive" and not _is_shared(m)]
    assert requests == 0
    assert answer["summary"]["messages"] == answer["page"]["total_messages"] == len(alive) > 10_000
    assert "page" not in answer["next"].lower()


def _is_shared(record: dict[str, Any]) -> bool:
    return "owner" in record


async def test_a_message_that_only_the_copy_has_is_not_counted(desk: Desk) -> None:
    oldest = min(desk.ids(type="VoiceMail", availability="Alive"), key=int)
    async with searching(desk) as (client, feed), desk.client() as other:
        desk.ahead = timedelta(days=40)
        desk.emulator.store.forget("id = ?", int(oldest))
        await feed.compare()
        answer, requests = await asked(desk, client, date_from="2000-01-01")
        assert requests == 0
        assert without_place(answer) == without_place(await from_ringcentral(desk, other, date_from="2000-01-01"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"page": 2},
        {"per_page": 1000},
        {"phone_number": "+16505550177"},
        {"conversation_id": "1"},
        {"distinct_conversations": True},
        {"owner": ["Personal"]},
        {"availability": ["Alive", "Purged"]},
        {"detail": "rows"},
        {"extension_id": "999"},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
async def test_what_the_copy_cannot_be_certain_of_is_asked_of_ringcentral(
    desk: Desk, arguments: dict[str, Any]
) -> None:
    async with searching(desk, RC_MCP_EXTENSIONS="999") as (client, _):
        before = len(desk.emulator.requests)
        await client.call_tool("list_messages", {"detail": "summary", "date_from": "9d", **arguments})
        assert len(desk.emulator.requests) > before
        assert (await asked(desk, client, date_from="9d"))[1] == 0


@pytest.mark.parametrize("field", ["type", "readStatus", "direction", "availability", "creationTime"])
async def test_a_value_that_is_new_to_a_filter_is_left_to_ringcentral(desk: Desk, field: str) -> None:
    id_ = desk.ids(type="SMS", availability="Alive")[0]
    record = desk.emulator.store.message(id_)
    assert record
    given = {"message_type": ["SMS"], "read_status": ["Unread"], "direction": ["Inbound"], "date_from": "30d"}
    async with searching(desk) as (client, _):
        assert (await asked(desk, client, **given))[1] == 0
        with Mirror(desk.state_dir) as mirror:
            (mailbox,) = mirror.mailboxes().values()
            mirror.put(mailbox, [Message({**record, field: "Novel"})])
        assert (await asked(desk, client, **given))[1] > 0


async def test_a_message_in_the_second_of_an_end_of_the_window_is_left_to_ringcentral(desk: Desk) -> None:
    at = desk.clock.time - timedelta(hours=5)
    desk.emulator.store.add(Draft(type="SMS", text="on the edge", created=at))
    async with searching(desk) as (client, _):
        for seconds, is_asked in [(0, True), (0.5, True), (-0.5, True), (30, False), (-30, False)]:
            end = (at + timedelta(seconds=seconds)).astimezone(UTC).isoformat()
            assert ((await asked(desk, client, date_from=end))[1] > 0) is is_asked
            assert ((await asked(desk, client, date_from="3d", date_to=end))[1] > 0) is is_asked


@pytest.mark.parametrize("microsecond", [0, 400, 600, 999_999])
async def test_a_message_of_this_moment_is_counted(desk: Desk, microsecond: int) -> None:
    desk.clock.time = desk.clock.time.replace(microsecond=microsecond)
    desk.emulator.store.add(Draft(type="SMS", text="just now"))
    async with searching(desk) as (client, _), desk.client() as other:
        answer, requests = await asked(desk, client)
        assert requests == 0
        assert answer["summary"] == (await from_ringcentral(desk, other))["summary"]


async def test_a_message_of_the_future_is_left_to_ringcentral(desk: Desk) -> None:
    async with searching(desk) as (client, feed):
        desk.emulator.store.add(Draft(type="SMS", text="later", created=desk.clock.time + timedelta(hours=1)))
        assert (await asked(desk, client))[1] == 0
        await feed.sync()
        assert (await asked(desk, client))[1] > 0


async def test_a_copy_that_is_not_fresh_is_not_asked(desk: Desk) -> None:
    async with searching(desk) as (client, feed):
        desk.clock.time += timedelta(seconds=2 * EVERY_S)
        assert (await asked(desk, client, date_from="9d"))[1] == 0
        desk.clock.time += timedelta(seconds=1)
        assert (await asked(desk, client, date_from="9d"))[1] > 0
        await feed.sync()
        assert (await asked(desk, client, date_from="9d"))[1] == 0
        with Mirror(desk.state_dir) as mirror:
            (mailbox,) = mirror.mailboxes().values()
            mirror.put(mailbox, [], noted_due())
            assert (await asked(desk, client, date_from="9d"))[1] > 0
            mirror.put(mailbox, [], {"due": "", "unreadable": "1"})
            assert (await asked(desk, client, date_from="9d"))[1] > 0
            mirror.put(mailbox, [], {"unreadable": "0"})
            mirror.put(mailbox, [], noted_import(progress_of(mirror, mailbox)))
            assert (await asked(desk, client, date_from="9d"))[1] > 0
            await feed.sync()
        assert (await asked(desk, client, date_from="9d"))[1] == 0


async def test_a_change_from_here_is_counted_at_once(desk: Desk) -> None:
    (first, *_) = desk.ids(type="VoiceMail", readStatus="Unread", availability="Alive")
    async with searching(desk) as (client, feed):
        before, requests = await asked(desk, client, date_from="30d", message_type=["VoiceMail"])
        assert requests == 0
        await call(client, "update_message", message_id=[first], read_status="Read")
        after, requests = await asked(desk, client, date_from="30d", message_type=["VoiceMail"])
        assert requests > 0
        assert after["summary"] != before["summary"]
        desk.clock.time += timedelta(seconds=EVERY_S)
        await feed.sync()
        again, requests = await asked(desk, client, date_from="30d", message_type=["VoiceMail"])
        assert (again["summary"], requests) == (after["summary"], 0)


async def test_a_copy_that_cannot_be_opened_stops_no_summary(desk: Desk) -> None:
    desk.state_dir.mkdir(parents=True)
    (desk.state_dir / FILE).mkdir()
    async with desk.client(RC_MCP_MIRROR="on") as client:
        answer, requests = await asked(desk, client, date_from="9d")
    assert requests > 0
    assert answer["summary"]["messages"] > 0


async def test_the_retention_period_is_remembered_until_the_next_start_and_a_month(desk: Desk) -> None:
    desk.emulator.store.add(Draft(type="Fax", created=desk.clock.time - timedelta(days=25)))
    async with searching(desk) as (client, _):
        assert "soon_lost" not in (await asked(desk, client, date_from="30d"))[0]["summary"]
        days = (await call(client, "read_message_store_configuration"))["retention_period"]
    async with desk.client(RC_MCP_MIRROR="on") as client:
        (said,) = (await call(client, "list_messages", date_from="30d"))["summary"]["soon_lost"]
        assert str(days) in said
        synced = await call(client, "sync_messages", date_from="30d")
        assert synced["summary"]["soon_lost"] == [said]
    desk.ahead = timedelta(days=31)
    async with desk.client(RC_MCP_MIRROR="on") as client:
        assert "soon_lost" not in (await call(client, "list_messages", date_from="80d"))["summary"]


async def test_a_period_that_may_have_changed_is_forgotten(desk: Desk) -> None:
    desk.emulator.store.add(Draft(type="Fax", created=desk.clock.time - timedelta(days=25)))
    async with searching(desk, RC_MCP_ACCESS="admin") as (client, _):
        await call(client, "read_message_store_configuration")
        await client.call_tool("update_message_store_configuration", {"retention_period": 60})
    async with desk.client(RC_MCP_MIRROR="on") as client:
        assert "soon_lost" not in (await call(client, "list_messages", date_from="30d"))["summary"]


async def test_a_full_inbox_is_known_without_a_list_of_exactly_its_types(desk: Desk) -> None:
    many: list[tuple[MessageType, int, Owner | None]] = [
        ("VoiceMail", 100, None),
        ("Fax", 90, None),
        ("VoiceMail", 50, QUEUE),
    ]
    at = desk.clock.time - timedelta(days=2)
    desk.emulator.store.add_all(Draft(type=kind, created=at, owner=owner) for kind, n, owner in many for _ in range(n))
    mine = [
        m
        for m in desk.emulator.store.messages()
        if m["type"] in {"Fax", "VoiceMail"}
        and m["direction"] == "Inbound"
        and m["availability"] == "Alive"
        and not _is_shared(m)
    ]
    async with searching(desk) as (client, _):
        for tool in ("list_messages", "sync_messages"):
            (said,) = (await call(client, tool, message_type=["SMS"]))["summary"]["soon_lost"]
            assert str(len(mine)) in said
            assert str(INBOX_CAP) in said
