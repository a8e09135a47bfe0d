"""Deleting or purging messages by id: planned by reading, carried out in batches, verified by reading again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rc_mcp.guard.plans import Draft, Target
from rc_mcp.guard.preview import preview_of, question
from rc_mcp.guard.reading import Mailbox, at_most, dropped, judged, sort_out, target, unchanged
from rc_mcp.ringcentral import (
    APIError,
    DeletableType,
    InvalidRequest,
    LoginFailed,
    Message,
    NotFound,
    NotSent,
    RingCentralError,
    Unavailable,
)
from rc_mcp.views.changes import OutcomeWord, Status
from rc_mcp.views.errors import in_words

BATCH = 50
"""Ids in the path of one request (RingCentral's limit, CMN-106)."""


@dataclass(slots=True)
class Execution:
    """What became of a plan so far, and the first thing that went wrong."""

    outcomes: dict[str, OutcomeWord]
    problem: str | None = None
    status: Status | None = None
    """Only where no message ids tell it: for a retention change."""


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

    async def draft(self, mailbox: Mailbox, now: datetime) -> Draft:
        """Read the messages and say what would become of each.

        Raises:
            RingCentralError: a message could not be read, other than because it does not exist.
        """
        found, errors = await mailbox.read(self.message_id)
        for error in errors.values():
            if not isinstance(error, NotFound):
                raise error
        missing: dict[str, OutcomeWord] = dict.fromkeys(errors, "not_found")
        touch, left_out = sort_out(
            found.values(), purge=self.purge, wanted=lambda m: self.message_type in {"All", m.type}
        )
        at_most(touch)
        return deletion_draft("message", touch, missing | left_out, purge=self.purge, now=now)

    async def carry_out(self, mailbox: Mailbox, draft: Draft, stopped: Callable[[], bool]) -> Execution:
        """Delete what the plan names and is still as it was; never raises for what RingCentral does."""
        return await delete_by_id(
            mailbox, draft.targets, purge=self.purge, message_type=self.message_type, stopped=stopped
        )


def deletion_draft(
    noun: str, touch: Sequence[Message], left_out: dict[str, OutcomeWord], *, purge: bool, now: datetime
) -> Draft:
    """The draft for deleting these messages: the question, and how a yes has to be given."""
    n = len(touch)
    things = f"{n} {noun}{'' if n == 1 else 's'}"
    preview = preview_of("purge" if purge else "delete", touch, now)
    phrase = f"PURGE {n}" if purge else None
    if purge:
        headline = f"Purge {things} for good?"
        consequence = f"This cannot be undone: messages and attachments are erased. To agree, type: {phrase}"
    else:
        headline = f"Delete {things}?"
        consequence = "They move to Deleted, from where they can be restored."
    return Draft(
        severity="irreversible" if purge else "reversible",
        question=question(headline, preview, consequence),
        phrase=phrase,
        preview=preview,
        targets=tuple(target(m) for m in touch),
        left_out=left_out,
    )


async def delete_by_id(
    mailbox: Mailbox,
    targets: Sequence[Target],
    *,
    purge: bool,
    message_type: DeletableType,
    stopped: Callable[[], bool],
) -> Execution:
    """Delete targets by their ids, 50 at a time, each batch re-read before and verified after.

    It ends at the first batch that did not go cleanly: what was not reached is `skipped`.
    """
    execution = Execution({})
    for start in range(0, len(targets), BATCH):
        batch = targets[start : start + BATCH]
        if execution.problem is None and stopped():
            execution.problem = "A person stopped it (the STOP file)."
        if execution.problem is not None:
            execution.outcomes |= dict.fromkeys((t.id for t in batch), "skipped")
        else:
            await _delete_batch(mailbox, batch, purge, message_type, execution)
    return execution


async def _delete_batch(
    mailbox: Mailbox, batch: Sequence[Target], purge: bool, message_type: DeletableType, execution: Execution
) -> None:
    try:
        found, errors = await mailbox.read([t.id for t in batch])
    except RingCentralError as error:
        execution.outcomes |= dict.fromkeys((t.id for t in batch), "skipped")
        execution.problem = in_words(error)
        return
    execution.outcomes |= dropped(batch, found, errors, purge=purge)
    ids = [t.id for t in unchanged(batch, found)]
    if ids:
        refused = await _send(mailbox, ids, purge, message_type, execution)
        execution.outcomes |= dict.fromkeys(refused, "failed")
        execution.outcomes |= await read_back(mailbox, [i for i in ids if i not in refused], purge=purge)


async def _send(
    mailbox: Mailbox, ids: Sequence[str], purge: bool, message_type: DeletableType, execution: Execution
) -> set[str]:
    """Send one DELETE, once. Returns the ids that RingCentral surely did not act on."""
    try:
        outcomes = await mailbox.client.delete_message(
            ids,
            purge=purge,
            message_type=message_type,
            account_id=mailbox.account_id,
            extension_id=mailbox.extension_id,
        )
    except RingCentralError as error:
        execution.problem = in_words(error)
        return set(ids) if surely_not_done(error) else set()
    errors = {o.id: o.error for o in outcomes if o.error is not None}
    if errors:
        execution.problem = in_words(next(iter(errors.values())))
    # A 404 for one id is the mailbox's word on that id, which the read-back will repeat.
    return {i for i, e in errors.items() if surely_not_done(e) and not isinstance(e, NotFound)}


async def read_back(mailbox: Mailbox, ids: Sequence[str], *, purge: bool) -> dict[str, OutcomeWord]:
    """What the mailbox says became of these ids; `unknown` for what cannot be read."""
    if not ids:
        return {}
    try:
        found, errors = await mailbox.read(ids)
    except RingCentralError:
        return dict.fromkeys(ids, "unknown")
    return judged(ids, found, errors, purge=purge)


def surely_not_done(error: RingCentralError) -> bool:
    """Whether RingCentral surely did not act: it was not sent, or it was refused (4xx, among them 429)."""
    if isinstance(error, NotSent | InvalidRequest | LoginFailed):
        return True
    return isinstance(error, APIError) and not isinstance(error, Unavailable)
