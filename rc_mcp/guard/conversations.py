"""Deleting or purging conversations up to a fixed time, so that whatever arrives later survives.

A conversation goes through RingCentral's own endpoint only while it holds exactly what the person agreed to.
The endpoint takes everything up to `dateTo`: a message restored since, or one that lies in Deleted and would
be purged, would be caught too. Such a conversation is deleted message by message instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from rc_mcp.guard.deletion import Execution, delete_by_id, deletion_draft, read_back
from rc_mcp.guard.plans import MAX_MESSAGES, Draft, Target
from rc_mcp.guard.reading import GuardError, Mailbox, at_most, sort_out, target
from rc_mcp.ringcentral import DeletableType, Message, RingCentralError
from rc_mcp.views.changes import OutcomeWord
from rc_mcp.views.errors import in_words

# RingCentral's mailboxes begin after this; without a date a listing covers only its last 24 hours.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ConversationDeletion:
    """A request to delete (or purge) the messages of these conversations up to a time."""

    conversation_id: tuple[str, ...]
    date_to: datetime
    date_to_as_asked: str | None
    """The caller's own words, which stay the same when the call is run again; None means now."""
    purge: bool
    message_type: DeletableType

    tool: ClassVar[str] = "delete_message_by_filter"

    @property
    def arguments(self) -> dict[str, object]:
        """What a plan for this request is bound to."""
        return {
            "conversation_id": sorted(set(self.conversation_id)),
            "date_to": self.date_to_as_asked,
            "purge": self.purge,
            "type": self.message_type,
        }

    async def draft(self, mailbox: Mailbox, now: datetime) -> Draft:
        """Read the conversations up to `date_to`, cut to the second as RingCentral's own filter is.

        Raises:
            GuardError: they hold more messages than one plan may.
            RingCentralError: they could not be read.
        """
        date_to = min(self.date_to, now).replace(microsecond=0)
        messages: list[Message] = []
        for conversation in dict.fromkeys(self.conversation_id):
            held = await self._read(mailbox, conversation, date_to)
            messages += [m for m in held if m.creation_time and m.creation_time < date_to]
            at_most(messages)
        touch, left_out = sort_out(messages, purge=self.purge, wanted=lambda _: True)
        draft = deletion_draft("message of conversations", touch, left_out, purge=self.purge, now=now)
        return replace(draft, date_to=date_to)

    async def carry_out(self, mailbox: Mailbox, draft: Draft, stopped: Callable[[], bool]) -> Execution:
        """Delete what the plan names and is still as it was; never raises for what RingCentral does."""
        date_to = draft.date_to or _BEGINNING
        if stopped():
            return _nothing_sent(draft.targets, "A person stopped it (the STOP file).")
        try:
            exact = [c for c in dict.fromkeys(self.conversation_id) if await self._is_exact(mailbox, c, draft, date_to)]
        except RingCentralError as error:
            return _nothing_sent(draft.targets, in_words(error))
        except GuardError as error:
            return _nothing_sent(draft.targets, str(error))
        whole = [t for t in draft.targets if t.conversation_id in exact]
        execution = await self._delete_whole(mailbox, exact, whole, date_to) if whole else Execution({})
        rest = [t for t in draft.targets if t.conversation_id not in exact]
        if execution.problem is None:
            by_id = await delete_by_id(mailbox, rest, purge=self.purge, message_type=self.message_type, stopped=stopped)
        else:
            by_id = _nothing_sent(rest, execution.problem)
        return Execution(execution.outcomes | by_id.outcomes, execution.problem or by_id.problem)

    async def _is_exact(self, mailbox: Mailbox, conversation: str, draft: Draft, date_to: datetime) -> bool:
        planned = {t for t in draft.targets if t.conversation_id == conversation}
        held = {target(m) for m in await self._read(mailbox, conversation, date_to)}
        return bool(planned) and held == planned

    async def _delete_whole(
        self, mailbox: Mailbox, conversations: Sequence[str], targets: Sequence[Target], date_to: datetime
    ) -> Execution:
        problem: str | None = None
        try:
            await mailbox.client.delete_message_by_filter(
                conversations,
                date_to=date_to,
                message_type=self.message_type,
                purge=self.purge,
                account_id=mailbox.account_id,
                extension_id=mailbox.extension_id,
            )
        except RingCentralError as error:
            problem = in_words(error)
        return Execution(await read_back(mailbox, [t.id for t in targets], purge=self.purge), problem)

    async def _read(self, mailbox: Mailbox, conversation: str, date_to: datetime) -> list[Message]:
        """All that the endpoint would reach: Alive and Deleted, before `date_to`, of the type asked for."""
        page = await mailbox.client.list_messages(
            conversation_id=conversation,
            date_from=_BEGINNING,
            date_to=date_to,
            availability=("Alive", "Deleted"),
            per_page=MAX_MESSAGES + 1,
            account_id=mailbox.account_id,
            extension_id=mailbox.extension_id,
        )
        if page.navigation.next_page or len(page.records) < (page.paging.total_elements or 0):
            raise GuardError(
                f"Conversation {conversation} holds more than {MAX_MESSAGES} messages up to then, or some that "
                "cannot be read. Ask for an earlier date_to. Nothing was deleted or changed."
            )
        return [m for m in page.records if self.message_type in {"All", m.type}]


def _nothing_sent(targets: Sequence[Target], problem: str) -> Execution:
    skipped: dict[str, OutcomeWord] = dict.fromkeys((t.id for t in targets), "skipped")
    return Execution(skipped, problem)
