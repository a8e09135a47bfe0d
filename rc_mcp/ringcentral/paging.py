"""Pages through all messages of a time frame, newest first, while messages arrive and are removed.

Each arrival or removal shifts page numbers, which then skip or repeat messages. So each page requests messages that are
as old as the oldest message of the page before, or older: arrivals and removals do not change that time. The second
around it is requested twice, because times have no milliseconds, and it is not documented whether `dateTo` is truncated
or inclusive. Repeated messages are recognized by id.

Page numbers are used only in a second with more messages than one page can have. Each of these pages has a different
size, so that it begins before the end of the page before. A message on both pages proves that none was missed between
them, because the order of messages does not change. If none is on both, because the overlapping messages were removed,
that second is read again from its start.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from rc_mcp.ringcentral.errors import UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.models import Message

_SECOND = timedelta(seconds=1)
_SETBACKS = 10
"""The number of pages of one second without new messages, or without overlap, before the listing fails."""


@dataclass(frozen=True)
class PageRequest:
    """The position of a page: up to `per_page` messages created up to `date_to` (now if None)."""

    date_to: datetime | None
    per_page: int
    page: int = 1


@dataclass(frozen=True)
class Page:
    """Messages in the order sent, and whether older ones exist."""

    records: Sequence[Message]
    more: bool


async def new_on_each_page(
    fetch: Callable[[PageRequest], Awaitable[Page]], start: PageRequest, *, distinct_conversations: bool = False
) -> AsyncGenerator[list[Message]]:
    """Yield the messages of each page that were on no page before.

    Memory holds one page and the ids of the last seconds. With `distinct_conversations` it holds the ids of all
    conversations so far, because an older page has an older message of each.

    Raises:
        UnexpectedAnswer: a page is not sorted newest first, so that messages could be missed; or too many further pages
            of one second show no progress, so that the listing might never end.
    """
    place: PageRequest | None = start
    known: dict[str, datetime | None] = {}
    walked: set[str] = set()
    page_before: set[str] = set()
    setbacks = 0
    while place:
        page = await fetch(place)
        created = [message.creation_time for message in page.records]
        ids = {message.id for message in page.records}
        new: list[Message] = []
        for at, message in zip(created, page.records, strict=True):
            key = message.conversation_id or message.id if distinct_conversations else message.id
            if key not in known:
                known[key] = at
                new.append(message)
        yield new
        until = _end_of_oldest(created)
        is_cut_off = place.page > 1 and page_before.isdisjoint(ids)
        if is_cut_off or (place.page > 1 and page.more and walked.issuperset(ids)):
            setbacks += 1
            if setbacks == _SETBACKS:
                raise UnexpectedAnswer(f"{_SETBACKS} pages of one second showed no progress; the listing was stopped")
        walked, page_before = (walked | ids if place.page > 1 else ids), ids
        if is_cut_off:
            place = replace(place, page=1, per_page=LIMITS.records_per_page)
        else:
            place = _following(place, page, until, start.per_page)
            setbacks = setbacks if place and place.page > 1 else 0
        if place and not distinct_conversations:
            known = {key: created for key, created in known.items() if _may_come_again(created, place)}


def _following(place: PageRequest, page: Page, until: datetime | None, per_page: int) -> PageRequest | None:
    """Return the next place; None at the end."""
    if not page.more:
        return None
    if until is not None and (place.date_to is None or until < place.date_to):
        return PageRequest(until, per_page)
    if place.per_page < LIMITS.records_per_page and place.page == 1:
        return replace(place, per_page=LIMITS.records_per_page)
    return _overlapping(place)


def _overlapping(place: PageRequest) -> PageRequest:
    """Return the page that begins before the end of this one, and ends latest."""
    end = place.page * place.per_page
    size = max(range(2, LIMITS.records_per_page + 1), key=lambda size: (size - end % size) if end % size else 0)
    return replace(place, page=end // size + 1, per_page=size)


def _end_of_oldest(times: Sequence[datetime | None]) -> datetime | None:
    """Return the end of the second of the oldest message, from the times of a page's messages."""
    created = [at for at in times if at]
    if any(later < earlier for later, earlier in pairwise(created)):
        raise UnexpectedAnswer("RingCentral's messages are not sorted newest first: older ones could be missed")
    return created[-1] + _SECOND if created else None


def _may_come_again(created: datetime | None, place: PageRequest) -> bool:
    return created is None or place.date_to is None or created <= place.date_to + _SECOND
