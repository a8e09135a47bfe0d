"""Deleting or purging messages by id: planned by reading, carried out in batches, verified by reading again."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import partial
from typing import ClassVar

from rc_mcp.guard.database import GuardError
from rc_mcp.guard.journal import Record
from rc_mcp.guard.plans import Draft, Target
from rc_mcp.guard.policy import Policy
from rc_mcp.guard.preview import preview_of, question, warnings_about
from rc_mcp.guard.reading import Mailbox, at_most, dropped, is_of, judged, sort_out, target, unchanged
from rc_mcp.guard.stopping import Stopped, unless_stopped
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
from rc_mcp.views.errors import in_words

BATCH = 50
"""Ids in the path of one request (RingCentral's limit, CMN-106)."""
_NOT_RECORDED = "The state folder cannot be used any more, so nothing more was sent; the operator must fix it."
_NOT_CERTAIN = "What became of some is not certain, so nothing more was sent."


@dataclass(frozen=True, slots=True)
class Answered:
    """What RingCentral said to a DELETE.

    Attributes:
        confirmed: ids that it said it deleted.
        refused: ids for which surely no request is on its way any more: RingCentral itself said no, or none left.
        problem: why it did not delete the first of the others.
        has_left: False where it surely never heard of it.
    """

    confirmed: Collection[str] = ()
    refused: Collection[str] = ()
    problem: str | None = None
    has_left: bool = True


@dataclass(slots=True)
class Execution:
    """What became of a plan so far."""

    outcomes: dict[str, OutcomeWord] = field(default_factory=dict[str, OutcomeWord])
    problem: str | None = None
    """The first thing that went wrong. Nothing is sent after it."""
    note: str | None = None
    status: Status | None = None
    """Only where no message ids tell it: for a retention change."""
    in_doubt: bool = False
    """What left may yet be carried out, or nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request to delete (or purge) these messages."""

    message_id: tuple[str, ...]
    purge: bool
    message_type: DeletableType

    tool: ClassVar[str] = "delete_message"

    @property
    def arguments(self) -> dict[str, object]:
        """What a plan for this request is bound to."""
        return {"message_id": sorted(set(self.message_id)), "purge": self.purge, "type": self.message_type}

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> Draft:
        """Read the messages and say what would become of each.

        Raises:
            RingCentralError: a message could not be read, other than because it does not exist.
        """
        found, errors = await mailbox.read(self.message_id)
        for error in errors.values():
            if not isinstance(error, NotFound):
                raise error
        missing: dict[str, OutcomeWord] = dict.fromkeys(errors, "not_found")
        touch, left_out = sort_out(found.values(), purge=self.purge, wanted=lambda m: is_of(m, self.message_type))
        at_most(touch)
        return deletion_draft(touch, missing | left_out, mailbox.policy, purge=self.purge, now=now, zone=zone)

    async def carry_out(self, mailbox: Mailbox, draft: Draft, stopped: Callable[[], bool], record: Record) -> Execution:
        """Delete what the plan names and is still as it was; never raises for what RingCentral does."""
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
) -> Draft:
    """The draft for deleting these messages, but for protected ones: the question, and how a yes has to be given."""
    touch = [m for m in messages if not policy.protects(m)]
    protected: dict[str, OutcomeWord] = {m.id: "skipped" for m in messages if policy.protects(m)}
    n = len(touch)
    things = f"{n} message{'' if n == 1 else 's'}"
    warnings = warnings_about(touch, now, policy, protected=len(protected), unseen=unseen)
    phrase = f"PURGE {n}" if purge else None
    if purge:
        headline = [f"Purge {things} for good?", where]
        consequence = ["This cannot be undone.", f"To agree, type: {phrase}"]
    else:
        headline = [f"Delete {things}?", where]
        consequence = ["They go to Deleted and can be restored."]
    return Draft(
        severity="irreversible" if purge else "reversible",
        question=question(headline, touch, warnings, consequence, zone),
        phrase=phrase,
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
    """Delete targets by their ids, 50 at a time, each batch re-read before and verified after.

    It ends at the first batch that did not go cleanly: what was not reached is `skipped`.
    """
    execution = Execution()
    for start in range(0, len(targets), BATCH):
        batch = targets[start : start + BATCH]
        if execution.problem is not None:
            execution.outcomes |= dict.fromkeys((t.id for t in batch), "skipped")
            continue
        try:
            agreed = await _still_agreed_to(mailbox, batch, purge, stopped, execution)
        except (RingCentralError, Stopped) as error:
            execution.outcomes |= dict.fromkeys((t.id for t in batch), "skipped")
            execution.problem = why(error)
        else:
            if agreed:
                request = partial(_delete, mailbox, [t.id for t in agreed], purge)
                sent = await send_once(mailbox, agreed, request, purge=purge, record=record)
                execution.outcomes |= sent.outcomes
                execution.problem, execution.in_doubt = sent.problem, sent.in_doubt
    return execution


async def _still_agreed_to(
    mailbox: Mailbox, batch: Sequence[Target], purge: bool, stopped: Callable[[], bool], execution: Execution
) -> list[Target]:
    found, errors = await unless_stopped(stopped, partial(mailbox.read, [t.id for t in batch]))
    left_alone = dropped(batch, found, errors, purge=purge)
    execution.outcomes |= left_alone
    if "skipped" in left_alone.values():
        execution.note = "What changed since the person agreed was left alone; call again for a new plan."
    kept = unchanged(batch, found)
    spared = [t.id for t in kept if mailbox.spares(found[t.id], purge=purge)]
    if spared:
        execution.outcomes |= dict.fromkeys(spared, "skipped")
        execution.note = "What the operator's policy does not let go was left alone."
    return [t for t in kept if t.id not in spared]


async def _delete(mailbox: Mailbox, ids: Sequence[str], purge: bool) -> Answered:
    # It names exact ids, so it is narrowed to no type: a type could only make it do less than was agreed.
    answers = await mailbox.client.delete_message(
        ids, purge=purge, account_id=mailbox.account_id, extension_id=mailbox.extension_id
    )
    return Answered(
        confirmed={a.id for a in answers if a.ok},
        refused={a.id for a in answers if a.error is not None and is_over(a.error)},
        problem=next((in_words(a.error) for a in answers if a.error is not None), None),
    )


async def send_once(
    mailbox: Mailbox,
    targets: Sequence[Target],
    request: Callable[[], Awaitable[Answered]],
    *,
    purge: bool,
    record: Record,
) -> Execution:
    """Send one DELETE, once, written down before and after, and see what became of it.

    What is not certain is not written down: those ids stay in doubt, and no second DELETE is sent for them meanwhile.
    A message that reads back as it was is not certain either, unless RingCentral refused: the request may yet arrive.
    """
    ids = [t.id for t in targets]
    try:
        await record.sending({t.id: t.was for t in targets}, "Purged" if purge else "Deleted")
    except GuardError:
        return nothing_sent(ids, _NOT_RECORDED)
    answered = await _sent(ids, request)
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


async def _sent(ids: Sequence[str], request: Callable[[], Awaitable[Answered]]) -> Answered:
    try:
        with at_once():
            return await request()
    except RingCentralError as error:
        refused = ids if is_over(error) else ()
        return Answered(refused=refused, problem=in_words(error), has_left=not never_left(error))


def nothing_sent(ids: Sequence[str], problem: str) -> Execution:
    """None of these was touched."""
    return Execution(dict.fromkeys(ids, "skipped"), problem)


async def _read_back(
    mailbox: Mailbox, ids: Sequence[str], answered: Answered, *, purge: bool
) -> dict[str, OutcomeWord]:
    """What the mailbox says became of these ids; `unknown` for what cannot be read, or may yet change."""
    try:
        found, errors = await mailbox.read(ids)
    except RingCentralError:
        return dict.fromkeys(ids, "unknown")
    return judged(ids, found, errors, purge=purge, confirmed=answered.confirmed, untouched=answered.refused)


def why(error: RingCentralError | GuardError) -> str:
    """What kept something from being done, in words."""
    return in_words(error) if isinstance(error, RingCentralError) else str(error)


def is_over(error: RingCentralError) -> bool:
    """Whether the request surely is not on its way any more."""
    return is_refusal(error) or never_left(error)


def is_refusal(error: RingCentralError) -> bool:
    """Whether RingCentral itself said no. What answers in its place, or too late, says nothing of the request.

    Of a 401, 408, 416 or 5xx nobody knows whose it is: the client gives them one class, whoever sends them.
    """
    return isinstance(error, APIError) and not isinstance(error, Unauthorized | RangeNotSatisfiable | Unavailable)


def never_left(error: RingCentralError) -> bool:
    """Whether the request surely did not reach RingCentral. Of one that did, even a refusal is read back."""
    if isinstance(error, RateLimited):
        return error.held_back
    return isinstance(error, NotSent | InvalidRequest | LoginFailed)
