"""Undo restores the messages that one operation deleted, reads them back, and reports the outcome of each."""

from dataclasses import replace
from typing import Any

import httpx2 as httpx
import pytest
from mcp import Client

from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.restore import NOTHING_RESTORED, OF_A_DEMO, is_undoable, undo
from rc_mcp.guard.state.journal import DEMO, Record
from rc_mcp.ringcentral import RingCentralError
from rc_mcp.views.changes import ChangeResult
from tests.desk import NO, YES, Desk, Era, call, spoiled, typed

pytestmark = pytest.mark.anyio


async def delete(desk: Desk, *ids: str, era: Era = "auto", **arguments: Any) -> str:
    """Delete these messages; return the operation's id."""
    answer = typed(f"PURGE {len(ids)}") if arguments.get("purge") else YES
    async with desk.client(era, answer=answer) as client:
        return (await call(client, "delete_message", message_id=list(ids), **arguments))["operation_id"]


async def undone(desk: Desk, operation: str) -> ChangeResult:
    async with desk.guard() as guard:
        return await undo(guard, operation)


async def why_not(desk: Desk, operation: str) -> str:
    async with desk.guard() as guard:
        with pytest.raises(GuardError) as refusal:
            await undo(guard, operation)
    assert str(refusal.value).endswith(NOTHING_RESTORED)
    return str(refusal.value)


async def test_exactly_the_deleted_messages_are_restored(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:3]
    others = desk.ids(availability="Deleted")
    operation = await delete(desk, *targets, era=era)
    changes = await undone(desk, operation)
    assert changes.status == "done"
    assert changes.outcomes == dict.fromkeys(targets, "restored")
    assert [desk.availability(t) for t in targets] == ["Alive"] * 3
    assert desk.ids(availability="Deleted") == others


async def test_an_undo_is_an_operation_in_the_journal_too(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    operation = await delete(desk, target)
    changes = await undone(desk, operation)
    assert changes.operation_id not in {None, operation}
    kept = desk.journal.operation(changes.operation_id or "")
    assert kept is not None
    assert [entry.event for entry in kept.entries] == ["begun", "sending", "sent", "done"]
    assert (kept.tool, (kept.begun or {})["undoes"]) == ("undo", operation)
    assert kept.outcomes == {target: "restored"}
    assert "nothing" in await why_not(desk, kept.id)


async def test_each_message_gets_its_own_outcome(desk: Desk) -> None:
    restored, purged, alive = targets = desk.ids(availability="Alive")[:3]
    operation = await delete(desk, *targets)
    await delete(desk, purged, purge=True)
    async with desk.client() as client:
        await call(client, "patch_message", message_id=[alive], availability="Alive")
    changes = await undone(desk, operation)
    assert changes.outcomes == {restored: "restored", purged: "purged", alive: "already"}
    assert changes.status == "partial"


async def test_a_second_undo_sends_nothing(desk: Desk) -> None:
    operation = await delete(desk, desk.ids(availability="Alive")[0])
    await undone(desk, operation)
    sent = len(desk.sent("PATCH"))
    changes = await undone(desk, operation)
    assert (changes.status, changes.operation_id) == ("nothing_to_do", None)
    assert len(desk.sent("PATCH")) == sent


async def test_a_purged_message_stays_purged_and_is_reported_as_purged(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    operation = await delete(desk, target)
    purge = await delete(desk, target, purge=True)
    assert "purge" in await why_not(desk, purge)
    changes = await undone(desk, operation)
    assert (changes.status, changes.outcomes) == ("failed", {target: "purged"})


async def test_an_operation_that_deleted_nothing_is_not_undone(desk: Desk) -> None:
    async with desk.client(answer=NO) as client:
        await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:1])
    assert "nothing" in await why_not(desk, desk.journal.entries()[-1].operation or "")


async def test_an_unknown_operation_is_not_undone(desk: Desk) -> None:
    assert "rc-mcp audit" in await why_not(desk, "none-such")


async def test_a_demo_is_not_undone_from_outside(desk: Desk) -> None:
    operation = await delete(desk, desk.ids(availability="Alive")[0])
    record = Record(desk.journal, "demo-demo", f"{DEMO}1", "delete_message")
    await record.sending({"1": ("Alive", None)}, "Deleted")
    assert "demo" in await why_not(desk, "demo-demo")
    assert (await undone(desk, operation)).status == "done"


