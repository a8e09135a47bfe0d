"""All messages of a window, newest first, while others arrive and leave.

Page numbers shift with every message that comes or goes, and then skip some or repeat some. So each page asks for what
is as old as the oldest message of the page before, or older: where that stands, no arrival and no removal moves. The
second around it is asked for twice, since times are shown to the second and nobody says whether `dateTo` is cut to it
or includes it; what was seen there is known by its id.

Only a second with more messages than a page can hold is gone through by page number, until two walks through it were
the same: then nothing that the first of them had read left before the second, and so nothing slipped from one page to
the page before.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from rc_mcp.ringcentral.errors import UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.models import Message

_SECOND = timedelta(seconds=1)


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
        UnexpectedAnswer: a page is not sorted newest first, so that what follows it is not known; or a further page of
            one second has no other messages than those before it and says that there are more, so that there may be no
            end.
    """
    place: Place | None = start
    seen: dict[str, datetime | None] = {}
    walk: set[str] = set()
    walk_before: set[str] = set()
    while place:
        page = await fetch(place)
        created = [message.creation_time for message in page.records]
        ids = [message.id for message in page.records]
        keys = [message.conversation_id or message.id for message in page.records] if distinct_conversations else ids
        fresh: list[Message] = []
        for key, at, message in zip(keys, created, page.records, strict=True):
            if key not in seen:
                seen[key] = at
                fresh.append(message)
        yield fresh
        if place.page > 1 and page.more and walk.issuperset(ids):
            raise UnexpectedAnswer(f"Page {place.page} of one second has nothing new, and yet there are to be more")
        walk |= set(ids)
        until = _end_of_oldest(created)
        place = _following(place, page, until, start.per_page, is_settled=place.page == 1 or walk == walk_before)
        if place and place.page == 1:
            walk, walk_before = set(), walk
        if place and not distinct_conversations:
            seen = {key: created for key, created in seen.items() if _may_come_again(created, place)}


def _following(place: Place, page: Page, until: datetime | None, per_page: int, *, is_settled: bool) -> Place | None:
    """Where to go on; None at the end."""
    is_earlier = until is not None and (place.date_to is None or until < place.date_to)
    if is_earlier or not page.more:
        if not is_settled:
            return replace(place, page=1)
        return Place(until, per_page) if page.more else None
    if place.per_page < LIMITS.records_per_page:
        return replace(place, per_page=LIMITS.records_per_page)
    return replace(place, page=place.page + 1)


def _end_of_oldest(times: Sequence[datetime | None]) -> datetime | None:
    """The end of the second that holds the oldest message, by the times of a page's messages."""
    created = [at for at in times if at]
    if any(later < earlier for later, earlier in pairwise(created)):
        raise UnexpectedAnswer("RingCentral's messages are not sorted newest first: older ones could be missed")
    return created[-1] + _SECOND if created else None


def _may_come_again(created: datetime | None, place: Place) -> bool:
    return created is None or place.date_to is None or created <= place.date_to + _SECOND
