"""Undo: restoring the messages that one operation deleted. It deletes nothing, so it needs no approval."""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress

from rc_mcp.guard.guard import Guard
from rc_mcp.guard.mailbox import Mailbox, after_restore, target
from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.results import unrecorded
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.journal import Journal, Operation, Record
from rc_mcp.guard.state.plans import new_id
from rc_mcp.guard.state.store import in_thread
from rc_mcp.ringcentral import NotFound, RingCentralError
from rc_mcp.views.changes import MAY_ARRIVE, ChangeResult, OutcomeWord, Status, but_in_doubt, tally
from rc_mcp.views.error_texts import in_words

NOTHING_RESTORED = "Nothing was restored."
OF_A_DEMO = "belongs to a demo, whose mailbox exists only in its server; the assistant can restore messages there"
_BEFORE: dict[str, OutcomeWord] = {"Alive": "already", "Purged": "purged"}


async def undo(guard: Guard, operation_id: str) -> ChangeResult:
    """Restore the messages that this operation deleted, or may have deleted, and report the outcome of each.

    Raises:
        GuardError: there is nothing to restore, another change is in progress, or the journal was tampered with.
            Nothing was restored.
        RingCentralError: the mailbox cannot be read. Nothing was restored.
    """
    await in_thread(undoable, guard.journal, operation_id, guard.principal)
    async with one_change_at_a_time(guard.state):
        with _as_written(), suppress(RingCentralError):
            await guard.settle_interrupted()
        operation = await in_thread(undoable, guard.journal, operation_id, guard.principal)
        return await _restore(guard, operation)


def undoable(journal: Journal, operation_id: str, principal: str | None = None) -> Operation:
    """Return the operation if it may have deleted messages that can be restored. It blocks.

    Args:
        principal: the login that asks; None if it is not known yet, which is never a demo.

    Raises:
        GuardError: there is nothing to restore; the text says why.
    """
    with _as_written():
        operation = journal.operation(operation_id)
        fault = _fault(operation, principal)
    if operation is None or fault:
        raise GuardError(f"{operation_id!r} {fault}. {NOTHING_RESTORED}")
    return operation


@contextmanager
def _as_written() -> Generator[None]:
    """Turn errors from malformed journal entries into a `GuardError`. Use this only before anything is restored."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError):
        raise GuardError(f"An entry cannot be read; rc-mcp audit verify says which. {NOTHING_RESTORED}") from None


def is_undoable(operation: Operation, principal: str) -> bool:
    """Return whether `undoable` would return this operation to this login."""
    with suppress(GuardError), _as_written():
        return _fault(operation, principal) is None
    return False


def _fault(operation: Operation | None, principal: str | None) -> str | None:
    if operation is None:
        return "is not an operation of this state folder; rc-mcp audit lists them"
    if operation.is_demo and operation.principal != principal:
        return OF_A_DEMO
    aims = {intent.details.get("to") for intent in operation.intents}
    if "Purged" in aims:
        return "was a purge: purged messages are erased and cannot be restored"
    if not _perhaps_deleted(operation):
        return "deleted nothing, so there is nothing to undo"
    return None


def _perhaps_deleted(operation: Operation) -> list[str]:
    return [*(i for i, word in operation.outcomes.items() if word in {"deleted", "unknown"}), *operation.in_doubt]


async def _restore(guard: Guard, operation: Operation) -> ChangeResult:
    with _as_written():
        begun, ids = operation.begun or {}, _perhaps_deleted(operation)
        mailbox = Mailbox(guard.client, begun["account_id"], begun["extension_id"])
        unanswered = (await guard.unanswered()).deletes  # before the reading, which shows earlier arrivals
        found, errors = await mailbox.read(ids)
    outcomes: dict[str, OutcomeWord] = {i: _BEFORE.get(m.availability or "", "unknown") for i, m in found.items()}
    outcomes |= {i: "not_found" if isinstance(e, NotFound) else "unknown" for i, e in errors.items()}
    deleted = {i: target(m).was for i, m in found.items() if m.availability == "Deleted"}
    if not deleted:
        return _result(outcomes, unanswered, end=NOTHING_RESTORED)
    record = Record(guard.journal, new_id(), guard.principal, "undo")
    await record.begun(mailbox.account_id, mailbox.extension_id, undoes=operation.id)
    await record.sending(deleted, "Alive")
    problem = await _send(mailbox, list(deleted))
    seen = await _read_back(mailbox, list(deleted))
    undone = _result(outcomes | seen, unanswered, problem=problem, operation_id=record.operation)
    try:
        await record.sent(seen)
        await record.done(undone.status, undone.outcomes)
    except GuardError:
        # Without the error's own text, which says that nothing was changed.
        return unrecorded(undone)
    return undone


async def _send(mailbox: Mailbox, ids: Sequence[str]) -> str | None:
    try:
        answers = await mailbox.client.patch_message(ids, availability="Alive", **mailbox.names)
    except RingCentralError as error:
        return in_words(error)
    return next((in_words(a.error) for a in answers if a.error is not None), None)


async def _read_back(mailbox: Mailbox, ids: Sequence[str]) -> dict[str, OutcomeWord]:
    try:
        found, _ = await mailbox.read(ids)
    except RingCentralError:
        found = {}
    return after_restore(ids, found)


def _result(
    outcomes: Mapping[str, OutcomeWord],
    unanswered: Collection[str],
    *,
    problem: str | None = None,
    end: str | None = None,
    operation_id: str | None = None,
) -> ChangeResult:
    known = but_in_doubt(outcomes, unanswered)
    may_arrive = MAY_ARRIVE if any(i in unanswered for i in known) else None
    said = " ".join(part for part in (f"{tally(known)}.", problem, may_arrive, end) if part)
    return ChangeResult(status=_status(known), said=said, outcomes=known, operation_id=operation_id)


def _status(outcomes: Mapping[str, OutcomeWord]) -> Status:
    words = set(outcomes.values())
    if "unknown" in words:
        return "unknown"
    if words <= {"restored", "already"}:
        return "done" if "restored" in words else "nothing_to_do"
    return "partial" if words & {"restored", "already"} else "failed"
