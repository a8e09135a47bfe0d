"""delete_message deletes only messages that the user approved."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from mcp.types import ElicitResult

from rc_mcp.guard.execution import CHANGED_SINCE_PLAN
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state.coordination import Stopped
from rc_mcp.wiring import command_for
from tests.desk import CANCEL, DECLINE, EMPTY, NO, NOTHING, YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio


async def test_a_client_that_cannot_ask_gets_a_preview_and_nothing_is_deleted(desk: Desk, era: Era) -> None:
    target = desk.ids(type="VoiceMail", readStatus="Unread", availability="Alive")[0]
    async with desk.client(era) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["status"] == "confirmation_required"
    assert answer["plan_id"] in answer["next"]
    assert answer["approve_in"] == "chat"
    assert answer["preview"]["messages"] == 1
    assert "voicemail" in answer["preview"]["warnings"][0]
    assert desk.availability(target) == "Alive"
    assert desk.sent("DELETE") == []


async def test_the_same_call_with_the_plan_deletes(desk: Desk, era: Era) -> None:
    targets = desk.ids(type="SMS", availability="Alive")[:3]
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=targets))["plan_id"]
        answer = await call(client, "delete_message", message_id=targets, plan_id=plan)
    assert answer["status"] == "done"
    assert answer["outcomes"] == dict.fromkeys(targets, "deleted")
    assert [desk.availability(t) for t in targets] == ["Deleted"] * 3


async def test_a_plan_runs_once(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=targets))["plan_id"]
        await call(client, "delete_message", message_id=targets, plan_id=plan)
        again = await call(client, "delete_message", message_id=targets, plan_id=plan)
    assert again["status"] == "refused"
    assert len(desk.sent("DELETE")) == 1
    assert [desk.availability(t) for t in targets] == ["Deleted"] * 2


@pytest.mark.parametrize(
    "other",
    [{"purge": True}, {"type": "SMS"}, {"message_id": ["1"]}, {"account_id": "1"}],
    ids=["purge", "type", "ids", "account"],
)
async def test_a_plan_fits_no_other_arguments(desk: Desk, other: dict[str, object]) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        answer = await call(client, "delete_message", **{"message_id": [target], "plan_id": plan, **other})
    assert answer["status"] == "refused"
    assert answer["said"].endswith(NOTHING_DONE)
    assert desk.availability(target) == "Alive"


async def test_a_plan_expires(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.clock.time += timedelta(minutes=10)
        answer = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert answer["status"] == "refused"
    assert desk.availability(target) == "Alive"


async def test_a_user_who_approves_gets_the_deletion_that_was_shown(desk: Desk, era: Era) -> None:
    target = desk.ids(type="Fax", direction="Inbound", availability="Alive")[0]
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["status"] == "done"
    assert desk.availability(target) == "Deleted"
    [question] = desk.asked
    assert " 1 " in question.message.split("\n")[0]
    assert question.requested_schema["required"] == ["confirm"]


@pytest.mark.parametrize("no", [DECLINE, CANCEL, NO, EMPTY], ids=["decline", "cancel", "false", "empty"])
async def test_an_answer_other_than_approval_changes_nothing(desk: Desk, era: Era, no: ElicitResult) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era, answer=no) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["status"] == "declined"
    assert answer["said"].endswith(NOTHING_DONE)
    assert desk.availability(target) == "Alive"
    assert desk.sent("DELETE") == []


@pytest.mark.parametrize(
    "broken",
    [NOTHING, ElicitResult(action="accept", content={"confirm": "true"})],
    ids=["no content", "a word instead of a boolean"],
)
async def test_an_invalid_answer_changes_nothing(desk: Desk, era: Era, broken: ElicitResult) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era, answer=broken) as client:
        said = await refused(client, "delete_message", message_id=[target])
    assert said.endswith(NOTHING_DONE)
    assert desk.availability(target) == "Alive"


async def test_a_plan_id_does_not_bypass_the_question_if_the_user_can_be_asked(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
    async with desk.client(era, answer=DECLINE) as client:
        answer = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert answer["status"] == "declined"
    assert f"Plan {plan}" in desk.asked[0].message
    assert desk.availability(target) == "Alive"


async def test_an_operator_can_require_the_terminal_for_every_delete(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era, RC_MCP_APPROVAL="human") as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        before = await call(client, "delete_message", message_id=[target], plan_id=plan)
        desk.plans.approve(plan)
        after = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert (before["status"], after["status"]) == ("refused", "done")


async def test_deleting_a_deleted_message_leaves_it_deleted(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Deleted")[0]
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["status"] == "nothing_to_do"
    assert answer["outcomes"] == {target: "already"}
    assert desk.asked == []
    assert desk.availability(target) == "Deleted"
    assert desk.sent("DELETE") == []


async def test_the_same_id_twice_in_one_call_is_deleted_once(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(answer=YES) as client:
        await call(client, "delete_message", message_id=[target, target])
    assert desk.availability(target) == "Deleted"


async def test_every_id_gets_an_outcome(desk: Desk) -> None:
    alive, deleted = desk.ids(availability="Alive")[0], desk.ids(availability="Deleted")[0]
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[alive, deleted, "404"])
    assert answer["outcomes"] == {alive: "deleted", deleted: "already", "404": "not_found"}
    assert answer["status"] == "partial"


async def test_ids_of_another_type_are_skipped(desk: Desk) -> None:
    text, fax = desk.ids(type="SMS", availability="Alive")[0], desk.ids(type="Fax", availability="Alive")[0]
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[text, fax], type="Fax")
    assert answer["outcomes"] == {text: "skipped", fax: "deleted"}
    assert desk.availability(text) == "Alive"


async def test_messages_that_changed_since_the_plan_are_skipped(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive", readStatus="Unread")[:2]
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=targets))["plan_id"]
        desk.clock.time += timedelta(seconds=1)
        await call(client, "update_message", message_id=[targets[0]], read_status="Read")
        answer = await call(client, "delete_message", message_id=targets, plan_id=plan)
    assert answer["status"] == "partial"
    assert answer["outcomes"] == {targets[0]: "skipped", targets[1]: "deleted"}
    assert CHANGED_SINCE_PLAN in answer["said"]
    assert desk.availability(targets[0]) == "Alive"


async def test_a_message_deleted_by_another_client_in_the_meantime_is_not_purged(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]
    async with desk.client(era) as client, desk.client(era) as other:
        plan = (await call(client, "delete_message", message_id=targets))["plan_id"]
        theirs = (await call(other, "delete_message", message_id=targets[:1]))["plan_id"]
        await call(other, "delete_message", message_id=targets[:1], plan_id=theirs)
        answer = await call(client, "delete_message", message_id=targets, plan_id=plan)
    assert answer["outcomes"] == {targets[0]: "already", targets[1]: "deleted"}
    assert [desk.availability(t) for t in targets] == ["Deleted", "Deleted"]


async def test_a_purge_is_refused_until_it_is_approved_in_the_terminal(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era) as client:
        asked = await call(client, "delete_message", message_id=[target], purge=True)
        plan = asked["plan_id"]
        early = await call(client, "delete_message", message_id=[target], purge=True, plan_id=plan)
        assert desk.availability(target) == "Alive"
        assert desk.plans.approve(plan)
        late = await call(client, "delete_message", message_id=[target], purge=True, plan_id=plan)
    assert f"{command_for(desk.settings())} approvals approve {plan}" in asked["next"]
    assert asked["approve_in"] == "terminal"
    assert (asked["status"], early["status"], late["status"]) == ("confirmation_required", "refused", "done")
    assert late["outcomes"] == {target: "purged"}
    assert desk.availability(target) == "Purged"


async def test_a_purge_needs_the_phrase(desk: Desk, era: Era) -> None:
    targets = [*desk.ids(availability="Alive")[:2], desk.ids(availability="Deleted")[0]]
    for wrong in (typed("PURGE 2"), typed("yes"), typed("purge 3"), YES, EMPTY, DECLINE):
        async with desk.client(era, answer=wrong) as client:
            result = await client.call_tool("delete_message", {"message_id": targets, "purge": True})
        assert result.is_error or (result.structured_content or {})["status"] == "declined"
    assert desk.sent("DELETE") == []
    async with desk.client(era, answer=typed("PURGE 3")) as client:
        answer = await call(client, "delete_message", message_id=targets, purge=True)
    assert "PURGE 3" in desk.asked[-1].message
    assert answer["outcomes"] == dict.fromkeys(targets, "purged")
    assert [desk.availability(t) for t in targets] == ["Purged"] * 3


async def test_a_denied_plan_is_refused(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.plans.deny(plan)
        answer = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert answer["status"] == "refused"
    assert desk.availability(target) == "Alive"


async def test_a_stop_file_stops_everything_destructive(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    desk.state.stop()
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["status"] == "refused"
    assert desk.availability(target) == "Alive"


async def test_a_stop_after_the_last_reading_stops_the_delete(
    desk: Desk, era: Era, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = desk.ids(availability="Alive")[0]

    async def stopped_after(_: object, read: Callable[[], Awaitable[object]]) -> object:
        found = await read()
        desk.state.stop()
        return found

    monkeypatch.setattr("rc_mcp.guard.execution.unless_stopped", stopped_after)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["outcomes"] == {target: "skipped"}
    assert str(Stopped()) in answer["said"]
    assert desk.sent("DELETE") == []


async def test_a_server_below_purge_does_not_purge(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era, answer=typed("PURGE 1"), RC_MCP_ACCESS="delete") as client:
        answer = await call(client, "delete_message", message_id=[target], purge=True)
    assert answer["status"] == "refused"
    assert desk.availability(target) == "Alive"


async def test_a_purge_planned_at_a_higher_level_is_not_carried_out_at_a_lower_one(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target], purge=True))["plan_id"]
    desk.plans.approve(plan)
    async with desk.client(RC_MCP_ACCESS="delete") as client:
        answer = await call(client, "delete_message", message_id=[target], purge=True, plan_id=plan)
    assert answer["status"] == "refused"
    assert desk.availability(target) == "Alive"


async def test_two_hundred_messages_go_fifty_at_a_time_and_never_through_a_star(desk: Desk) -> None:
    from rc_mcp.emulator import Draft

    for n in range(130):
        desk.emulator.store.add(Draft(type="SMS", text=f"parcel {n}", read=True))
    targets = desk.ids(availability="Alive")[:130]
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "done"
    assert {desk.availability(t) for t in targets} == {"Deleted"}
    sent = desk.sent("DELETE")
    assert [path.count(",") + 1 for path in sent] == [50, 50, 30]
    assert not any("*" in path for path in sent)
