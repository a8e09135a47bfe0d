"""Deleting or purging conversations up to a fixed time: planned by listing messages, carried out by message id.

RingCentral has an endpoint for whole conversations up to a `dateTo`. It is not used here: it would also delete a
message that arrives late with an earlier creation time and was in no plan, and purge a message that is in Deleted.
Ids name exactly the messages that the user approved, and up to 50 messages take no more requests this way.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar

from rc_mcp.guard.actions.deletion import deletion_draft
from rc_mcp.guard.mailbox import Mailbox, at_most, is_of, sort_out
from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state.plans import MAX_MESSAGES, PlanDraft
from rc_mcp.ringcentral import DeletableType, Message
from rc_mcp.ringcentral.limits import BEGINNING

# RingCentral's mailboxes begin after this; without a date a listing covers only its last 24 hours.


@dataclass(frozen=True, slots=True)
class ConversationDeletion:
    """A request to delete (or purge) the messages of these conversations up to a time."""

    conversation_id: tuple[str, ...]
    date_to: datetime
    date_to_as_asked: str | None
    """The caller's own text, which stays the same when the call is run again; None means now."""
    purge: bool
    message_type: DeletableType

    tool: ClassVar[str] = "delete_message_by_filter"

    @property
    def arguments(self) -> dict[str, object]:
        return {
            "conversation_id": sorted(set(self.conversation_id)),
            "date_to": self.date_to_as_asked,
            "purge": self.purge,
            "type": self.message_type,
        }

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> PlanDraft:
        """Read the conversations up to `date_to`, cut to the second like RingCentral's own filter.

        Raises:
            GuardError: they have more messages than one plan may hold.
            RingCentralError: they cannot be read.
        """
        date_to = min(self.date_to, now).replace(microsecond=0)
        messages: list[Message] = []
        unseen = 0
        for conversation in self._conversations:
            found, unreadable = await self._read(mailbox, conversation, date_to)
            messages += [m for m in found if m.creation_time and m.creation_time < date_to]
            unseen += unreadable + sum(m.creation_time is None for m in found)
            at_most(messages)
        touch, left_out = sort_out(messages, purge=self.purge)
        n = len(self._conversations)
        where = f"In {n} conversation{'' if n == 1 else 's'}."
        policy = mailbox.policy
        return deletion_draft(touch, left_out, policy, purge=self.purge, now=now, zone=zone, where=where, unseen=unseen)

    @property
    def _conversations(self) -> list[str]:
        return list({int(c): c for c in self.conversation_id}.values())  # 7 and 007 are one

    async def _read(self, mailbox: Mailbox, conversation: str, date_to: datetime) -> tuple[list[Message], int]:
        """Read the conversation's messages of the type up to `date_to`, and count those that cannot be read.

        If the API or a proxy ignores `conversationId` and sends other conversations too, they are left out.
        """
        page = await mailbox.client.list_messages(
            conversation_id=conversation,
            date_from=BEGINNING,
            date_to=date_to,
            availability=("Alive", "Deleted"),
            per_page=MAX_MESSAGES + 1,
            **mailbox.names,
        )
        if page.navigation.next_page or (page.paging.total_elements or 0) > MAX_MESSAGES:
            raise GuardError(
                f"Conversation {conversation} has more than {MAX_MESSAGES} messages up to that time, the most that one "
                f"plan may hold. Ask for an earlier date_to. {NOTHING_DONE}"
            )
        listed = [(m, _number(m.conversation_id)) for m in page.records if is_of(m, self.message_type)]
        messages = [message for message, number in listed if number == int(conversation)]
        return messages, page.unreadable + sum(number is None for _, number in listed)


def _number(conversation_id: str | None) -> int | None:
    """Return the id as a number, as 7 and 007 are one conversation; None if RingCentral gave no valid id."""
    return int(conversation_id) if conversation_id and conversation_id.isdecimal() else None
