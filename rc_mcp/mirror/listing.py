"""The messages that RingCentral would list now, where the copy is certain to know that.

The copy does not know all that RingCentral does: which owners a filter means, how times are rounded, what its filters
make of a value that is new. In each such case nothing is answered from the copy.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast, get_args

from rc_mcp.mirror.documents import NO_TIME_MS, decoded, message_key, milliseconds, type_tag
from rc_mcp.mirror.following import EVERY_S
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import FeedProgress
from rc_mcp.mirror.query import And, Tagged
from rc_mcp.mirror.selection import selection
from rc_mcp.ringcentral import Direction, Message, MessageType, ReadStatus
from rc_mcp.ringcentral.parameters import ListFilters
from rc_mcp.views.owners import foreign_owner

_FRESH = timedelta(seconds=2 * EVERY_S)
_LAG = timedelta(seconds=5)
"""A sync may not show changes of the last seconds: RingCentral's own syncs overlap by so much."""
_ROUNDING_MS = 2_000
"""RingCentral may cut the times of filters to seconds, and those of records too: one second each."""
_COUNTED = 1_000
"""So many received faxes and voicemails are counted, the newest: RingCentral keeps 200."""
_FIELDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "message_type": ("type", get_args(MessageType)),
    "read_status": ("read_status", get_args(ReadStatus)),
    "direction": ("direction", get_args(Direction)),
    "availability": ("availability", ("Alive", "Deleted")),
}
"""The filters whose meaning is certain, with the field that they compare and the values that the copy has of it."""


class NotCertain(Exception):  # noqa: N818  a state
    """RingCentral's own list may differ from that of the copy."""


@dataclass(frozen=True)
class Window:
    """The messages that a list asks for.

    Attributes:
        until: None for now.
        filters: as for `MessageStoreClient.list_messages`.
    """

    since: datetime
    until: datetime | None
    filters: ListFilters


def require_fresh(progress: FeedProgress, now: datetime, changed_at: datetime | None) -> datetime:
    """Return when the copy last agreed with the mailbox.

    Args:
        changed_at: when this process last changed a mailbox, or learned that one changed.

    Raises:
        NotCertain: the copy may be behind, or does not have all messages.
    """
    synced_at = progress.synced_at
    if synced_at is None or progress.phase != "following" or progress.is_listing_due or progress.unreadable:
        raise NotCertain
    if progress.has_uncompared_imports:
        raise NotCertain
    if not timedelta(0) <= now - synced_at <= _FRESH or (changed_at and synced_at <= changed_at + _LAG):
        raise NotCertain
    return synced_at


def listed(
    mirror: Mirror, mailbox: int, extension_id: str, window: Window, kept: frozenset[str], now: datetime
) -> Iterator[Message]:
    """Yield the messages that RingCentral would list, newest first. Read them within `Mirror.reading`.

    Args:
        kept: messages that RingCentral no longer has.

    Raises:
        NotCertain: it would perhaps list others.
    """
    wanted = _wanted(window.filters)
    with mirror.reading() as db:
        for message in _of_window(db, mailbox, window, now):
            if message.id not in kept and _matches(message, wanted) and foreign_owner(message, extension_id) is None:
                yield message


def received(mirror: Mirror, mailbox: int, extension_id: str, kept: frozenset[str]) -> int:
    """Count the received faxes and voicemails that RingCentral has and that are not deleted, up to 1,000."""
    wanted = And((Tagged((type_tag("Fax"), type_tag("VoiceMail"))), Tagged(("inbound",))))
    with mirror.reading() as db:
        sql, values = selection(db, mailbox, wanted, {}).sql(mailbox, "number")
        keys = json.dumps([message_key(message_id) for message_id in kept])
        rows = db.execute(
            f"SELECT m.record FROM ({sql}) found JOIN message m ON m.number = found.number "  # noqa: S608
            "WHERE m.id NOT IN (SELECT value FROM json_each(?)) LIMIT ?",
            (*values, keys, _COUNTED),
        )
        return sum(foreign_owner(decoded(record), extension_id) is None for (record,) in rows)


def _wanted(filters: ListFilters) -> dict[str, Sequence[str]]:
    """Return the wanted values of each field that is compared. Only Alive messages are listed by default."""
    given = {name: values for name, values in filters.items() if values is not None}
    found: dict[str, Sequence[str]] = {"availability": ["Alive"]}
    for name, values in given.items():
        if name not in _FIELDS:
            raise NotCertain
        field, known = _FIELDS[name]
        found[field] = cast("Sequence[str]", values)
        if not set(found[field]) <= set(known):
            raise NotCertain
    return found


def _matches(message: Message, wanted: Mapping[str, Sequence[str]]) -> bool:
    for field, known in _FIELDS.values():
        if field in wanted and getattr(message, field) not in known:
            raise NotCertain
    return all(getattr(message, field) in values for field, values in wanted.items())


def _of_window(db: sqlite3.Connection, mailbox: int, window: Window, now: datetime) -> Iterator[Message]:
    since_ms, now_ms = milliseconds(window.since), milliseconds(now) + _ROUNDING_MS
    until_ms = now_ms if window.until is None else min(milliseconds(window.until), now_ms)
    unclear = [(NO_TIME_MS, NO_TIME_MS), (since_ms - _ROUNDING_MS, since_ms + _ROUNDING_MS), (now_ms + 1, 2**62)]
    if until_ms < now_ms:
        unclear.append((until_ms - _ROUNDING_MS, until_ms + _ROUNDING_MS))
    for first, last in unclear:
        if db.execute(
            "SELECT 1 FROM message WHERE mailbox = ? AND created_ms BETWEEN ? AND ? LIMIT 1", (mailbox, first, last)
        ).fetchone():
            raise NotCertain
    rows = db.execute(
        "SELECT record FROM message WHERE mailbox = ? AND created_ms BETWEEN ? AND ? ORDER BY created_ms DESC, id DESC",
        (mailbox, since_ms, until_ms),
    )
    return (decoded(record) for (record,) in rows)
