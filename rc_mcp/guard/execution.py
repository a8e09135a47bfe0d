"""How a DELETE is sent: in batches, each re-read before, sent once, journaled before and after, and read back.

A second DELETE of a message purges it, so no request is repeated here, and an uncertain outcome ends the execution.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from rc_mcp.guard.mailbox import Mailbox, after_delete, unchanged
from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.state.coordination import Stopped, unless_stopped
from rc_mcp.guard.state.journal import Record
from rc_mcp.guard.state.plans import Target
from rc_mcp.ringcentral import (
    APIError,
    InvalidRequest,
    LoginFailed,
    NotSent,
    Outcome,
    RangeNotSatisfiable,
    RateLimited,
    RingCentralError,
    Unauthorized,
    Unavailable,
    at_once,
)
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.views.changes import OutcomeWord, Status
from rc_mcp.views.error_texts import in_words

CHANGED_SINCE_PLAN = "Messages that changed since the plan was made were skipped; call again for a new plan."
_NOT_RECORDED = "The state folder can no longer be used, so nothing more was sent. The operator must fix it."
_NOT_CERTAIN = "The outcome of some messages is uncertain, so nothing more was sent."


@dataclass(slots=True)
class Execution:
    """The result of a plan so far."""

    outcomes: dict[str, OutcomeWord] = field(default_factory=dict[str, OutcomeWord])
    problem: str | None = None
    """The first problem. Nothing is sent after it."""
    note: str | None = None
    status: Status | None = None
    """Set only for a retention change, which has no outcomes of messages."""
    in_doubt: bool = False
    """Whether a request may still be carried out, or has an unknown result."""


async def delete_by_id(mailbox: Mailbox, targets: Sequence[Target], *, purge: bool, record: Record) -> Execution:
    """Delete targets by id, as many at a time as one path takes, each batch re-read before and verified after.

    After the first batch with a problem, the remaining messages are `skipped`.
    """
    execution = Execution()
    for start in range(0, len(targets), LIMITS.ids_per_path):
        batch = targets[start : start + LIMITS.ids_per_path]
        if execution.problem is not None:
            execution.outcomes |= dict.fromkeys((t.id for t in batch), "skipped")
            continue
        try:
            approved = await _still_approved(mailbox, batch, execution, purge=purge, record=record)
        except (RingCentralError, Stopped) as error:
            execution.outcomes |= dict.fromkeys((t.id for t in batch), "skipped")
            execution.problem = why(error)
        else:
            if approved:
                sent = await send_once(mailbox, approved, purge=purge, record=record)
                execution.outcomes |= sent.outcomes
                execution.problem, execution.in_doubt = sent.problem, sent.in_doubt
    return execution


async def _still_approved(
    mailbox: Mailbox, batch: Sequence[Target], execution: Execution, *, purge: bool, record: Record
) -> list[Target]:
    """Read the batch again and return the targets to delete; write the outcomes of the others to `execution`."""
    read = partial(mailbox.read, [t.id for t in batch])
    found, errors = await unless_stopped(record.journal.state.is_stopped, read)
    kept, changed = unchanged(batch, found, errors, purge=purge)
    execution.outcomes |= changed
    if "skipped" in changed.values():
        execution.note = CHANGED_SINCE_PLAN
    spared = [t.id for t in kept if mailbox.spares(found[t.id], purge=purge)]
    if spared:
        execution.outcomes |= dict.fromkeys(spared, "skipped")
        execution.note = "Messages that the operator's policy does not allow to be deleted were skipped."
    return [t for t in kept if t.id not in spared]


async def send_once(mailbox: Mailbox, targets: Sequence[Target], *, purge: bool, record: Record) -> Execution:
    """Send one DELETE exactly once, journal it before and after, and read back the result.

    Uncertain results are not journaled: those ids stay in doubt, and no second DELETE is sent for them.
    A message that reads back unchanged is uncertain too, unless RingCentral refused: the request may still arrive.
    """
    ids = [t.id for t in targets]
    with at_once():  # already here, so that none of this is long ago when the request leaves
        if await record.journal.state.is_stopped():
            return Execution(dict.fromkeys(ids, "skipped"), str(Stopped()))
        try:
            await record.sending({t.id: t.was for t in targets}, "Purged" if purge else "Deleted")
        except GuardError:
            return Execution(dict.fromkeys(ids, "skipped"), _NOT_RECORDED)
        answers = await _sent(mailbox, ids, purge=purge)
    outcomes: dict[str, OutcomeWord] = dict.fromkeys(ids, "failed")
    if any(a.error is None or not never_left(a.error) for a in answers):
        outcomes = await _read_back(mailbox, ids, answers, purge=purge)
    problem = next((in_words(a.error) for a in answers if a.error is not None), None)
    certain: dict[str, OutcomeWord] = {i: w for i, w in outcomes.items() if w != "unknown"}
    in_doubt = len(certain) < len(outcomes)
    execution = Execution(outcomes, problem or (_NOT_CERTAIN if in_doubt else None), in_doubt=in_doubt)
    try:
        await record.sent(certain)
    except GuardError:
        execution.problem = execution.problem or _NOT_RECORDED
    return execution


async def _sent(mailbox: Mailbox, ids: Sequence[str], *, purge: bool) -> list[Outcome]:
    try:
        # Without a type filter: the ids are exact, so a filter could only delete less than was approved.
        return await mailbox.client.delete_message(ids, purge=purge, **mailbox.names)
    except RingCentralError as error:
        return [Outcome.failed(i, error) for i in ids]


async def _read_back(
    mailbox: Mailbox, ids: Sequence[str], answers: Sequence[Outcome], *, purge: bool
) -> dict[str, OutcomeWord]:
    """Read the outcomes from the mailbox; `unknown` if a message cannot be read, or may still change."""
    try:
        found, errors = await mailbox.read(ids)
    except RingCentralError:
        return dict.fromkeys(ids, "unknown")
    confirmed = {a.id for a in answers if a.ok}
    untouched = {a.id for a in answers if a.error is not None and is_over(a.error)}
    return after_delete(ids, found, errors, purge=purge, confirmed=confirmed, untouched=untouched)


def why(error: RingCentralError | GuardError) -> str:
    """Return the sentence that explains the error."""
    return in_words(error) if isinstance(error, RingCentralError) else str(error)


def is_over(error: RingCentralError) -> bool:
    """Return whether the request certainly cannot arrive any more."""
    return is_refusal(error) or never_left(error)


def is_refusal(error: RingCentralError) -> bool:
    """Return whether RingCentral itself refused the request. Answers of a gateway prove nothing about it.

    A 401, 408, 416 or 5xx may come from either: the client has one class for each, whatever the source.
    """
    return isinstance(error, APIError) and not isinstance(error, Unauthorized | RangeNotSatisfiable | Unavailable)


def never_left(error: RingCentralError) -> bool:
    """Return whether the request certainly did not reach RingCentral. If it did, even a refusal is read back."""
    if isinstance(error, RateLimited):
        return error.held_back
    return isinstance(error, NotSent | InvalidRequest | LoginFailed)
