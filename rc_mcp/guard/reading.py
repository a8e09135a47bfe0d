"""Reading the mailbox for a plan, and again when it is carried out: nothing is assumed, nothing is added."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from rc_mcp.guard.database import NOTHING_DONE, GuardError
from rc_mcp.guard.journal import Was
from rc_mcp.guard.plans import MAX_MESSAGES, Target
from rc_mcp.guard.policy import NO_POLICY, Policy
from rc_mcp.ringcentral import (
    DeletableType,
    Message,
    MessageStoreClient,
    NotFound,
    RingCentralError,
    UnexpectedAnswer,
)
from rc_mcp.views.changes import OutcomeWord


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The one mailbox a plan is about, and what its operator's policy keeps out of reach."""

    client: MessageStoreClient
    account_id: str
    extension_id: str
    policy: Policy = NO_POLICY
    unattended_at: datetime | None = None
    """Set where no person agreed: then nothing is touched but what the policy's rule covers at this moment."""

    def spares(self, message: Message, *, purge: bool) -> bool:
        """Whether this message is left alone whatever was agreed to."""
        at = self.unattended_at
        return self.policy.protects(message) or (at is not None and not self.policy.fits(message, at, purge=purge))

    async def read(self, ids: Sequence[str]) -> tuple[dict[str, Message], dict[str, RingCentralError]]:
        """These messages as they are now; and for each that could not be read, why."""
        outcomes = await self.client.read_messages(ids, account_id=self.account_id, extension_id=self.extension_id)
        found = {o.id: o.message for o in outcomes if o.ok and o.message is not None}
        lost = UnexpectedAnswer("RingCentral did not answer for this message")
        return found, {o.id: o.error or lost for o in outcomes if o.id not in found}


def target(message: Message) -> Target:
    """What of a message has to be the same when the plan is carried out."""
    modified = message.last_modified_time
    return Target(
        id=message.id,
        availability=message.availability or "unknown",
        last_modified=modified.isoformat() if modified else None,
        conversation_id=message.conversation_id,
    )


def sort_out(
    messages: Iterable[Message], *, purge: bool, wanted: Callable[[Message], bool]
) -> tuple[list[Message], dict[str, OutcomeWord]]:
    """Which messages a delete (or purge) would touch, and what becomes of the others.

    A plain delete leaves out what is Deleted already, because RingCentral would purge it.
    """
    touch: list[Message] = []
    left_out: dict[str, OutcomeWord] = {}
    for message in messages:
        if not wanted(message):
            left_out[message.id] = "skipped"
        elif message.availability == "Alive" or (purge and message.availability == "Deleted"):
            touch.append(message)
        else:
            # Deleted or Purged already, or in a state this version does not know: left alone either way.
            known = message.availability in {"Deleted", "Purged"}
            left_out[message.id] = "already" if known else "skipped"
    return touch, left_out


def unchanged(planned: Iterable[Target], found: Mapping[str, Message]) -> list[Target]:
    """The targets that are exactly as they were when the person agreed."""
    return [t for t in planned if t.id in found and target(found[t.id]) == t]


def dropped(
    planned: Iterable[Target],
    found: Mapping[str, Message],
    errors: Mapping[str, RingCentralError],
    *,
    purge: bool,
) -> dict[str, OutcomeWord]:
    """What to say of the targets that `unchanged` left out."""
    done = {"Purged"} if purge else {"Deleted", "Purged"}
    outcomes: dict[str, OutcomeWord] = {}
    for t in planned:
        now = found.get(t.id)
        if now is None:
            outcomes[t.id] = "not_found" if isinstance(errors.get(t.id), NotFound) else "skipped"
        elif target(now) != t:
            outcomes[t.id] = "already" if now.availability in done else "skipped"
    return outcomes


async def still_left_out(
    mailbox: Mailbox, left_out: Mapping[str, OutcomeWord], *, purge: bool
) -> dict[str, OutcomeWord]:
    """What to say, when a plan is carried out, of what it left out: that may have been restored since.

    What cannot be read again was left alone in any case.
    """
    said: dict[str, OutcomeWord] = dict.fromkeys(left_out, "skipped")
    ids = [i for i, word in left_out.items() if word != "skipped"]
    if not ids:
        return said
    with suppress(RingCentralError):
        found, errors = await mailbox.read(ids)
        _, there = sort_out(found.values(), purge=purge, wanted=lambda _: True)
        said |= there
        said |= {i: "not_found" for i in ids if isinstance(errors.get(i), NotFound)}
    return said


def is_of(message: Message, message_type: DeletableType) -> bool:
    """Whether a delete narrowed to this type means this message. `Text` is RingCentral's old word for both kinds."""
    if message_type == "Text":
        return message.type in {"SMS", "Pager", "Text"}
    return message_type in {"All", message.type}


def judged(
    ids: Iterable[str],
    found: Mapping[str, Message],
    errors: Mapping[str, RingCentralError],
    *,
    purge: bool,
    confirmed: Collection[str],
    untouched: Collection[str],
) -> dict[str, OutcomeWord]:
    """What became of ids whose DELETE was sent, by what the mailbox says now: never by what was asked.

    Args:
        confirmed: those that RingCentral said it deleted. Only of these, and only for a purge, does "not found" mean
            gone; else it could come from something between us and the mailbox.
        untouched: those that surely were not deleted in the meantime. A message that is Alive may have been deleted,
            and restored by another app.
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
    """Whether nothing changed this message since. Without a lastModifiedTime that cannot be known."""
    now = target(message).was
    return now == was and now[1] is not None


def restored(ids: Iterable[str], found: Mapping[str, Message]) -> dict[str, OutcomeWord]:
    """What became of Deleted ids that were to be restored, by what the mailbox says now."""
    words: dict[str | None, OutcomeWord] = {"Alive": "restored", "Deleted": "failed", "Purged": "purged"}
    return {i: words.get(found[i].availability, "unknown") if i in found else "unknown" for i in ids}


def at_most(messages: Sequence[Message]) -> None:
    """Raises `GuardError` for more messages than a person can be said to have agreed to."""
    if len(messages) > MAX_MESSAGES:
        raise GuardError(
            f"That is more than {MAX_MESSAGES} messages, the most one plan may hold. "
            f"Ask for fewer ids, or for an earlier date_to. {NOTHING_DONE}"
        )
