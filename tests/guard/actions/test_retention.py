"""update_message_store_configuration lowers a retention period only if the user typed the phrase."""

from datetime import timedelta

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Party
from rc_mcp.guard.preview import CANNOT_BE_UNDONE
from rc_mcp.guard.refusals import NOTHING_DONE
from tests.desk import DECLINE, YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio


async def in_force(desk: Desk) -> int:
    """Return RingCentral's period in force."""
    async with desk.client() as client:
        return (await call(client, "read_message_store_configuration"))["retention_period"]


async def test_lowering_it_needs_the_phrase(desk: Desk, era: Era) -> None:
    before = await in_force(desk)
    async with desk.client(era, answer=typed("KEEP 8 DAYS")) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=7)
    assert answer["status"] == "declined"
    assert await in_force(desk) == before
    async with desk.client(era, answer=typed("KEEP 7 DAYS")) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=7)
    assert answer["status"] == "done"
    assert await in_force(desk) == 7


async def test_the_preview_of_a_shorter_period_says_what_is_lost_and_no_number_that_is_unknown(
    desk: Desk, era: Era
) -> None:
    async with desk.client(era) as client:
        shorter = await call(client, "update_message_store_configuration", retention_period=7)
        longer = await call(client, "update_message_store_configuration", retention_period=90)
    async with desk.client(era, answer=DECLINE) as client:
        await call(client, "update_message_store_configuration", retention_period=7)
    [asked] = desk.asked
    question = asked.message.replace("\n", " ")
    assert CANNOT_BE_UNDONE in shorter["preview"]["warnings"]
    assert len([warning for warning in shorter["preview"]["warnings"] if warning in question]) == 2
    assert longer["preview"].get("warnings", []) == []
    assert [answer["preview"].get("messages") for answer in (shorter, longer)] == [None, None]


async def test_lowering_it_needs_the_terminal_if_the_user_cannot_be_asked(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        plan = (await call(client, "update_message_store_configuration", retention_period=7))["plan_id"]
        early = await call(client, "update_message_store_configuration", retention_period=7, plan_id=plan)
        desk.plans.approve(plan)
        late = await call(client, "update_message_store_configuration", retention_period=7, plan_id=plan)
    assert (early["status"], late["status"]) == ("refused", "done")


async def test_the_refusal_of_a_used_plan_names_the_tool_that_reads_the_period(desk: Desk, era: Era) -> None:
    arguments = {"retention_period": 90}
    async with desk.client(era) as client:
        plan = (await call(client, "update_message_store_configuration", **arguments))["plan_id"]
        await call(client, "update_message_store_configuration", **arguments, plan_id=plan)
        again = await call(client, "update_message_store_configuration", **arguments, plan_id=plan)
    assert again["status"] == "refused"
    assert "read_message_store_configuration" in again["said"]


async def test_raising_it_needs_approval(desk: Desk, era: Era) -> None:
    async with desk.client(era, answer=DECLINE) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=90)
    assert answer["status"] == "declined"
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=90)
    assert answer["status"] == "done"
    assert await in_force(desk) == 90


async def test_a_cached_period_does_not_survive_a_change(desk: Desk) -> None:
    created = desk.clock() - timedelta(days=4)
    desk.emulator.store.add(Draft(type="VoiceMail", sender=Party(phone_number="+15035550134"), created=created))
    async with desk.client(answer=lambda params: YES if "90" in params.message else typed("KEEP 7 DAYS")) as client:
        await call(client, "update_message_store_configuration", retention_period=7)
        await call(client, "read_message_store_configuration")
        before = await call(client, "list_messages", message_type="VoiceMail", date_from="7d")
        await call(client, "update_message_store_configuration", retention_period=90)
        after = await call(client, "list_messages", message_type="VoiceMail", date_from="7d")
    assert before["summary"]["soon_lost"][0].count(" 7 days") == 2
    assert "soon_lost" not in after["summary"]


async def test_an_unchanged_period_leaves_nothing_to_do(desk: Desk) -> None:
    before = await in_force(desk)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=before)
    assert answer["status"] == "nothing_to_do"
    assert desk.asked == []


@pytest.mark.parametrize("period", [0, -1, 6, 36_500])
async def test_every_change_from_an_undocumented_period_counts_as_irreversible(desk: Desk, period: int) -> None:
    def act(request: httpx.Request) -> httpx.Response | None:
        is_reading = request.method == "GET" and request.url.path.endswith("configuration")
        return httpx.Response(200, json={"retentionPeriod": period}, request=request) if is_reading else None

    desk.faults.after(act)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=30)
    assert answer["status"] == "declined"
    assert "KEEP 30 DAYS" in desk.asked[0].message
    assert desk.sent("PUT") == []


def period_untold(desk: Desk, *, from_the: int) -> None:
    """Make RingCentral answer without a period, from this reading on."""
    readings: list[str] = []

    def act(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" and request.url.path.endswith("configuration"):
            readings.append(request.url.path)
            return httpx.Response(200, json={}, request=request) if len(readings) >= from_the else None
        return None

    desk.faults.after(act)


async def test_a_plan_needs_the_period_in_force(desk: Desk) -> None:
    period_untold(desk, from_the=1)
    async with desk.client(answer=YES) as client:
        said = await refused(client, "update_message_store_configuration", retention_period=90)
    assert said.endswith(NOTHING_DONE)
    assert desk.sent("PUT") == []


async def test_a_period_that_cannot_be_read_back_is_unknown(desk: Desk) -> None:
    period_untold(desk, from_the=3)  # after the readings for the plan and before the PUT
    async with desk.client(answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=90)
    assert answer["status"] == "unknown"
    assert len(desk.sent("PUT")) == 1


async def test_a_change_that_was_never_sent_is_reported_as_failed(desk: Desk) -> None:
    def unreachable(request: httpx.Request) -> None:
        if request.method == "PUT":
            raise httpx.ConnectError("no route", request=request)

    desk.faults.before(unreachable)
    before = await in_force(desk)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=90)
    assert answer["status"] == "failed"
    assert await in_force(desk) == before


async def test_a_change_by_another_client_in_the_meantime_voids_the_plan(desk: Desk) -> None:
    async with desk.client() as client:
        plan = (await call(client, "update_message_store_configuration", retention_period=90))["plan_id"]
        other = (await call(client, "update_message_store_configuration", retention_period=60))["plan_id"]
        await call(client, "update_message_store_configuration", retention_period=60, plan_id=other)
        answer = await call(client, "update_message_store_configuration", retention_period=90, plan_id=plan)
    assert answer["status"] == "failed"
    assert await in_force(desk) == 60


@pytest.mark.parametrize("days", [6, 91, 0, -1, "30", 30.5, True, None])
async def test_a_period_out_of_range_or_of_another_type_is_refused_by_name(desk: Desk, days: object) -> None:
    async with desk.client(answer=YES) as client:
        said = await refused(client, "update_message_store_configuration", retention_period=days)
    assert "retention_period" in said
    assert desk.emulator.requests == []
