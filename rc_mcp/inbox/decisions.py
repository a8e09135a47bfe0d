"""What the user changes in the page: plans that wait for a yes, undo, stop and resume, read or unread.

Every delete goes through the guard as it does for a tool. The page can take messages out of a plan, and add none.
"""

from collections import Counter
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import Field

from rc_mcp.guard.actions.deletion import Deletion
from rc_mcp.guard.guard import Allowed, Decision, Request
from rc_mcp.guard.mailbox import Mailbox
from rc_mcp.guard.restore import is_undoable, undo
from rc_mcp.guard.state import stopping
from rc_mcp.guard.state.journal import Operation
from rc_mcp.guard.state.plans import MAX_MESSAGES, Plan
from rc_mcp.guard.state.store import in_thread
from rc_mcp.inbox.desk import Arguments, Desk, InboxError, MessageId, Nothing
from rc_mcp.inbox.records import Decided, OperationRecord, Outcome, PlannedMessage, PlanRecord, Plans, Stop, planned
from rc_mcp.ringcentral import RingCentralError
from rc_mcp.views.changes import ChangeResult, benign_changes
from rc_mcp.views.untrusted_text import moment, word

_LATELY = 20
_MOST_MARKED = 1_000
FINAL = "This cannot be undone, so a button is not enough here."
ONLY_PEOPLE = "The operator wants every delete approved outside of the assistant's app."
NOT_ALLOWED = "The operator does not allow this server to do that."
STOPPED, RESUMED = "All deletes are stopped.", "Deletes are possible again. Each needs a yes, as before."
NOT_STOPPED = "Deletes were not stopped."

PlanId = Annotated[str, Field(max_length=40)]
MessageIds = Annotated[list[MessageId], Field(min_length=1, max_length=MAX_MESSAGES)]


class Proposed(Arguments):
    message_ids: MessageIds


class Answer(Arguments):
    """A decision about a plan: the messages that are still ticked, and the typed phrase."""

    plan_id: PlanId
    approve: bool
    message_ids: Annotated[list[MessageId], Field(max_length=MAX_MESSAGES)] = Field(default_factory=list)
    phrase: Annotated[str, Field(max_length=100)] = ""


class OneOperation(Arguments):
    operation_id: PlanId


class Marked(Arguments):
    message_ids: Annotated[list[MessageId], Field(min_length=1, max_length=_MOST_MARKED)]
    read: bool


async def plans(desk: Desk, _: Nothing) -> Plans:
    """Return the plans of this login that wait for the user, and its latest operations."""
    guard = desk.app.guard
    waiting: list[Plan] = []
    operations: list[Operation] = []
    if await in_thread(guard.state.exists):  # reading would make an empty journal
        waiting = [p for p in await in_thread(guard.plans.waiting) if p.principal == guard.principal]
        operations = (await in_thread(guard.journal.latest, 2 * _LATELY, None, guard.principal))[0]
    desk.planned = {plan.id: desk.planned[plan.id] for plan in waiting if plan.id in desk.planned}
    shown = [o for o in reversed(operations) if o.begun is not None]
    undone = {(o.begun or {}).get("undoes") for o in shown if (o.done or {}).get("status") == "done"}
    return Plans(
        stopped=await guard.state.is_stopped(),
        may_resume=desk.window == "browser" and desk.page_url is None,
        plans=[await _plan(desk, plan) for plan in waiting],
        operations=[_operation(desk, o, is_undone=o.id in undone) for o in shown[:_LATELY]],
    )


async def propose(desk: Desk, asked: Proposed) -> PlanRecord:
    """Make a plan to delete these messages.

    Raises:
        InboxError: there is nothing to decide: the guard refused it, or no message would change.
        GuardError, RingCentralError: no plan could be made.
    """
    guard = desk.app.guard
    request = Request(Deletion(tuple(asked.message_ids), purge=False, message_type="All"), "~", "~", None)
    proposal = await guard.propose(request, answering=False)
    if isinstance(proposal, ChangeResult):
        raise InboxError(proposal.said)
    plan = proposal.plan if isinstance(proposal, Allowed) else proposal
    await in_thread(guard.plans.ask, plan.id)  # from now on no model can confirm it
    return await _plan(desk, plan)


async def decide(desk: Desk, asked: Answer) -> Decided:
    """Carry out a plan, or what is left of it, or deny it.

    Raises:
        GuardError: nothing can be carried out now. Nothing was deleted or changed.
    """
    decision = Decision(asked.plan_id, asked.approve, tuple(asked.message_ids), asked.phrase)
    try:
        done = await desk.app.guard.decide(decision, desk.window)
    finally:
        desk.changed()
    counted = done.operation_id is not None or done.status == "declined"
    return Decided(**_outcome(done).model_dump(), counted=counted)


