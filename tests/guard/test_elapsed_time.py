"""Ages, windows, caps and the minute after an unanswered request are elapsed time, whatever the wall clock shows."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp import Client

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Draft, Party
from rc_mcp.guard.state.journal import Journal, Record, Unanswered
from rc_mcp.guard.state.plans import LIFETIME
from rc_mcp.guard.state.store import MonotonicClock
from tests.desk import YES, Desk, Era, call, refused

pytestmark = pytest.mark.anyio

CLOCKS_GO_FORWARD = datetime(2027, 3, 14, 7, 0, tzinfo=UTC)
"""In New York 02:00 becomes 03:00."""
CLOCKS_GO_BACK = datetime(2027, 11, 7, 6, 0, tzinfo=UTC)
"""In New York 02:00 becomes 01:00."""
RULE = """
[unattended.delete]
types = ["SMS"]
older_than = "24h"
read_status = "Any"
max_per_call = 5
max_per_hour = 1
max_per_day = 100
"""


def in_new_york(desk: Desk) -> AbstractAsyncContextManager[Client]:
    """Open a client of a server in New York whose operator has that rule."""
    policy = desk.folder / "policy.toml"
    policy.write_text(RULE)
    return desk.client(RC_MCP_TIMEZONE="America/New_York", RC_MCP_POLICY=str(policy))


def a_text(desk: Desk, age: timedelta) -> str:
    sender = Party(phone_number="+15035550199")
    draft = Draft(type="SMS", sender=sender, text="hello", created=desk.clock() - age)
    return str(desk.emulator.store.add(draft)["id"])


@pytest.mark.parametrize("change", [CLOCKS_GO_FORWARD, CLOCKS_GO_BACK], ids=["forward", "back"])
async def test_an_hourly_cap_covers_one_hour_when_clocks_change(desk: Desk, change: datetime) -> None:
    desk.clock.time = change - timedelta(minutes=10)
    first, second = (a_text(desk, timedelta(days=3)) for _ in range(2))
    async with in_new_york(desk) as client:
        assert (await call(client, "delete_message", message_id=[first]))["status"] == "done"
        desk.clock.time += timedelta(minutes=20)
        assert (await call(client, "delete_message", message_id=[second]))["status"] == "confirmation_required"
        desk.clock.time += timedelta(minutes=41)
        assert (await call(client, "delete_message", message_id=[second]))["status"] == "done"


@pytest.mark.parametrize("change", [CLOCKS_GO_FORWARD, CLOCKS_GO_BACK], ids=["forward", "back"])
async def test_older_than_a_day_means_24_hours_when_clocks_change(desk: Desk, change: datetime) -> None:
    desk.clock.time = change + timedelta(hours=2)
    young, old = a_text(desk, timedelta(hours=23, minutes=40)), a_text(desk, timedelta(hours=24, minutes=20))
    async with in_new_york(desk) as client:
        assert (await call(client, "delete_message", message_id=[young]))["status"] == "confirmation_required"
        assert (await call(client, "delete_message", message_id=[old]))["status"] == "done"


@pytest.mark.parametrize("change", [CLOCKS_GO_FORWARD, CLOCKS_GO_BACK], ids=["forward", "back"])
async def test_a_span_lists_elapsed_time_when_clocks_change(desk: Desk, era: Era, change: datetime) -> None:
    desk.clock.time = change + timedelta(minutes=10)
    recent = {a_text(desk, timedelta(minutes=minutes)) for minutes in (2, 25, 55)}
    old = a_text(desk, timedelta(minutes=65))
    async with desk.client(era, RC_MCP_TIMEZONE="America/New_York") as client:
        hour = await call(client, "list_messages", date_from="1h", phone_number="+15035550199")
        half = await call(client, "list_messages", date_from="30m", phone_number="+15035550199")
        day = await call(client, "list_messages", phone_number="+15035550199")
    assert {row["id"] for row in rows(hour["messages"])} == recent
    assert len(rows(half["messages"])) == 2
    assert {row["id"] for row in rows(day["messages"])} == recent | {old}
    since, until = (datetime.fromisoformat(day["window"][name]) for name in ("date_from", "date_to"))
    assert until.astimezone(UTC) - since.astimezone(UTC) == timedelta(hours=24)


@pytest.mark.parametrize("change", [CLOCKS_GO_FORWARD, CLOCKS_GO_BACK], ids=["forward", "back"])
async def test_a_delete_up_to_a_span_ago_plans_no_younger_message(desk: Desk, era: Era, change: datetime) -> None:
    desk.clock.time = change + timedelta(minutes=10)
    old = a_text(desk, timedelta(minutes=70))
    young = a_text(desk, timedelta(minutes=50))
    conversation = (desk.emulator.store.message(old) or {})["conversation"]["id"]
    async with desk.client(era, YES, RC_MCP_TIMEZONE="America/New_York") as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation], date_to="1h")
    assert answer["outcomes"] == {old: "deleted"}
    assert desk.availability(young) == "Alive"


@pytest.mark.parametrize("step", [timedelta(minutes=3), timedelta(days=400), -timedelta(hours=5)], ids=str)
async def test_a_wall_clock_that_is_set_does_not_shorten_the_minute_after_an_unanswered_delete(
    desk: Desk, era: Era, step: timedelta
) -> None:
    target = desk.ids(availability="Alive")[0]
    on_its_way = desk.faults.keep_back("DELETE")
    async with desk.client(era, YES) as client:
        await call(client, "delete_message", message_id=[target])
        desk.ahead = step
        assert "60 seconds" in await refused(client, "delete_message", message_id=[target])
        await desk.faults.arrives(on_its_way[0])
        desk.clock.time += timedelta(seconds=61)
        assert (await call(client, "delete_message", message_id=[target]))["outcomes"] == {target: "already"}
    assert desk.availability(target) == "Deleted"
    assert len(desk.sent("DELETE")) == 1


@pytest.mark.parametrize("step", [timedelta(minutes=3), -timedelta(hours=5)], ids=str)
async def test_a_wall_clock_that_is_set_does_not_block_a_message_for_longer(desk: Desk, step: timedelta) -> None:
    target = desk.ids(availability="Alive")[0]
    desk.faults.keep_back("DELETE")
    async with desk.client(answer=YES) as client:
        await call(client, "delete_message", message_id=[target])
        desk.ahead = step
        desk.clock.time += timedelta(seconds=61)
        assert (await call(client, "delete_message", message_id=[target]))["outcomes"] == {target: "deleted"}


@pytest.mark.parametrize("step", [timedelta(hours=2), -timedelta(hours=2)], ids=str)
async def test_a_wall_clock_that_is_set_does_not_renew_a_cap(desk: Desk, step: timedelta) -> None:
    first, second = (a_text(desk, timedelta(days=3)) for _ in range(2))
    async with in_new_york(desk) as client:
        await call(client, "delete_message", message_id=[first])
        desk.ahead = step
        assert (await call(client, "delete_message", message_id=[second]))["status"] == "confirmation_required"


async def test_a_wall_clock_that_is_set_back_does_not_extend_a_plan(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.clock.time += LIFETIME - timedelta(minutes=1)
        desk.ahead = -timedelta(minutes=8)
        assert [waiting.id for waiting in desk.plans.waiting()] == [plan]
        desk.clock.time += timedelta(minutes=2)
        assert desk.plans.waiting() == []
        answer = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert answer["status"] == "refused"
    assert desk.sent("DELETE") == []


def another_start(desk: Desk) -> Journal:
    """Return the journal of a process after a reboot: its clock started at zero."""
    restarted = desk.clock()
    clock = MonotonicClock("the next start", lambda: (desk.clock() - restarted).total_seconds())
    return Journal(desk.state, desk.clock, clock)


async def test_after_a_reboot_the_minute_counts_from_the_moment_the_request_is_noticed(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    record = Record(desk.journal, "cut2-shrt", "somebody", "delete_message")
    await record.sending({target: desk.as_it_is(target)}, "Deleted")
    desk.clock.time += timedelta(days=1)
    journal, minute = another_start(desk), timedelta(seconds=60)
    assert journal.unanswered(minute).deletes == {target}
    desk.clock.time += timedelta(seconds=59)
    assert journal.unanswered(minute).deletes == {target}
    desk.clock.time += timedelta(seconds=1)
    assert journal.unanswered(minute) == Unanswered()
    assert [entry.event for entry in journal.entries()] == ["sending", "noticed"]


@pytest.mark.parametrize(
    "reading", [None, {}, {"name": "here"}, {"name": "here", "seconds": "soon"}, {"name": "there"}]
)
def test_an_invalid_clock_reading_gives_no_elapsed_time(reading: dict[str, object] | None) -> None:
    assert MonotonicClock("here", lambda: 5.0).elapsed_s(reading) is None


def test_a_clock_reading_from_the_future_gives_no_elapsed_time() -> None:
    assert MonotonicClock("here", lambda: 5.0).elapsed_s({"name": "here", "seconds": 6.0}) is None


def test_two_processes_of_one_boot_share_a_clock_if_the_system_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if Path("/proc/sys/kernel/random/boot_id").exists():
        assert MonotonicClock().name == MonotonicClock().name

    def unreadable(*_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", unreadable)
    assert MonotonicClock().name != MonotonicClock().name
