"""Search in the local copy: the newest or the most relevant messages that a query selects, a page at a time."""

import base64
import binascii
import hmac
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, NamedTuple, TypeVar

from rc_mcp.mirror.contacts.book import NO_CONTACTS, Contacts
from rc_mcp.mirror.documents import NO_TIME_MS, decoded, moment, own_texts
from rc_mcp.mirror.errors import QueryError
from rc_mcp.mirror.mirror import SYNCED_AT, Mirror
from rc_mcp.mirror.order import end_before
from rc_mcp.mirror.people import Directory, Meanings, Meant
from rc_mcp.mirror.query import Node, People, Words, leaves, parse
from rc_mcp.mirror.selection import Selection, quoted, selection
from rc_mcp.mirror.snippets import snippet
from rc_mcp.ringcentral import Message

T = TypeVar("T")

Sort = Literal["newest", "relevance"]

MOST_COUNTED = 1_000
"""A total is exact up to this. To count on would take longer than to find."""
RANKED = 1_000
"""So many of the newest hits are sorted by relevance: the score of a common word takes longer than everything else."""
MAX_LIMIT = 50

_NO_LIMIT = -1
_AT_ONCE = 500
"""Records held at once while all messages are read."""
_MAC_BYTES = 12
_BAD_CURSOR = "The cursor is not from an answer to this query and sort. Leave it out to begin with the first page."


@dataclass(frozen=True)
class Hit:
    """A message that was found.

    Attributes:
        snippet: up to 160 characters around the first hit, as the sender wrote them: untrusted, not cleaned. None if
            the message has no text.
        named: the message with the names that are known for its senders and recipients: those of the address book,
            and those that other messages of this mailbox have for the same number. To show, not to keep.
    """

    message: Message
    snippet: str | None
    named: Message


@dataclass(frozen=True)
class Coverage:
    """What was searched.

    Attributes:
        messages: in the copy of this mailbox, deleted ones included.
        date_from: when the oldest of them was created.
        synced_at: when the copy last agreed with the mailbox, as the feed wrote it.
        contents_missing: attachments whose text was not fetched yet, so it was not searched.
        contents_unreadable: attachments that we cannot read as text, such as scans without OCR.
    """

    messages: int
    date_from: datetime | None
    synced_at: str | None
    contents_missing: int
    contents_unreadable: int


@dataclass(frozen=True)
class Found:
    """A page of hits.

    Attributes:
        total: of all pages. If `total_is_exact` is False there are more than this.
        next: the cursor of the next page; None on the last.
        skipped: by relevance, how many hits were on earlier pages.
        ambiguous: the values of from:, to:, with: and number:, as they were asked, that mean several persons or
            numbers. The hits are of all of them.
    """

    hits: list[Hit]
    total: int
    total_is_exact: bool
    next: str | None
    coverage: Coverage
    ambiguous: dict[str, Meanings]
    skipped: int = 0


class _Place(NamedTuple):
    """Where a page begins. A message's number may change, its time and id do not.

    Attributes:
        skipped: by relevance, how many of the hits up to that message were on earlier pages.
    """

    created_ms: int
    id: int | str
    skipped: int


