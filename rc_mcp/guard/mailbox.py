"""Reading the mailbox for a plan, and again when it is carried out, without adding targets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from rc_mcp.guard.policy.rules import NO_POLICY, Policy
from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state.journal import Was
from rc_mcp.guard.state.plans import MAX_MESSAGES, Target
from rc_mcp.ringcentral import (
    DeletableType,
    Forbidden,
    InvalidRequest,
    Message,
    MessageStoreClient,
    NotFound,
    NotSent,
    RateLimited,
    RingCentralError,
    Unauthorized,
    UnexpectedAnswer,
)
from rc_mcp.views.changes import OutcomeWord

_NOT_ABOUT_IT = (Forbidden, InvalidRequest, NotSent, RateLimited, Unauthorized)
"""Errors of a read that say nothing about the message."""


class MailboxNames(TypedDict):
    account_id: str
    extension_id: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mailbox of a plan, and the operator's policy for it."""

    client: MessageStoreClient
    account_id: str
    extension_id: str
    policy: Policy = NO_POLICY
    unattended_at: datetime | None = None
    """Set if the user was not asked: then only messages that the unattended rule covers at this time are deleted."""

    @property
    def names(self) -> MailboxNames:
        """Return the mailbox as the client's methods take it."""
        return {"account_id": self.account_id, "extension_id": self.extension_id}

    def spares(self, message: Message, *, purge: bool) -> bool:
        """Return whether the policy keeps this message, whatever was approved."""
        at = self.unattended_at
        return self.policy.protects(message) or (at is not None and not self.policy.fits(message, at, purge=purge))

    async def read(self, ids: Sequence[str]) -> tuple[dict[str, Message], dict[str, RingCentralError]]:
        """Read these messages, and return an error for each that could not be read."""
        if len(ids) == 1:
            try:
                return {ids[0]: await self.client.read_message(ids[0], **self.names)}, {}
            except _NOT_ABOUT_IT:
                raise
            except RingCentralError as error:
                return {}, {ids[0]: error}
        outcomes = await self.client.read_messages(ids, **self.names)
        found = {o.id: o.message for o in outcomes if o.ok and o.message is not None}
        lost = UnexpectedAnswer("RingCentral did not answer for this message")
        return found, {o.id: o.error or lost for o in outcomes if o.id not in found}


def target(message: Message) -> Target:
    """Return the parts of a message that must be the same when the plan is carried out."""
    modified = message.last_modified_time
    return Target(
        id=message.id,
        availability=message.availability or "unknown",
        last_modified=modified.isoformat() if modified else None,
        conversation_id=message.conversation_id,
    )


def sort_out(
    messages: Iterable[Message], *, purge: bool, message_type: DeletableType = "All"
) -> tuple[list[Message], dict[str, OutcomeWord]]:
    """Return the messages that a delete (or purge) would change, and outcomes for the others.

    A plain delete leaves out messages that are already Deleted, because RingCentral would purge them.
    """
    touch: list[Message] = []
    left_out: dict[str, OutcomeWord] = {}
    for message in messages:
        if not is_of(message, message_type):
            left_out[message.id] = "skipped"
        elif message.availability == "Alive" or (purge and message.availability == "Deleted"):
            touch.append(message)
        else:
            # Already Deleted or Purged, or in a state that this version does not know.
            known = message.availability in {"Deleted", "Purged"}
            left_out[message.id] = "already" if known else "skipped"
    return touch, left_out


def unchanged(
    planned: Iterable[Target],
    found: Mapping[str, Message],
    errors: Mapping[str, RingCentralError],
    *,
    purge: bool,
) -> tuple[list[Target], dict[str, OutcomeWord]]:
    """Return the targets that are exactly as they were in the approved plan, and outcomes for the others."""
    done = {"Purged"} if purge else {"Deleted", "Purged"}
    same: list[Target] = []
    outcomes: dict[str, OutcomeWord] = {}
    for t in planned:
        now = found.get(t.id)
        if now is None:
            outcomes[t.id] = "not_found" if isinstance(errors.get(t.id), NotFound) else "skipped"
        elif target(now) == t:
            same.append(t)
        else:
            outcomes[t.id] = "already" if now.availability in done else "skipped"
    return same, outcomes


async def still_left_out(
    mailbox: Mailbox, left_out: Mapping[str, OutcomeWord], *, purge: bool
) -> dict[str, OutcomeWord]:
    """Return the current outcomes of the messages that a plan left out, as they may have changed since.

    A message that cannot be read again is `skipped`: it was not deleted in any case.
    """
    said: dict[str, OutcomeWord] = dict.fromkeys(left_out, "skipped")
    ids = [i for i, word in left_out.items() if word != "skipped"]
    if not ids:
        return said
    with suppress(RingCentralError):
        found, errors = await mailbox.read(ids)
        _, there = sort_out(found.values(), purge=purge)
        said |= there
        said |= {i: "not_found" for i in ids if isinstance(errors.get(i), NotFound)}
    return said


def is_of(message: Message, message_type: DeletableType) -> bool:
    """Return whether a message is of this type. `Text` is RingCentral's old name for both SMS and pager messages."""
    if message_type == "Text":
        return message.type in {"SMS", "Pager", "Text"}
    return message_type in {"All", message.type}


def after_delete(
    ids: Iterable[str],
    found: Mapping[str, Message],
    errors: Mapping[str, RingCentralError],
    *,
    purge: bool,
    confirmed: Collection[str],
    untouched: Collection[str],
) -> dict[str, OutcomeWord]:
    """Return the outcomes of ids whose DELETE was sent, only from the mailbox's current state.

    Args:
        confirmed: ids that RingCentral said it deleted. Only for these, and only in a purge, does "not found" mean
            purged; otherwise a gateway may have sent it.
        untouched: ids that certainly were not deleted in the meantime. Another app may have restored a message that is
            Alive now.
    """
    gone = {i for i in confirmed if purge and isinstance(errors.get(i), NotFound)}
    done: dict[str | None, OutcomeWord] = {"Purged": "purged"} if purge else {"Purged": "purged", "Deleted": "deleted"}
    outcomes: dict[str, OutcomeWord] = {}
    for i in ids:
        if i not in found:
            outcomes[i] = "purged" if i in gone else "unknown"
        else:
            outcomes[i] = done.get(found[i].availability, "failed" if i in untouched else "unknown")
    return outcomes


def is_as_it_was(message: Message, was: Was | None) -> bool:
    """Return whether this message is unchanged since. Without a lastModifiedTime the answer is no."""
    now = target(message).was
    return now == was and now[1] is not None


def after_restore(ids: Iterable[str], found: Mapping[str, Message]) -> dict[str, OutcomeWord]:
    """Return the outcomes of a restore of Deleted ids, from the mailbox's current state."""
    words: dict[str | None, OutcomeWord] = {"Alive": "restored", "Deleted": "failed", "Purged": "purged"}
    return {i: words.get(found[i].availability, "unknown") if i in found else "unknown" for i in ids}


def at_most(messages: Sequence[Message]) -> None:
    """Raise `GuardError` for more messages than one plan may hold."""
    if len(messages) > MAX_MESSAGES:
        raise GuardError(
            f"The request has more than {MAX_MESSAGES} messages, the most that one plan may hold. "
            f"Ask for fewer ids, or for an earlier date_to. {NOTHING_DONE}"
        )