async def undone(desk: Desk, asked: OneOperation) -> Outcome:
    """Restore the messages that an operation deleted.

    Raises:
        GuardError, RingCentralError: nothing was restored.
    """
    try:
        return _outcome(await undo(desk.app.guard, asked.operation_id))
    finally:
        desk.changed()


async def stop(desk: Desk, _: Nothing) -> Stop:
    """Stop all deletes of every server on this state folder."""
    try:
        if await in_thread(desk.app.guard.state.stop):
            await _record(desk, "stopped")
    except OSError as error:
        raise InboxError(f"NOT stopped: the state folder cannot be written ({error.strerror}).") from None
    return Stop(stopped=True, said=STOPPED)


async def resume(desk: Desk, _: Nothing) -> Stop:
    """Allow deletes again."""
    try:
        was_stopped = await in_thread(desk.app.guard.state.resume)
        if was_stopped:
            await _record(desk, "resumed")
    except OSError as error:
        raise InboxError(f"Still stopped: the STOP file cannot be removed ({error.strerror}).") from None
    return Stop(stopped=False, said=RESUMED if was_stopped else NOT_STOPPED)


async def mark(desk: Desk, asked: Marked) -> Outcome:
    """Mark messages as read or unread."""
    status = "Read" if asked.read else "Unread"
    try:
        answers = await desk.app.client.update_message(asked.message_ids, status)
    finally:
        desk.changed()
    return _outcome(benign_changes(answers, lambda m: m.read_status == status))


async def _record(desk: Desk, event: Literal["stopped", "resumed"]) -> None:
    with suppress(stopping.NotRecorded):  # the file counts
        await in_thread(stopping.record, desk.app.guard.state, event, "inbox")


async def _plan(desk: Desk, plan: Plan) -> PlanRecord:
    guard, draft = desk.app.guard, plan.draft
    is_final, is_retention = draft.severity == "irreversible", draft.retention_period is not None
    decidable = desk.may("delete") and guard.can_decide(plan, desk.window)
    messages = await _messages(desk, plan)
    return PlanRecord(
        id=plan.id,
        action="retention" if is_retention else "purge" if is_final else "delete",
        question=draft.question,
        expires=moment(plan.expires) or "",
        seconds_left=max(int((plan.expires - desk.app.now).total_seconds()), 0),
        phrase=draft.phrase,
        may_shrink=len(draft.targets) > 1,
        decidable=decidable,
        why_not=None if decidable else _why_not(desk, plan),
        messages=messages,
        unreadable=sum(m.type is None for m in messages),
    )


def _why_not(desk: Desk, plan: Plan) -> str:
    if not desk.may("delete") or not desk.app.guard.may_carry_out(plan):
        return NOT_ALLOWED
    if plan.draft.severity == "irreversible":
        return f"{FINAL} {desk.elsewhere('Use rc-mcp inbox, or rc-mcp approvals in a terminal.')}"
    return f"{ONLY_PEOPLE} {desk.elsewhere('Use rc-mcp inbox.')}"


async def _messages(desk: Desk, plan: Plan) -> list[PlannedMessage]:
    """Return the messages of a plan, as they are when it is first shown. Those that cannot be read have only an id."""
    ids = [t.id for t in plan.draft.targets]
    if plan.id not in desk.planned:
        try:
            found, _ = await Mailbox(desk.app.client, plan.account_id, plan.extension_id).read(ids) if ids else ({}, {})
        except RingCentralError:
            return [PlannedMessage(id=i) for i in ids]
        desk.planned[plan.id] = [planned(found[i]) if i in found else PlannedMessage(id=i) for i in ids]
    return desk.planned[plan.id]


def _operation(desk: Desk, operation: Operation, *, is_undone: bool) -> OperationRecord:
    asked, done = operation.asked or {}, operation.done
    outcomes = operation.outcomes
    has_deleted = "deleted" in outcomes.values() and not is_undone
    may_undo = has_deleted and is_undoable(operation, desk.app.guard.principal)
    return OperationRecord(
        id=operation.id,
        at=moment(operation.entries[0].moment) or "",
        tool=operation.tool,
        action="retention" if asked and not asked.get("ids") else str(asked.get("action", "undo")),
        status=word(done["status"]) or "unknown" if done else "in_progress",
        counts=dict(Counter(outcomes.values())),
        approved_by=operation.approved_by,
        may_undo=may_undo,
    )


def _outcome(done: ChangeResult) -> Outcome:
    return Outcome(status=done.status, said=done.said, outcomes=done.outcomes, operation_id=done.operation_id)
