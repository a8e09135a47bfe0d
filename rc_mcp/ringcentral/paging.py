"""All messages of a window, newest first, while others arrive and leave.

Page numbers shift with every message that comes or goes, and then skip some or repeat some. So each page asks for what
is as old as the oldest message of the page before, or older: where that stands, no arrival and no removal moves. The
second around it is asked for twice, since times are shown to the second and nobody says whether `dateTo` is cut to it
or includes it; what was seen there is known by its id.

Only a second with more messages than a page can hold is gone through by page number. Its pages overlap: each is of a
size of its own, so that it begins before the end of the page before. A message that is on both shows that none
slipped through between them, for the order of messages does not change. Where none is on both, because those in the
overlap left in the meantime, the walk through that second begins again.
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
"""So many pages of one second may show nothing new, or no message of the page before, until it is given up."""


@dataclass(frozen=True)
class Place:
    """What to ask for: up to so many messages created up to `date_to` (until now, when None)."""

    date_to: datetime | None
    per_page: int
    page: int = 1


@dataclass(frozen=True)
class Page:
    """Messages as they were sent, and whether there are older ones."""

    records: Sequence[Message]
    more: bool


async def new_on_each_page(
    fetch: Callable[[Place], Awaitable[Page]], start: Place, *, distinct_conversations: bool = False
) -> AsyncGenerator[list[Message]]:
    """The messages of each page that were on none before.

    Held in memory: one page, and the ids of the last seconds; with `distinct_conversations` the ids of all
    conversations so far, as an older page has an older message of each.

    Raises:
        UnexpectedAnswer: a page is not sorted newest first, so that what follows it is not known; or too many further
            pages of one second show no progress, so that there may be no end.
    """
    place: Place | None = start
    seen: dict[str, datetime | None] = {}
    walked: set[str] = set()
    page_before: set[str] = set()
    setbacks = 0
    while place:
        page = await fetch(place)
        created = [message.creation_time for message in page.records]
        ids = {message.id for message in page.records}
        fresh: list[Message] = []
        for at, message in zip(created, page.records, strict=True):
            key = message.conversation_id or message.id if distinct_conversations else message.id
            if key not in seen:
                seen[key] = at
                fresh.append(message)
        yield fresh
        until = _end_of_oldest(created)
        is_cut_off = place.page > 1 and page_before.isdisjoint(ids)
        if is_cut_off or (place.page > 1 and page.more and walked.issuperset(ids)):
            setbacks += 1
            if setbacks == _SETBACKS:
                raise UnexpectedAnswer(f"{_SETBACKS} pages of one second showed no progress: they may have no end")
        walked, page_before = (walked | ids if place.page > 1 else ids), ids
        if is_cut_off:
            place = replace(place, page=1, per_page=LIMITS.records_per_page)
        else:
            place = _following(place, page, until, start.per_page)
            setbacks = setbacks if place and place.page > 1 else 0
        if place and not distinct_conversations:
            seen = {key: created for key, created in seen.items() if _may_come_again(created, place)}


def _following(place: Place, page: Page, until: datetime | None, per_page: int) -> Place | None:
    """Where to go on; None at the end."""
    if not page.more:
        return None
    if until is not None and (place.date_to is None or until < place.date_to):
        return Place(until, per_page)
    if place.per_page < LIMITS.records_per_page and place.page == 1:
        return replace(place, per_page=LIMITS.records_per_page)
    return _overlapping(place)


def _overlapping(place: Place) -> Place:
    """The page that begins before the end of this one, and ends latest."""
    end = place.page * place.per_page
    size = max(range(2, LIMITS.records_per_page + 1), key=lambda size: (size - end % size) if end % size else 0)
    return replace(place, page=end // size + 1, per_page=size)


def _end_of_oldest(times: Sequence[datetime | None]) -> datetime | None:
    """The end of the second that holds the oldest message, by the times of a page's messages."""
    created = [at for at in times if at]
    if any(later < earlier for later, earlier in pairwise(created)):
        raise UnexpectedAnswer("RingCentral's messages are not sorted newest first: older ones could be missed")
    return created[-1] + _SECOND if created else None


def _may_come_again(created: datetime | None, place: Place) -> bool:
    return created is None or place.date_to is None or created <= place.date_to + _SECOND
