"""Undo: what one operation deleted is restored, and read back. It deletes nothing, so nobody is asked."""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress

from anyio import to_thread

from rc_mcp.guard.alone import alone
from rc_mcp.guard.answers import unrecorded
from rc_mcp.guard.database import GuardError
from rc_mcp.guard.guard import Guard
from rc_mcp.guard.journal import Journal, Operation, Record
from rc_mcp.guard.plans import new_id
from rc_mcp.guard.reading import Mailbox, restored, target
from rc_mcp.ringcentral import NotFound, RingCentralError
from rc_mcp.views.changes import MAY_ARRIVE, Changes, OutcomeWord, Status, but_in_doubt, tally
from rc_mcp.views.errors import in_words

_NOTHING_RESTORED = "Nothing was restored."
_BEFORE: dict[str, OutcomeWord] = {"Alive": "already", "Purged": "purged"}


async def undo(guard: Guard, operation_id: str) -> Changes:
    """Restore what this operation deleted, or may have deleted, and say of each id what it is now.

    Raises:
        GuardError: there is nothing that could be restored; or another change is still under way; or the journal is
            not as it was written. Nothing was restored.
        RingCentralError: the mailbox cannot be read. Nothing was restored.
    """
    await to_thread.run_sync(undoable, guard.journal, operation_id)
    async with alone(guard.plans.state_dir):
        with _as_written(), suppress(RingCentralError):
            await guard.settle_cut_short()
        operation = await to_thread.run_sync(undoable, guard.journal, operation_id)
        return await _restore(guard, operation)


def undoable(journal: Journal, operation_id: str) -> Operation:
    """The operation, if there is something in it that could be restored. It blocks.

    Raises:
        GuardError: there is nothing, and why.
    """
    with _as_written():
        operation = journal.operation(operation_id)
        fault = _fault(operation)
    if operation is None or fault:
        raise GuardError(f"{operation_id!r} {fault}. {_NOTHING_RESTORED}")
    return operation


@contextmanager
def _as_written() -> Generator[None]:
    """Around what reads the journal and restores nothing yet: whoever can write the file could have put anything there.

    Raises:
        GuardError: they did.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError):
        raise GuardError(f"An entry cannot be read; rc-mcp audit verify says which. {_NOTHING_RESTORED}") from None


def _fault(operation: Operation | None) -> str | None:
    if operation is None:
        return "is no operation of this state folder; rc-mcp audit lists them"
    if operation.is_demo:
        return "was a demo's, whose mailbox was in its server's memory; there the assistant can restore it"
    aims = {intent.details.get("to") for intent in operation.intents}
    if "Purged" in aims:
        return "was a purge: what is purged is erased, and nothing can restore it"
    if not _perhaps_deleted(operation):
        return "deleted nothing, so there is nothing to undo"
    return None


def _perhaps_deleted(operation: Operation) -> list[str]:
    return [*(i for i, word in operation.outcomes.items() if word in {"deleted", "unknown"}), *operation.in_doubt]


async def _restore(guard: Guard, operation: Operation) -> Changes:
    with _as_written():
        begun, ids = operation.begun or {}, _perhaps_deleted(operation)
        mailbox = Mailbox(guard.client, begun["account_id"], begun["extension_id"])
        on_its_way = (await guard.on_its_way()).deletes  # before the reading: what arrived until then is seen in it
        found, errors = await mailbox.read(ids)
    outcomes: dict[str, OutcomeWord] = {i: _BEFORE.get(m.availability or "", "unknown") for i, m in found.items()}
    outcomes |= {i: "not_found" if isinstance(e, NotFound) else "unknown" for i, e in errors.items()}
    deleted = {i: target(m).was for i, m in found.items() if m.availability == "Deleted"}
    if not deleted:
        outcomes = but_in_doubt(outcomes, on_its_way)
        said = _said(outcomes, _may_arrive(outcomes, on_its_way), _NOTHING_RESTORED)
        return Changes(status=_status(outcomes), said=said, outcomes=outcomes)
    record = Record(guard.journal, new_id(), guard.principal, "undo")
    await record.begun(mailbox.account_id, mailbox.extension_id, undoes=operation.id)
    await record.sending(deleted, "Alive")
    problem = await _send(mailbox, list(deleted))
    seen = await _read_back(mailbox, list(deleted))
    outcomes = but_in_doubt(outcomes | seen, on_its_way)
    said = _said(outcomes, problem, _may_arrive(outcomes, on_its_way))
    undone = Changes(status=_status(outcomes), said=said, outcomes=outcomes, operation_id=record.operation)
    try:
        await record.sent(seen)
        await record.done(undone.status, outcomes)
    except GuardError:
        # Not the error's own words: something was restored.
        return unrecorded(undone)
    return undone


def _said(outcomes: Mapping[str, OutcomeWord], *sentences: str | None) -> str:
    return " ".join([f"{tally(outcomes)}.", *(sentence for sentence in sentences if sentence)])


def _may_arrive(outcomes: Iterable[str], on_its_way: Collection[str]) -> str | None:
    return MAY_ARRIVE if any(i in on_its_way for i in outcomes) else None


async def _send(mailbox: Mailbox, ids: Sequence[str]) -> str | None:
    try:
        answers = await mailbox.client.patch_message(
            ids, availability="Alive", account_id=mailbox.account_id, extension_id=mailbox.extension_id
        )
    except RingCentralError as error:
        return in_words(error)
    return next((in_words(a.error) for a in answers if a.error is not None), None)


async def _read_back(mailbox: Mailbox, ids: Sequence[str]) -> dict[str, OutcomeWord]:
    try:
        found, _ = await mailbox.read(ids)
    except RingCentralError:
        found = {}
    return restored(ids, found)


def _status(outcomes: Mapping[str, OutcomeWord]) -> Status:
    words = set(outcomes.values())
    if "unknown" in words:
        return "unknown"
    if words <= {"restored", "already"}:
        return "done" if "restored" in words else "nothing_to_do"
    return "partial" if words & {"restored", "already"} else "failed"
