"""Digests: how many messages came or went by day, and by person."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from pydantic import BaseModel

from rc_mcp.ringcentral import Message
from rc_mcp.views.partners import by_partner, likeness
from rc_mcp.views.rows import WHO_TOKENS
from rc_mcp.views.summary import by_kind, is_unread
from rc_mcp.views.tokens import TokenBudget, clip, size_of, that_fit
from rc_mcp.views.untrusted_text import short_moment, who

MOST_PERSONS = 20
_NO_TIME = _NOBODY = "unknown"


class Person(BaseModel):
    """A person or group on the other side, however their number is spelled."""

    untrusted_who: str
    messages: int
    unread: int | None = None
    last_at: str | None = None


class Digest(NamedTuple):
    """Counts of messages.

    Attributes:
        by_day: the types of each day's messages, the newest day first. A day is one of the user's zone.
        by_person: the 20 with the most messages.
        persons: how many there are.
    """

    messages: int
    by_day: dict[str, dict[str, int]]
    by_person: list[Person]
    persons: int


class _Alike:
    """Messages of one likeness."""

    def __init__(self, newest: Message) -> None:
        self.newest = newest
        self.messages = self.unread = 0


def digest(messages: Iterable[Message], now: datetime, zone: tzinfo) -> Digest:
    """Count these messages, which come newest first and may be many: one of each likeness is held."""
    days: dict[date | None, tuple[datetime | None, list[str | None]]] = {}
    alike: dict[tuple[object, ...], _Alike] = {}
    for message in messages:
        at = message.creation_time
        day = at.astimezone(zone).date() if at else None
        days.setdefault(day, (at, []))[1].append(message.type)
        like = likeness(message)
        found = alike.get(like) or alike.setdefault(like, _Alike(message))
        found.messages += 1
        found.unread += is_unread(message)
    persons = [[alike[likeness(m)] for m in theirs] for theirs in by_partner([a.newest for a in alike.values()])]
    persons.sort(key=lambda parts: -sum(part.messages for part in parts))
    return Digest(
        messages=sum(len(types) for _, types in days.values()),
        by_day=_named(days, now, zone),
        by_person=[_person(parts, now, zone) for parts in persons[:MOST_PERSONS]],
        persons=len(persons),
    )


def _named(
    days: dict[date | None, tuple[datetime | None, list[str | None]]], now: datetime, zone: tzinfo
) -> dict[str, dict[str, int]]:
    named: dict[str, dict[str, int]] = {}
    for day, (at, types) in days.items():
        name = (short_moment(at, now, zone) or _NO_TIME).split()[0]
        # After the clock was set back, a day of the future may have the same date as a day of last year.
        named[str(day) if name in named else name] = by_kind(types)
    return named


def days_that_fit(by_day: dict[str, dict[str, int]], budget: TokenBudget, *, used: int) -> dict[str, dict[str, int]]:
    """Return the newest days that fit into the budget after `used` tokens."""
    return dict(that_fit(((day, size_of([*day])) for day in by_day.items()), budget, used=used))


def _person(parts: Sequence[_Alike], now: datetime, zone: tzinfo) -> Person:
    newest = parts[0].newest  # in the order of the messages
    return Person(
        untrusted_who=clip(who(newest), WHO_TOKENS) or _NOBODY,
        messages=sum(part.messages for part in parts),
        unread=sum(part.unread for part in parts) or None,
        last_at=short_moment(newest.creation_time, now, zone),
    )