async def test_a_demo_can_be_undone_in_its_own_server_alone(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    own, another = f"{DEMO}1", f"{DEMO}2"
    async with Client(desk.server(own), mode="auto") as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        await call(client, "delete_message", message_id=[target], plan_id=plan)
    operation = desk.journal.operation(plan)
    assert operation is not None
    assert [is_undoable(operation, p) for p in (own, another)] == [True, False]
    async with desk.guard() as guard:
        with pytest.raises(GuardError, match=OF_A_DEMO):
            await undo(replace(guard, principal=another), plan)
        assert (await undo(replace(guard, principal=own), plan)).outcomes == {target: "restored"}


async def test_an_operation_that_cannot_be_read_cannot_be_undone(desk: Desk) -> None:
    plan = await delete(desk, desk.ids(availability="Alive")[0])
    desk.tamper("UPDATE entry SET detail = '[]' WHERE event = 'sending'")
    operation = desk.journal.operation(plan)
    assert operation is not None
    assert is_undoable(operation, operation.principal) is False


async def test_messages_that_may_have_been_deleted_are_restored_too(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")[:2]

    def lose_all(request: httpx.Request) -> None:
        if request.method == "DELETE":
            lost.append(True)
        if lost:
            raise httpx.ReadError("gone", request=request)

    lost: list[bool] = []
    desk.faults.after(lose_all)
    operation = await delete(desk, *targets)
    kept = desk.journal.operation(operation)
    assert kept is not None
    assert (kept.in_doubt, kept.done) == (targets, None)
    lost.clear()
    assert (await undone(desk, operation)).outcomes == dict.fromkeys(targets, "restored")


async def test_missing_and_unreadable_messages_get_different_outcomes(desk: Desk) -> None:
    gone, hidden, there = targets = desk.ids(availability="Alive")[:3]
    operation = await delete(desk, *targets)

    def other_answers(request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET" or gone not in request.url.path:
            return None
        missing = {"errorCode": "CMN-102", "message": "Resource for parameter [messageId] is not found"}
        parts = [
            {"resourceId": gone, "status": 404, "body": missing},
            {"resourceId": hidden, "status": 403, "body": {"errorCode": "CMN-408", "message": "no"}},
            {"resourceId": there, "status": 200, "body": {"id": int(there), "availability": "Deleted"}},
        ]
        return httpx.Response(207, json=parts, request=request)

    desk.faults.before(other_answers)
    changes = await undone(desk, operation)
    assert changes.outcomes == {gone: "not_found", hidden: "unknown", there: "restored"}
    assert changes.status == "unknown"


async def test_a_refused_restore_is_not_reported_as_restored(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    operation = await delete(desk, target)

    def refuse(request: httpx.Request) -> httpx.Response | None:
        body = {"errorCode": "CMN-408", "message": "no"}
        return httpx.Response(403, json=body, request=request) if request.method == "PATCH" else None

    desk.faults.before(refuse)
    changes = await undone(desk, operation)
    assert (changes.status, changes.outcomes) == ("failed", {target: "failed"})
    assert "CMN-408" in changes.said
    assert desk.availability(target) == "Deleted"


async def test_a_mailbox_that_cannot_be_read_ends_it_before_anything_is_sent(desk: Desk) -> None:
    operation = await delete(desk, desk.ids(availability="Alive")[0])

    def unreachable(request: httpx.Request) -> None:
        raise httpx.ConnectError("no way", request=request)

    desk.faults.before(unreachable)
    async with desk.guard() as guard:
        with pytest.raises(RingCentralError):
            await undo(guard, operation)
    assert desk.sent("PATCH") == []
    assert len([e for e in desk.journal.entries() if e.tool == "undo"]) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET detail = 'no JSON' WHERE event = 'begun'",
        "DELETE FROM entry WHERE event = 'begun'",
        "UPDATE entry SET detail = '[]' WHERE event = 'sending'",
        """UPDATE entry SET detail = '{"account_id": 1, "extension_id": [2]}' WHERE event = 'begun'""",
        """UPDATE entry SET detail = '{"outcomes": {"../9": "deleted"}}' WHERE event = 'sent'""",
    ],
)
async def test_an_operation_with_changed_entries_is_not_restored(desk: Desk, statement: str) -> None:
    operation = await delete(desk, desk.ids(availability="Alive")[0])
    desk.tamper(statement)
    assert "rc-mcp audit verify" in await why_not(desk, operation)
    assert desk.sent("PATCH") == []


async def test_changed_entries_of_another_operation_are_reported_before_anything_is_restored(desk: Desk) -> None:
    operation = await delete(desk, desk.ids(availability="Alive")[0])
    async with desk.guard() as guard:
        who = {"operation": "cut2-shrt", "principal": guard.principal, "tool": "delete_message"}
        guard.journal.append("begun", **who, details={})
    assert "rc-mcp audit verify" in await why_not(desk, operation)
    assert desk.sent("PATCH") == []


async def test_restored_messages_are_reported_although_the_journal_can_no_longer_be_written(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    operation = await delete(desk, target)
    desk.faults.before(spoiled(desk, lambda request: request.method == "PATCH"))
    changes = await undone(desk, operation)
    assert changes.outcomes == {target: "restored"}
    assert "journal" in changes.said
    assert desk.availability(target) == "Alive"
