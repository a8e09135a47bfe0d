"""Deleting or purging conversations up to a fixed time, so that whatever arrives later survives.

A conversation goes through RingCentral's own endpoint only while it holds exactly what the person agreed to.
The endpoint takes everything up to `dateTo`, cut to the second: a message restored since, one that lies in Deleted
and would be purged, or one that arrives in the same second as the last, would be caught too. Such a conversation is
deleted message by message instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ClassVar

from rc_mcp.guard.database import NOTHING_DONE, GuardError
from rc_mcp.guard.deletion import (
    Answered,
    Execution,
    delete_by_id,
    deletion_draft,
    nothing_sent,
    send_once,
    told_by,
    why,
)
from rc_mcp.guard.journal import Record
from rc_mcp.guard.plans import MAX_MESSAGES, Draft
from rc_mcp.guard.reading import Mailbox, at_most, is_of, sort_out, target
from rc_mcp.guard.stopping import unless_stopped
from rc_mcp.ringcentral import DeletableType, Message, RingCentralError

# RingCentral's mailboxes begin after this; without a date a listing covers only its last 24 hours.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

# By how much our clock may be ahead of RingCentral's. What is younger may have come in the second that still lasts.
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Held:
    """What a conversation holds.

    Attributes:
        unseen: how many more were listed that cannot be read.
        is_all: nothing else is there, by RingCentral's own count.
    """

    messages: list[Message]
    unseen: int
    is_all: bool


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
        unseen = 0
        for conversation in self._conversations:
            held = await self._read(mailbox, conversation, date_to)
            messages += [m for m in held.messages if m.creation_time and m.creation_time < date_to]
            unseen += held.unseen + sum(m.creation_time is None for m in held.messages)
            at_most(messages)
        touch, left_out = sort_out(messages, purge=self.purge, wanted=lambda _: True)
        n = len(self._conversations)
        where = f"In {n} conversation{'' if n == 1 else 's'}."
        policy = mailbox.policy
        draft = deletion_draft(touch, left_out, policy, purge=self.purge, now=now, where=where, unseen=unseen)
        return replace(draft, date_to=_just_after(touch, date_to, now))

    async def carry_out(self, mailbox: Mailbox, draft: Draft, stopped: Callable[[], bool], record: Record) -> Execution:
        """Delete what the plan names and is still as it was; never raises for what RingCentral does."""
        ids = [t.id for t in draft.targets]
        try:
            whole = await unless_stopped(stopped, partial(self._exact, mailbox, draft))
        except (RingCentralError, GuardError) as error:
            return nothing_sent(ids, why(error))
        through = [t.id for t in draft.targets if t.conversation_id in whole]
        one_by_one = [t for t in draft.targets if t.conversation_id not in whole]
        first = Execution()
        if through:
            request = partial(self._delete_whole, mailbox, whole, draft)
            first = await send_once(mailbox, through, request, purge=self.purge, record=record)
        if first.problem is not None:
            rest = nothing_sent([t.id for t in one_by_one], first.problem)
        else:
            rest = await delete_by_id(mailbox, one_by_one, purge=self.purge, stopped=stopped, record=record)
        return Execution(
            first.outcomes | rest.outcomes,
            first.problem or rest.problem,
            rest.note,
            in_doubt=first.in_doubt or rest.in_doubt,
        )

    @property
    def _conversations(self) -> list[str]:
        return list({int(c): c for c in self.conversation_id}.values())  # 7 and 007 are one

    async def _exact(self, mailbox: Mailbox, draft: Draft) -> list[str]:
        return [c for c in self._conversations if await self._is_exact(mailbox, c, draft)]

    async def _is_exact(self, mailbox: Mailbox, conversation: str, draft: Draft) -> bool:
        """Whether the endpoint would take just what was agreed: nothing more, and nothing that cannot be seen.

        What RingCentral takes `type=Text` to mean is not known, so that never goes through it.
        """
        if draft.date_to is None or self.message_type == "Text":
            return False
        planned = {t for t in draft.targets if t.conversation_id == conversation}
        held = await self._read(mailbox, conversation, draft.date_to)
        is_same = held.is_all and {target(m) for m in held.messages} == planned
        return bool(planned) and is_same and not any(mailbox.spares(m, purge=self.purge) for m in held.messages)

    async def _delete_whole(self, mailbox: Mailbox, conversations: Sequence[str], draft: Draft) -> Answered:
        answers = await mailbox.client.delete_message_by_filter(
            conversations,
            date_to=draft.date_to or _BEGINNING,
            message_type=self.message_type,
            purge=self.purge,
            account_id=mailbox.account_id,
            extension_id=mailbox.extension_id,
        )
        return told_by(answers, {c: [t.id for t in draft.targets if t.conversation_id == c] for c in conversations})

    async def _read(self, mailbox: Mailbox, conversation: str, date_to: datetime) -> _Held:
        """What the endpoint would reach: Alive and Deleted, up to `date_to`, of the type.

        Raises:
            GuardError: it is more than one plan may hold.
        """
        page = await mailbox.client.list_messages(
            conversation_id=conversation,
            date_from=_BEGINNING,
            date_to=date_to,
            availability=("Alive", "Deleted"),
            per_page=MAX_MESSAGES + 1,
            account_id=mailbox.account_id,
            extension_id=mailbox.extension_id,
        )
        if page.navigation.next_page or (page.paging.total_elements or 0) > MAX_MESSAGES:
            raise GuardError(
                f"Conversation {conversation} holds more than {MAX_MESSAGES} messages up to then, the most one plan "
                f"may hold. Ask for an earlier date_to. {NOTHING_DONE}"
            )
        is_all = page.paging.total_elements == len(page.records) and not page.unreadable
        return _Held([m for m in page.records if is_of(m, self.message_type)], page.unreadable, is_all=is_all)


def _just_after(messages: Sequence[Message], date_to: datetime, now: datetime) -> datetime | None:
    """The first whole second after the newest of these, if that is before `date_to`; None if it may not be over yet.

    Up to there only what was agreed can lie; what arrives from now on is later.
    """
    newest = max((m.creation_time for m in messages if m.creation_time), default=date_to)
    if newest > now - _CLOCKS_DIFFER:
        return None
    return min(date_to, newest.replace(microsecond=0) + timedelta(seconds=1))
