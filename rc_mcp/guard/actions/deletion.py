"""Deleting or purging messages by id: planned by reading, carried out in batches, verified by reading again."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import partial
from typing import ClassVar

from rc_mcp.guard.mailbox import Mailbox, at_most, dropped, is_of, judged, sort_out, target, unchanged
from rc_mcp.guard.policy.rules import Policy
from rc_mcp.guard.preview import phrase_line, preview_of, question, warnings_about
from rc_mcp.guard.state.database import GuardError
from rc_mcp.guard.state.journal import Record
from rc_mcp.guard.state.plans import PlanDraft, Target
from rc_mcp.guard.stop_file import Stopped, unless_stopped
from rc_mcp.ringcentral import (
    APIError,
    DeletableType,
    InvalidRequest,
    LoginFailed,
    Message,
    NotFound,
    NotSent,
    RangeNotSatisfiable,
    RateLimited,
    RingCentralError,
    Unauthorized,
    Unavailable,
    at_once,
)
from rc_mcp.views.changes import OutcomeWord, Status
from rc_mcp.views.error_texts import in_words

BATCH = 50
"""Ids in the path of one request (RingCentral's limit, CMN-106)."""
_NOT_RECORDED = "The state folder can no longer be used, so nothing more was sent. The operator must fix it."
_NOT_CERTAIN = "The outcome of some messages is uncertain, so nothing more was sent."


@dataclass(frozen=True, slots=True)
class DeleteResponse:
    """RingCentral's answer to a DELETE.

    Attributes:
        confirmed: ids that it said it deleted.
        refused: ids for which no request can still arrive: RingCentral itself refused it, or none was sent.
        problem: the first reason why an id was not deleted.
        has_left: False if RingCentral certainly did not receive the request.
    """

    confirmed: Collection[str] = ()
    refused: Collection[str] = ()
    problem: str | None = None
    has_left: bool = True


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


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request to delete (or purge) these messages."""

    message_id: tuple[str, ...]
    purge: bool
    message_type: DeletableType

    tool: ClassVar[str] = "delete_message"

    @property
    def arguments(self) -> dict[str, object]:
        return {"message_id": sorted(set(self.message_id)), "purge": self.purge, "type": self.message_type}

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> PlanDraft:
        """Read the messages and plan the outcome of each.

        Raises:
            RingCentralError: a message exists, or may exist, and cannot be read.
        """
        found, errors = await mailbox.read(self.message_id)
        for error in errors.values():
            if not isinstance(error, NotFound):
                raise error
        missing: dict[str, OutcomeWord] = dict.fromkeys(errors, "not_found")
        touch, left_out = sort_out(found.values(), purge=self.purge, wanted=lambda m: is_of(m, self.message_type))
        at_most(touch)
        return deletion_draft(touch, missing | left_out, mailbox.policy, purge=self.purge, now=now, zone=zone)

    async def carry_out(
        self, mailbox: Mailbox, draft: PlanDraft, stopped: Callable[[], bool], record: Record
    ) -> Execution:
        return await delete_by_id(mailbox, draft.targets, purge=self.purge, stopped=stopped, record=record)


def deletion_draft(
    messages: Sequence[Message],
    left_out: dict[str, OutcomeWord],
    policy: Policy,
    *,
    purge: bool,
    now: datetime,
    zone: tzinfo,
    where: str = "",
    unseen: int = 0,
) -> PlanDraft:
    """Return the draft for deleting these messages, without the protected ones."""
    touch = [m for m in messages if not policy.protects(m)]
    protected: dict[str, OutcomeWord] = {m.id: "skipped" for m in messages if policy.protects(m)}
    n = len(touch)
    things = f"{n} message{'' if n == 1 else 's'}"
    warnings = warnings_about(touch, now, policy, protected=len(protected), unseen=unseen)
    phrase = f"PURGE {n}"
    if purge:
        headline = [f"Purge {things} for good?", where]
        consequence = ["This cannot be undone.", phrase_line(phrase)]
    else:
        headline = [f"Delete {things}?", where]
        consequence = ["They go to Deleted and can be restored."]
    return PlanDraft(
        severity="irreversible" if purge else "reversible",
        question=question(headline, touch, warnings, consequence, zone),
        phrase=phrase if purge else None,
        preview=preview_of("purge" if purge else "delete", touch, warnings, zone),
        targets=tuple(target(m) for m in touch),
        left_out=left_out | protected,
        protected=len(protected),
        unseen=unseen,
        misfits=policy.misfits(touch, now, purge=purge),
    )


async def delete_by_id(
    mailbox: Mailbox, targets: Sequence[Target], *, purge: bool, stopped: Callable[[], bool], record: Record
) -> Execution:
    """Delete targets by id, 50 at a time, each batch re-read before and verified after.

    After the first batch with a problem, the remaining messages are `skipped`.
    """
    execution = Execution()
    for start in range(0, len(targets), BATCH):
        batch = targets[start : start + BATCH]
        if execution.problem is not None:
            execution.outcomes |= dict.fromkeys((t.id for t in batch), "skipped")
            continue
        try:
            approved = await _still_approved(mailbox, batch, purge, stopped, execution)
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
    mailbox: Mailbox, batch: Sequence[Target], purge: bool, stopped: Callable[[], bool], execution: Execution
) -> list[Target]:
    found, errors = await unless_stopped(stopped, partial(mailbox.read, [t.id for t in batch]))
    changed = dropped(batch, found, errors, purge=purge)
    execution.outcomes |= changed
    if "skipped" in changed.values():
        execution.note = "Messages that changed after approval were skipped; call again for a new plan."
    kept = unchanged(batch, found)
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
    try:
        await record.sending({t.id: t.was for t in targets}, "Purged" if purge else "Deleted")
    except GuardError:
        return Execution(dict.fromkeys(ids, "skipped"), _NOT_RECORDED)
    answered = await _sent(mailbox, ids, purge=purge)
    outcomes: dict[str, OutcomeWord] = dict.fromkeys(ids, "failed")
    if answered.has_left:
        outcomes = await _read_back(mailbox, ids, answered, purge=purge)
    certain: dict[str, OutcomeWord] = {i: w for i, w in outcomes.items() if w != "unknown"}
    in_doubt = len(certain) < len(outcomes)
    execution = Execution(outcomes, answered.problem or (_NOT_CERTAIN if in_doubt else None), in_doubt=in_doubt)
    try:
        await record.sent(certain)
    except GuardError:
        execution.problem = execution.problem or _NOT_RECORDED
    return execution


async def _sent(mailbox: Mailbox, ids: Sequence[str], *, purge: bool) -> DeleteResponse:
    try:
        with at_once():
            # Without a type filter: the ids are exact, so a filter could only delete less than was approved.
            answers = await mailbox.client.delete_message(
                ids, purge=purge, account_id=mailbox.account_id, extension_id=mailbox.extension_id
            )
    except RingCentralError as error:
        refused = ids if is_over(error) else ()
        return DeleteResponse(refused=refused, problem=in_words(error), has_left=not never_left(error))
    return DeleteResponse(
        confirmed={a.id for a in answers if a.ok},
        refused={a.id for a in answers if a.error is not None and is_over(a.error)},
        problem=next((in_words(a.error) for a in answers if a.error is not None), None),
    )


async def _read_back(
    mailbox: Mailbox, ids: Sequence[str], answered: DeleteResponse, *, purge: bool
) -> dict[str, OutcomeWord]:
    """Read the outcomes from the mailbox; `unknown` if a message cannot be read, or may still change."""
    try:
        found, errors = await mailbox.read(ids)
    except RingCentralError:
        return dict.fromkeys(ids, "unknown")
    return judged(ids, found, errors, purge=purge, confirmed=answered.confirmed, untouched=answered.refused)


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
