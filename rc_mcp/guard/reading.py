"""Reading the mailbox for a plan, and again when it is carried out: nothing is assumed, nothing is added."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rc_mcp.guard.plans import MAX_MESSAGES, Target
from rc_mcp.ringcentral import Message, MessageStoreClient, NotFound, RingCentralError, UnexpectedAnswer
from rc_mcp.views.changes import OutcomeWord


class GuardError(Exception):
    """A request the guard will not plan. Its text says why, and what to ask for instead."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The one mailbox a plan is about."""

    client: MessageStoreClient
    account_id: str
    extension_id: str

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


def judged(
    ids: Iterable[str], found: Mapping[str, Message], errors: Mapping[str, RingCentralError], *, purge: bool
) -> dict[str, OutcomeWord]:
    """What became of deleted ids, by what the mailbox says now: never by what was asked."""
    return {i: _judge(found.get(i), errors.get(i), purge) for i in ids}


def at_most(messages: Sequence[Message]) -> None:
    """Raises `GuardError` for more messages than a person can be said to have agreed to."""
    if len(messages) > MAX_MESSAGES:
        raise GuardError(
            f"That is more than {MAX_MESSAGES} messages, the most one plan may hold. "
            "Ask for fewer ids, or for an earlier date_to. Nothing was deleted."
        )


def _judge(message: Message | None, error: RingCentralError | None, purge: bool) -> OutcomeWord:
    if message is None:
        if isinstance(error, NotFound):
            return "purged" if purge else "not_found"
        return "unknown"
    if message.availability == "Purged":
        return "purged"
    if message.availability == "Deleted":
        return "failed" if purge else "deleted"
    return "failed" if message.availability == "Alive" else "unknown"
