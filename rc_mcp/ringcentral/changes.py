"""What changed in a mailbox since a sync token was given, or all of it where there is none that is still good."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from rc_mcp.ringcentral.errors import UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.models import Message, MessageSync
from rc_mcp.ringcentral.paging import Page, Place, new_on_each_page

_REMOVED = ("Deleted", "Purged")


@dataclass(frozen=True)
class Changes:
    """The messages of a sync.

    Attributes:
        messages: newest first, each once. Put them over what you have by their id: those of the last 5 seconds before
            the token was given may come again.
        removed: ids that are not Alive any more, each with its availability now: Deleted or Purged.
        sync_token: for the next call. Keep it once you have kept the rest.
        is_full: these are all Alive messages there are in the frame, and `removed` is empty: drop what is not here.
        unreadable: how many messages, at most, were sent and cannot be read. They will not be sent again. 0 as a rule.
    """

    messages: list[Message]
    removed: dict[str, str]
    sync_token: str = field(repr=False)
    is_full: bool
    unreadable: int = 0


def changes_of(sync: MessageSync) -> Changes:
    """The changes that an ISync answered with.

    Its `olderRecordsExist` is about the frame, of which the token's owner has the older part.
    """
    return _changes(sync.records, sync, is_full=False, unreadable=sync.unreadable)


async def full_sync(
    send: Callable[[datetime | None, int], Awaitable[MessageSync]],
    date_to: datetime | None,
    record_count: int,
    *,
    distinct_conversations: bool,
) -> Changes:
    """FSyncs from the end of the frame to its beginning.

    The token is the first one's: what happens while the others are on their way is a change since then.

    Raises:
        UnexpectedAnswer: also when a second holds more messages than one FSync gives.
    """
    syncs: list[MessageSync] = []

    async def fetch(place: Place) -> Page:
        if place.page > 1:
            raise UnexpectedAnswer(
                f"More messages than an FSync gives ({LIMITS.records_per_page:,}) came in the same second"
            )
        sync = await send(place.date_to, place.per_page)
        syncs.append(sync)
        return Page(sync.records, more=bool(sync.sync_info.older_records_exist))

    pages = new_on_each_page(fetch, Place(date_to, record_count), distinct_conversations=distinct_conversations)
    messages = [message async for page in pages for message in page]
    unreadable = sum(sync.unreadable for sync in syncs)
    return _changes(messages, syncs[0], is_full=True, unreadable=unreadable)


def _changes(records: Iterable[Message], sync: MessageSync, *, is_full: bool, unreadable: int) -> Changes:
    token = sync.sync_info.sync_token or ""  # the client takes no sync without one
    current = {message.id: message for message in records}
    removed = {id_: str(message.availability) for id_, message in current.items() if message.availability in _REMOVED}
    messages = [message for id_, message in current.items() if id_ not in removed]
    return Changes(messages, removed, token, is_full, unreadable)
