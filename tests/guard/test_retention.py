"""update_message_store_configuration: a retention period is lowered only by a person who typed what they agree to."""

import pytest

from tests.desk import DECLINE, YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio


async def in_force(desk: Desk) -> int:
    """The period RingCentral has."""
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


async def test_lowering_it_where_nobody_can_be_asked_needs_the_terminal(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        plan = (await call(client, "update_message_store_configuration", retention_period=7))["plan_id"]
        early = await call(client, "update_message_store_configuration", retention_period=7, plan_id=plan)
        desk.plans.approve(plan)
        late = await call(client, "update_message_store_configuration", retention_period=7, plan_id=plan)
    assert (early["status"], late["status"]) == ("refused", "done")


async def test_raising_it_needs_a_yes(desk: Desk, era: Era) -> None:
    async with desk.client(era, answer=DECLINE) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=90)
    assert answer["status"] == "declined"
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=90)
    assert answer["status"] == "done"
    assert await in_force(desk) == 90


async def test_the_same_period_is_nothing_to_do(desk: Desk) -> None:
    before = await in_force(desk)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=before)
    assert answer["status"] == "nothing_to_do"
    assert desk.asked == []


async def test_a_change_by_someone_else_meanwhile_voids_the_plan(desk: Desk) -> None:
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
