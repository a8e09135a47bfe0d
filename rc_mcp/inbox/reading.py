"""What the page shows of the mailbox: an overview, a conversation, and what a search finds."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from rc_mcp.inbox.desk import Arguments, Desk, InboxError, MessageId, Reading
from rc_mcp.inbox.records import Hit, Overview, Search, Thread, conversation, days, partner, row
from rc_mcp.ringcentral import Message, RecordsUnreadable
from rc_mcp.views.partners import by_partner
from rc_mcp.views.summary import by_kind, is_unread
from rc_mcp.views.untrusted_text import clean, counted, moment

if TYPE_CHECKING:
    from rc_mcp.mirror.progress import FeedProgress
    from rc_mcp.mirror.search import Coverage

MOST_MESSAGES = 5_000
"""So many of the newest messages of a window are read: five of RingCentral's largest pages."""
MOST_CONVERSATIONS, MOST_OF_ONE = 300, 200
HITS = 20
_READ_AGAIN = timedelta(seconds=10)
_IS_BEHIND = timedelta(minutes=10)
_SNIPPET_CHARS = 200
_PER_PAGE = 1_000
NO_COPY = "This server keeps no local copy, so words cannot be searched."
OTHER_PARTNER = "These messages are no longer in the window that is shown."


class Window(Arguments):
    """A time window that ends now."""

    days: Literal[1, 7, 30] = 7


class OneConversation(Window):
    """A conversation by the key that the overview gave it."""

    key: MessageId


class Query(Arguments):
    query: Annotated[str, Field(max_length=1_000)]
    cursor: Annotated[str | None, Field(max_length=1_000)] = None


async def overview(desk: Desk, asked: Window) -> Overview:
    now, zone = desk.app.now, desk.app.zone
    messages, unreadable = await _messages(desk, asked.days, again=True)
    found = [conversation(of_one) for of_one in by_partner(messages)]
    found.sort(key=lambda c: c.newest or "", reverse=True)
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return Overview(
        now=moment(now) or "",
        timezone=str(zone),
        access=desk.access,
        is_demo=desk.is_demo,
        may_search=desk.app.copy is not None,
        days=asked.days,
        messages=len(messages),
        missing=" ".join(_not_counted(messages, unreadable)) or None,
        unread=by_kind(m.type for m in messages if is_unread(m)),
        waiting=sum(c.waits_since is not None for c in found),
        by_day=days(messages, [today - timedelta(days=n) for n in range(asked.days, -1, -1)]),
        conversations=found[:MOST_CONVERSATIONS],
        conversations_more=max(len(found) - MOST_CONVERSATIONS, 0),
    )


async def one_conversation(desk: Desk, asked: OneConversation) -> Thread:
    """Return the messages with the partner of one message.

    Raises:
        InboxError: the message is gone, or no longer in this window.
    """
    messages, _ = await _messages(desk, asked.days)
    of_one = _with(messages, {asked.key, *desk.members.get(asked.key, ())})
    if not of_one:
        raise InboxError(OTHER_PARTNER)
    desk.members = {**dict(islice(desk.members.items(), MOST_CONVERSATIONS)), asked.key: [m.id for m in of_one]}
    name, number = partner(of_one)
    shown = of_one[:MOST_OF_ONE]
    return Thread(
        key=asked.key,
        untrusted_who=name,
        untrusted_number=number,
        messages=[row(m) for m in reversed(shown)],
        messages_more=len(of_one) - len(shown),
    )


def _with(messages: Sequence[Message], ids: Collection[str]) -> Sequence[Message]:
    """Return all messages with the partner of one of these; empty if none of them is there."""
    return next((group for group in by_partner(messages) if any(m.id in ids for m in group)), list[Message]())


async def search(desk: Desk, asked: Query) -> Search:
    """Return what the local copy finds.

    Raises:
        InboxError: there is no copy, or the query cannot be read.
    """
    if desk.app.copy is None:
        raise InboxError(NO_COPY)
    from rc_mcp.mirror.errors import MirrorError  # late: most servers have no local copy

    try:
        searched = await desk.app.copy.search(
            asked.query, desk.app.zone, sort="newest", limit=HITS, cursor=asked.cursor, account_id="~", extension_id="~"
        )
    except MirrorError as error:
        raise InboxError(str(error)) from None
    found = searched.found
    return Search(
        messages=[
            Hit(**row(h.named).model_dump(), untrusted_snippet=clean(h.snippet, _SNIPPET_CHARS) if h.snippet else None)
            for h in found.hits
        ],
        total=found.total,
        total_is_at_least=not found.total_is_exact,
        next=found.next,
        missing=" ".join(gaps(found.coverage, searched.progress, desk.app.now)) or None,
    )


def gaps(coverage: "Coverage", progress: "FeedProgress", now: datetime) -> Iterator[str]:
    """Yield the reasons why a search may not find a message that the mailbox has."""
    if progress.phase == "filling":
        yield "The local copy is not complete yet: it has the newest messages only."
    elif progress.synced_at is None or now - progress.synced_at > _IS_BEHIND:
        yield "The local copy is not up to date: what is new may be missing."
    if progress.unreadable:
        yield f"{counted(progress.unreadable, 'message')} could not be read, so they were not searched."
    if texts := coverage.contents_missing + coverage.contents_unreadable:
        yield f"Voicemails, faxes and files without a text, which were not searched: {texts:,}."


def _not_counted(messages: Sequence[Message], unreadable: int) -> Iterator[str]:
    """Yield what an overview of these messages lacks."""
    if len(messages) == MOST_MESSAGES:
        yield f"Only the newest {MOST_MESSAGES:,} messages were read; older ones are not counted."
    if unreadable:
        yield f"Up to {counted(unreadable, 'message')} could not be read, and are not counted."


async def _messages(desk: Desk, n_days: int, *, again: bool = False) -> Reading:
    """Return the newest messages of the last days, newest first, and how many others could not be read.

    They are from the local copy if it is certain to have the same.

    `again`: read them now, unless that was done a few seconds ago.
    """
    now = desk.app.now
    kept = desk.read.get(n_days)
    age_s = (now - kept[0]).total_seconds() if kept else inf
    if kept and (not again or 0 <= age_s < _READ_AGAIN.total_seconds()):
        return kept[1]
    since = now - timedelta(days=n_days)
    copied = await _of_copy(desk, since)
    found = await _of_ringcentral(desk, since) if copied is None else (copied, 0)
    desk.read = {n_days: (now, found)}
    return found


async def _of_copy(desk: Desk, since: datetime) -> Sequence[Message] | None:
    if desk.app.copy is None:
        return None
    from rc_mcp.mirror.listing import Window as Listed  # late: most servers have no local copy

    found = await desk.app.copy.listed(
        Listed(since, None, {}),
        lambda messages: list(islice(messages, MOST_MESSAGES)),
        account_id="~",
        extension_id="~",
    )
    return found and found[0]


async def _of_ringcentral(desk: Desk, since: datetime) -> Reading:
    found: list[Message] = []
    try:
        async with aclosing(desk.app.client.iter_messages(date_from=since, per_page=_PER_PAGE)) as messages:
            async for message in messages:
                found.append(message)
                if len(found) == MOST_MESSAGES:
                    break
    except RecordsUnreadable as error:  # raised after all others were read
        return found, error.count
    return found, 0
