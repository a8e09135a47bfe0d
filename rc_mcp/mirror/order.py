"""The numbers of messages: they follow the time of creation, so that the index returns hits in the order of time.

A number made of the time itself would be simpler. But the index stores, for each word, the distances between its
messages; distances in milliseconds made it 1.9 times as large. So a number is only a place in line, with gaps. A
message that is newer or older than all others gets a place at that end. One that arrives late goes into the middle of
its gap. Where a gap is full, the messages around it are moved apart. Messages of one
millisecond are in the order of their ids, which grow with time.
"""

import sqlite3
from typing import NamedTuple

from rc_mcp.mirror.database import numbers_of

_STEP = 16
"""The distance of neighbors at either end of the line."""
_ROOMY, _CLOSE = 4, 2
"""The average distance of the neighbors of a gap, with it, and their distance without it, after they were spread."""


class Line:
    """The messages of a mailbox in line, while no other than its new ones comes, goes or moves."""

    def __init__(self, db: sqlite3.Connection, mailbox: int) -> None:
        self._db, self._mailbox = db, mailbox
        self._oldest, self._newest = (self._end(order) for order in ("ASC", "DESC"))

    def free_number(self, created_ms: int, message_id: int | str) -> int | None:
        """Return the number of a new message, which is then in line; None if there is none between its neighbors."""
        place = _Place(created_ms, isinstance(message_id, str), message_id)
        if self._oldest is None or self._newest is None:
            first, last = numbers_of(self._mailbox)
            number = (first + last) // 2
            self._oldest = self._newest = (place, number)
        elif place > self._newest[0]:
            number = self._newest[1] + _STEP
            self._newest = (place, number)
        elif place < self._oldest[0]:
            number = self._oldest[1] - _STEP
            self._oldest = (place, number)
        else:
            older, newer = _neighbors(self._db, self._mailbox, created_ms, message_id)
            # Not always the middle: the next of a page comes after it.
            return older + min((newer - older) // 2, _STEP) if newer - older > 1 else None
        return number

    def _end(self, order: str) -> tuple["_Place", int] | None:
        found = self._db.execute(
            "SELECT created_ms, id, number FROM message WHERE mailbox = ? "  # noqa: S608
            f"ORDER BY created_ms {order}, id {order} LIMIT 1",
            (self._mailbox,),
        ).fetchone()
        return found and (_Place(found[0], isinstance(found[1], str), found[1]), found[2])


class _Place(NamedTuple):
    """Sorts as SQLite does: numbers before texts."""

    created_ms: int
    is_text: bool
    id: int | str


def spread(db: sqlite3.Connection, mailbox: int, created_ms: int, message_id: int | str) -> list[tuple[int, int]]:
    """Return new numbers for messages around a full gap, as pairs of the present and the new number."""
    older, newer = _neighbors(db, mailbox, created_ms, message_id)
    first, last = numbers_of(mailbox)
    width = 8
    while True:
        before = _numbers(db, "number BETWEEN ? AND ? ORDER BY number DESC LIMIT ?", first, older, width)
        after = _numbers(db, "number BETWEEN ? AND ? ORDER BY number LIMIT ?", newer, last, width)
        present = [*reversed(before), *after]
        low, high = present[0], present[-1]
        if len(after) < width:  # up to the newest message, after which all numbers are free
            high = max(high, low + _STEP * len(present))
        if high - low >= _ROOMY * len(present):
            # Close together on either side, so that the gap has room for a whole page.
            return [
                *((n, low + _CLOSE * i) for i, n in enumerate(reversed(before))),
                *((n, high - _CLOSE * i) for i, n in enumerate(reversed(after))),
            ]
        width *= 2


def first_since(db: sqlite3.Connection, mailbox: int, created_ms: int) -> int:
    """Return the number of the first message created at this time or later; one past all others if there is none."""
    found = db.execute(
        "SELECT number FROM message WHERE mailbox = ? AND created_ms >= ? ORDER BY created_ms, id LIMIT 1",
        (mailbox, created_ms),
    ).fetchone()
    return found[0] if found else numbers_of(mailbox)[1] + 1


def end_before(
    db: sqlite3.Connection, mailbox: int, created_ms: int, message_id: int | str, *, included: bool = False
) -> int:
    """Return a number that is above those of all messages older than this one, and not above others.

    Args:
        included: count the message itself as older.
    """
    found = db.execute(
        "SELECT number FROM message WHERE mailbox = ? "  # noqa: S608
        f"AND (created_ms, id) {'>' if included else '>='} (?, ?) ORDER BY created_ms, id LIMIT 1",
        (mailbox, created_ms, message_id),
    ).fetchone()
    return found[0] if found else numbers_of(mailbox)[1] + 1


def _neighbors(db: sqlite3.Connection, mailbox: int, created_ms: int, message_id: int | str) -> tuple[int, int]:
    """Return the numbers of the messages before and after a place between others."""
    place = (mailbox, created_ms, message_id)
    older = db.execute(
        "SELECT number FROM message WHERE mailbox = ? AND (created_ms, id) < (?, ?) "
        "ORDER BY created_ms DESC, id DESC LIMIT 1",
        place,
    ).fetchone()
    newer = db.execute(
        "SELECT number FROM message WHERE mailbox = ? AND (created_ms, id) > (?, ?) ORDER BY created_ms, id LIMIT 1",
        place,
    ).fetchone()
    return older[0], newer[0]


def _numbers(db: sqlite3.Connection, condition: str, *values: int | None) -> list[int]:
    return [number for (number,) in db.execute(f"SELECT number FROM message WHERE {condition}", values)]  # noqa: S608
