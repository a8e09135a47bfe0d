"""Syncs a mailbox: the changes since a sync token, or all messages without a valid token."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from rc_mcp.ringcentral.errors import UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.models import Message, MessageSync
from rc_mcp.ringcentral.paging import Page, PageRequest, new_on_each_page

_REMOVED = ("Deleted", "Purged")


@dataclass(frozen=True)
class Changes:
    """The messages of a sync.

    Attributes:
        messages: newest first, each once. Replace your copies by id: messages from the 5 seconds before the token was
            issued may be repeated.
        removed: ids of messages that are no longer Alive, each with its availability: Deleted or Purged.
        sync_token: for the next call. Store it after you have stored the rest.
        is_full: `messages` has all Alive messages of the frame, and `removed` is empty. Drop all messages not listed.
        unreadable: upper bound of messages that were sent but cannot be read. They are not sent again. Usually 0.
    """

    messages: list[Message]
    removed: dict[str, str]
    sync_token: str = field(repr=False)
    is_full: bool
    unreadable: int = 0


def changes_of(sync: MessageSync) -> Changes:
    """Return the changes in an ISync's answer.

    Its `olderRecordsExist` is ignored: it concerns older messages of the frame, which the token's owner already has.
    """
    return _changes(sync.records, sync, is_full=False, unreadable=sync.unreadable)


async def full_sync(
    send: Callable[[datetime | None, int], Awaitable[MessageSync]],
    date_to: datetime | None,
    record_count: int,
    *,
    distinct_conversations: bool,
) -> Changes:
    """Repeat FSyncs from the end of the frame to its beginning.

    It returns the token of the first FSync, so that the next sync reports changes made during the later ones.

    Raises:
        UnexpectedAnswer: among other causes, one second has more messages than one FSync returns.
    """
    syncs: list[MessageSync] = []

    async def fetch(place: PageRequest) -> Page:
        if place.page > 1:
            raise UnexpectedAnswer(f"One second has more messages than an FSync returns ({LIMITS.records_per_page:,})")
        sync = await send(place.date_to, place.per_page)
        syncs.append(sync)
        return Page(sync.records, more=bool(sync.sync_info.older_records_exist))

    pages = new_on_each_page(fetch, PageRequest(date_to, record_count), distinct_conversations=distinct_conversations)
    messages = [message async for page in pages for message in page]
    unreadable = sum(sync.unreadable for sync in syncs)
    return _changes(messages, syncs[0], is_full=True, unreadable=unreadable)


def _changes(records: Iterable[Message], sync: MessageSync, *, is_full: bool, unreadable: int) -> Changes:
    token = sync.sync_info.sync_token or ""  # the client rejects a sync without one
    current = {message.id: message for message in records}
    removed = {id_: str(message.availability) for id_, message in current.items() if message.availability in _REMOVED}
    messages = [message for id_, message in current.items() if id_ not in removed]
    return Changes(messages, removed, token, is_full, unreadable)