def search(
    mirror: Mirror,
    mailbox: int,
    query: str,
    now: datetime,
    zone: tzinfo,
    *,
    sort: Sort = "newest",
    limit: int = 20,
    cursor: str | None = None,
    contacts: Contacts = NO_CONTACTS,
) -> Found:
    """Return a page of the messages that a query selects.

    Args:
        now: what spans such as newer_than:7d are measured from.
        zone: of dates in the query.
        sort: `relevance` compares the newest 1,000 hits; a query without words is always newest first.
        limit: 1 to 50 messages a page.
        cursor: `next` of an earlier page of the same query and sort.
        contacts: the address book.

    Raises:
        QueryError: the query or the cursor cannot be read.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"limit must be 1 to {MAX_LIMIT}.")
    node = parse(query, now, zone)
    wanted = [leaf for leaf, is_wanted in leaves(node) if is_wanted and isinstance(leaf, Words)]
    with mirror.reading() as db:
        seal = _Seal(db, f"{mailbox}\n{sort}\n{query}")
        place = seal.opened(cursor) if cursor is not None else None
        directory = Directory(db, mailbox, contacts)
        parties = _parties(node, directory)
        selected = selection(db, mailbox, node, parties)
        if sort == "relevance" and wanted:
            numbers, following = _most_relevant(db, mailbox, selected, wanted, place, limit)
        else:
            numbers, following = _newest(db, mailbox, selected, place, limit)
        is_all = place is None and following is None
        total, is_exact = (len(numbers), True) if is_all else _count(db, mailbox, selected)
        rows = _rows(db, numbers)
        snippets = [snippet(_texts(message, contents), wanted) for message, contents in rows]
        messages = [message for message, _ in rows]
        hits = [Hit(*hit) for hit in zip(messages, snippets, directory.with_names(messages), strict=True)]
        return Found(
            hits,
            total,
            is_exact,
            seal.closed(following) if following else None,
            _coverage(db, mailbox),
            _ambiguous(directory, parties),
            place.skipped if place else 0,
        )


def search_all(
    mirror: Mirror,
    mailbox: int,
    query: str,
    now: datetime,
    zone: tzinfo,
    read: Callable[[Iterable[Message]], T],
    *,
    contacts: Contacts = NO_CONTACTS,
) -> tuple[Found, T]:
    """Return what `read` makes of all messages that a query selects, newest first, and `Found` without hits.

    Raises:
        QueryError: the query cannot be read.
    """
    node = parse(query, now, zone)
    with mirror.reading() as db:
        directory = Directory(db, mailbox, contacts)
        parties = _parties(node, directory)
        numbers = _numbers(db, mailbox, selection(db, mailbox, node, parties), None, _NO_LIMIT)
        made = read(_messages(db, numbers))
        return Found([], len(numbers), True, None, _coverage(db, mailbox), _ambiguous(directory, parties)), made


def _parties(node: Node, directory: Directory) -> dict[People, Meant]:
    return {leaf: directory.parties_of(leaf) for leaf, _ in leaves(node) if isinstance(leaf, People)}


def _ambiguous(directory: Directory, parties: dict[People, Meant]) -> dict[str, Meanings]:
    meanings = [(people.value, directory.meanings(people, found.parties)) for people, found in parties.items()]
    return {value: several for value, several in meanings if several}


def _messages(db: sqlite3.Connection, numbers: Sequence[int]) -> Iterator[Message]:
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        found = db.execute(
            "SELECT number, record FROM message WHERE number IN (SELECT value FROM json_each(?))", (json.dumps(some),)
        )
        records = dict(found.fetchall())
        yield from (decoded(records[number]) for number in some)


def _count(db: sqlite3.Connection, mailbox: int, selected: Selection) -> tuple[int, bool]:
    sql, values = selected.sql(mailbox, "1")
    # Without the order: SQLite would sort for it.
    sql = sql.removesuffix(" ORDER BY number DESC")
    counted = db.execute(f"SELECT count(*) FROM ({sql} LIMIT ?)", (*values, MOST_COUNTED + 1)).fetchone()[0]  # noqa: S608
    return min(counted, MOST_COUNTED), counted <= MOST_COUNTED


def _newest(
    db: sqlite3.Connection, mailbox: int, selected: Selection, place: _Place | None, limit: int
) -> tuple[list[int], _Place | None]:
    before = end_before(db, mailbox, place.created_ms, place.id) if place else None
    numbers = _numbers(db, mailbox, selected, before, limit + 1)
    shown = numbers[:limit]
    return shown, _place(db, shown[-1], 0) if len(numbers) > limit else None


def _most_relevant(
    db: sqlite3.Connection,
    mailbox: int,
    selected: Selection,
    wanted: Sequence[Words],
    place: _Place | None,
    limit: int,
) -> tuple[list[int], _Place | None]:
    """Return a page of the newest hits, sorted. Later pages sort the same hits: none that came since."""
    newest = end_before(db, mailbox, place.created_ms, place.id, included=True) if place else None
    skipped = place.skipped if place else 0
    numbers = _numbers(db, mailbox, selected, newest, RANKED)
    if not numbers:
        return [], None
    match = " OR ".join(quoted(hit.words, prefix=hit.prefix) for hit in wanted)
    ranked = db.execute(
        "SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? "
        "AND +rowid IN (SELECT value FROM json_each(?)) ORDER BY bm25(words), rowid DESC",
        (match, numbers[-1], numbers[0], json.dumps(numbers)),
    ).fetchall()
    scored = dict.fromkeys(number for (number,) in ranked)
    # A hit may have none of the words: `with:maria OR referral`.
    ordered = [*scored, *(number for number in numbers if number not in scored)]
    shown, end = ordered[skipped : skipped + limit], skipped + limit
    return shown, _place(db, numbers[0], end) if end < len(ordered) else None


def _numbers(db: sqlite3.Connection, mailbox: int, selected: Selection, before: int | None, most: int) -> list[int]:
    sql, values = selected.sql(mailbox, "number", before=before)
    return [number for (number,) in db.execute(f"{sql} LIMIT ?", (*values, most))]


def _rows(db: sqlite3.Connection, numbers: Sequence[int]) -> list[tuple[Message, list[str]]]:
    """Return these messages, and the texts of their attachments."""
    found: dict[int, tuple[Message, list[str]]] = {}
    rows = db.execute(
        "SELECT m.number, m.record, c.text FROM json_each(?) shown JOIN message m ON m.number = shown.value "
        "LEFT JOIN attachment a ON a.message = m.key AND a.hash IS NOT NULL LEFT JOIN content c ON c.hash = a.hash",
        (json.dumps(numbers),),
    )
    for number, record, text in rows:
        message = found.get(number) or found.setdefault(number, (decoded(record), []))
        message[1].extend([text] if text is not None else [])
    return [found[number] for number in numbers]


def _texts(message: Message, contents: Sequence[str]) -> list[str]:
    own = own_texts(message)
    # The subject of a voicemail is a label, that of a received fax a number.
    return [*contents, *own] if message.type in {"VoiceMail", "Fax"} else [*own, *contents]


def _place(db: sqlite3.Connection, number: int, skipped: int) -> _Place:
    created_ms, message_id = db.execute("SELECT created_ms, id FROM message WHERE number = ?", (number,)).fetchone()
    return _Place(created_ms, message_id, skipped)


def _coverage(db: sqlite3.Connection, mailbox: int) -> Coverage:
    found = db.execute(
        "SELECT messages, missing, failed, "
        "(SELECT min(created_ms) FROM message WHERE mailbox = b.number AND created_ms > ?), "
        "(SELECT value FROM progress WHERE mailbox = b.number AND name = ?) FROM mailbox b WHERE number = ?",
        (NO_TIME_MS, SYNCED_AT, mailbox),
    ).fetchone()
    messages, missing, failed, oldest_ms, synced_at = found or (0, 0, 0, None, None)
    return Coverage(messages, None if oldest_ms is None else moment(oldest_ms), synced_at, missing, failed)


class _Seal:
    """Cursors that only this copy makes, and only for one query."""

    def __init__(self, db: sqlite3.Connection, query: str) -> None:
        self._db, self._query = db, query.encode("utf-8", "surrogatepass")

    def closed(self, place: _Place) -> str:
        body = json.dumps(place, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sum(body) + body).decode().rstrip("=")

    def opened(self, cursor: str) -> _Place:
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise QueryError(_BAD_CURSOR) from None
        body = sealed[_MAC_BYTES:]
        if not hmac.compare_digest(sealed[:_MAC_BYTES], self._sum(body)):
            raise QueryError(_BAD_CURSOR)
        return _Place(*json.loads(body))

    def _sum(self, body: bytes) -> bytes:
        key = self._db.execute("SELECT value FROM setting WHERE name = 'cursor key'").fetchone()[0]
        return hmac.digest(key, self._query + b"\0" + body, "sha256")[:_MAC_BYTES]
