"""The rows of messages in the copy, with their words in the index, within a transaction that the caller runs."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from rc_mcp.mirror.documents import (
    Party,
    decoded,
    document,
    encoded,
    message_key,
    milliseconds,
    parties,
    recordings,
    storable,
    wanted,
)
from rc_mcp.mirror.order import Line, spread
from rc_mcp.ringcentral import Message

Source = Literal["ringcentral", "document", "ocr", "transcribed"]
"""Where a text came from: RingCentral's transcript, the file itself, or what we read or heard in it."""
State = Literal["missing", "text", "none", "failed"]
"""Of an attachment: not read yet, read, without text, or unreadable."""

_RECORDING_RANK = 8
"""Of a recording to transcribe: it takes longer than any other text."""
_LAST_RANK = 9
"""Of an attachment whose text nobody waits for."""


class Text(NamedTuple):
    """The text of an attachment; None with the reason in `state`."""

    text: str | None
    source: Source
    content_hash: str
    state: State


class _Row(NamedTuple):
    key: int
    number: int
    mailbox: int
    message: Message


class Rows:
    """Reads and writes the rows of messages.

    Attributes:
        erased: whether something was erased, so that its words must not stay in the file.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.erased = False
        self._parties: dict[Party, tuple[int, str]] = {}
        self._lines: dict[int, Line] = {}
        self._unindexed: dict[int, _Row] = {}
        self._removed: dict[int, str] = {}
        self._perhaps_unused: set[int] = set()
        self._known_hearing: str | None = None

    def finish(self) -> None:
        """Change the words of all changed messages in the index, before the transaction ends.

        Each message once, and in the order of their numbers: FTS5 writes to the disk each time a number is lower than
        the one before.
        """
        changed = {row.number: row for row in self._unindexed.values()}
        for number in sorted({*self._removed, *changed}):
            if number in self._removed:
                words = ("delete", number, self._removed[number])
                self._db.execute("INSERT INTO words (words, rowid, text) VALUES (?, ?, ?)", words)
            if number in changed:
                self._index(changed[number])
        self._db.executemany(
            "DELETE FROM party WHERE number = ? AND NOT EXISTS (SELECT 1 FROM participant WHERE party = ?)",
            [(number, number) for number in self._perhaps_unused],
        )

    def message(self, mailbox: int, message_id: str) -> Message | None:
        row = self._row(mailbox, message_id)
        return row.message if row else None

    def take_over(self, mailbox: int, records: Iterable[Message]) -> None:
        """Add the records, replace those that changed, and erase the purged."""
        for message in self._in_line(mailbox, records):
            self._take(mailbox, message)

    def erase(self, mailbox: int, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            if row := self._row(mailbox, message_id):
                self._erase(row)

    def put_text(self, mailbox: int, message_id: str, attachment_id: str, text: Text) -> bool:
        """Add the text of an attachment, in place of an earlier one. Return whether the message is there."""
        if not (row := self._row(mailbox, message_id)):
            return False
        content_hash = text.content_hash or f"{row.key}/{storable(attachment_id)}"
        changed = [row, *(other for other in self._rows_with(content_hash) if other.key != row.key)]
        for other in changed:
            self._take_out(other)
        if text.text is None:
            self._set_state(row, attachment_id, text.state, None)
        else:
            self._db.execute(
                "INSERT INTO content VALUES (?, ?, ?) "
                "ON CONFLICT (hash) DO UPDATE SET source = excluded.source, text = excluded.text",
                (content_hash, text.source, storable(text.text)),
            )
            self._set_state(row, attachment_id, "text", content_hash)
        for other in changed:
            self._put_in(other)
        return True

    def add_mailbox(self, account_id: str, extension_id: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO mailbox (account, extension) VALUES (?, ?)", (account_id, extension_id))

    def note(self, mailbox: int, progress: Mapping[str, str]) -> None:
        """Note what the feed wants to remember, by name."""
        self._db.executemany(
            "INSERT OR REPLACE INTO progress VALUES (?, ?, ?)",
            [(mailbox, name, value) for name, value in progress.items()],
        )

    def read_in(self, ways: Iterable[str], *, again: bool) -> None:
        """Note in which ways pages are read; with `again`, what could not be read is missing."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES ('ways', ?)", (" ".join(sorted(ways)),))
        if again:
            self._db.execute("UPDATE attachment SET state = 'missing' WHERE state = 'failed'")

    def hear_with(self, hearing: str) -> None:
        """Note how recordings are transcribed; all of those are missing, also those that another model transcribed."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES ('hearing', ?)", (hearing,))
        self._known_hearing = hearing
        self._db.execute("DELETE FROM attachment WHERE rank = ? AND state != 'text'", (_RECORDING_RANK,))
        if not hearing:
            return
        for found in self._db.execute("SELECT key, number, mailbox, record FROM message").fetchall():
            row = _row(found)
            for attachment_id in self._recordings(row.message):
                self._want(row, attachment_id, _RECORDING_RANK)
                self._db.execute(
                    "UPDATE attachment SET state = 'missing' WHERE message = ? AND id = ?", (row.key, attachment_id)
                )

    def hearing(self) -> str:
        """Return how recordings are transcribed, as it was noted; empty if they are not."""
        if self._known_hearing is None:
            found = self._db.execute("SELECT value FROM setting WHERE name = 'hearing'").fetchone()
            self._known_hearing = str(found[0]) if found else ""
        return self._known_hearing

    def _recordings(self, message: Message) -> list[str]:
        return [storable(a.id) for a in recordings(message, self.hearing().partition(":")[0])]

    def index_again(self) -> None:
        """Make the index and the table of parties again: another version folded their words."""
        self._db.execute("INSERT INTO words (words) VALUES ('delete-all')")
        self._db.execute("DELETE FROM participant")
        self._db.execute("DELETE FROM party")
        for found in self._db.execute("SELECT key, number, mailbox, record FROM message ORDER BY number"):
            self._index(_row(found))

    def _in_line(self, mailbox: int, records: Iterable[Message]) -> list[Message]:
        """Return the records in an order in which most of them get a place at an end of the line.

        Those that are older than all known come from the newest to the oldest, then the others from the oldest on.
        """
        oldest = self._db.execute(
            "SELECT created_ms FROM message WHERE mailbox = ? ORDER BY created_ms LIMIT 1", (mailbox,)
        ).fetchone()
        # Of records with the same id, the last one counts: sorting keeps their order.
        dated = sorted(((*_place_in_line(m), m) for m in records), key=lambda dated: dated[:3])
        older = [m for ms, _, _, m in dated if oldest and ms < oldest[0]]
        return [*reversed(older), *(m for _, _, _, m in dated[len(older) :])]

    def _take(self, mailbox: int, message: Message) -> None:
        row = self._row(mailbox, message.id)
        if row and message.type is None and message.creation_time is None:
            message = Message({**row.message.sent, "availability": message.availability})
        if message.availability == "Purged":
            if row:
                self._erase(row)
        elif row is None:
            if message.type is not None or message.creation_time is not None:
                self._add(mailbox, message)
        elif row.message.sent != message.sent:
            self._replace(row, message)

    def _add(self, mailbox: int, message: Message) -> None:
        number = self._number(mailbox, message)
        key = self._db.execute(
            "INSERT INTO message (number, mailbox, created_ms, id, record) VALUES (?, ?, ?, ?, ?)",
            (number, mailbox, milliseconds(message.creation_time), message_key(message.id), encoded(message.sent)),
        ).lastrowid
        row = _Row(key or 0, number, mailbox, message)
        self._want_texts(row, None)
        self._put_in(row)

    def _replace(self, row: _Row, message: Message) -> None:
        self._take_out(row)
        number, created_ms = row.number, milliseconds(message.creation_time)
        if created_ms != milliseconds(row.message.creation_time):
            self._lines.clear()
            # It is out of line while its place is sought: no message has the number 0.
            self._db.execute("UPDATE message SET number = 0, mailbox = -mailbox WHERE key = ?", (row.key,))
            number = self._number(row.mailbox, message)
        self._db.execute(
            "UPDATE message SET number = ?, mailbox = ?, created_ms = ?, record = ? WHERE key = ?",
            (number, row.mailbox, created_ms, encoded(message.sent), row.key),
        )
        new = _Row(row.key, number, row.mailbox, message)
        self._want_texts(new, row.message)
        self._put_in(new)

    def _number(self, mailbox: int, message: Message) -> int:
        place = milliseconds(message.creation_time), message_key(message.id)
        while (number := self._line(mailbox).free_number(*place)) is None:
            self._move(spread(self._db, mailbox, *place))
        return number

    def _line(self, mailbox: int) -> Line:
        if mailbox not in self._lines:
            self._lines[mailbox] = Line(self._db, mailbox)
        return self._lines[mailbox]

    def _move(self, pairs: Iterable[tuple[int, int]]) -> None:
        self._lines.clear()
        changed = {old: new for old, new in pairs if old != new}
        rows = [self._row_at(number) for number in changed]
        for row in rows:
            self._take_out(row)
            self._db.execute("UPDATE message SET number = ? WHERE key = ?", (-changed[row.number], row.key))
        for row in rows:
            number = changed[row.number]
            self._db.execute("UPDATE message SET number = ? WHERE key = ?", (number, row.key))
            self._put_in(row._replace(number=number))

    def _erase(self, row: _Row) -> None:
        self._lines.clear()
        self._take_out(row)
        hashes = self._hashes(row)
        self._db.execute("DELETE FROM attachment WHERE message = ?", (row.key,))
        self._db.execute("DELETE FROM message WHERE key = ?", (row.key,))
        self._drop_unused_texts(hashes)
        self._unindexed.pop(row.key, None)
        self.erased = True

    def _want_texts(self, row: _Row, before: Message | None) -> None:
        """List the attachments of a record; those that it no longer has go, and their texts."""
        ranks = {storable(attachment.id): rank for attachment, rank in wanted(row.message)}
        heard = dict.fromkeys(self._recordings(row.message), _RECORDING_RANK)
        there = {storable(attachment.id) for attachment in row.message.attachments}
        if before is not None:
            known = dict(self._db.execute("SELECT id, rank FROM attachment WHERE message = ?", (row.key,)).fetchall())
            # A transcript that was only a part is fetched again.
            is_stale = before.vm_transcription_status != row.message.vm_transcription_status
            gone = [
                i
                for i, rank in known.items()
                # RingCentral's whole transcript takes the place of ours.
                if i not in there or (is_stale and i in ranks) or (rank == _RECORDING_RANK and i not in heard)
            ]
            hashes = self._hashes(row)
            for attachment_id in gone:
                self._db.execute("DELETE FROM attachment WHERE message = ? AND id = ?", (row.key, attachment_id))
            self._drop_unused_texts(hashes)
            self._db.execute(
                "UPDATE attachment SET created_ms = ? WHERE message = ?",
                (milliseconds(row.message.creation_time), row.key),
            )
        for attachment_id, rank in (heard | ranks).items():
            self._want(row, attachment_id, rank)

    def _want(self, row: _Row, attachment_id: str, rank: int) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO attachment VALUES (?, ?, ?, ?, ?, 'missing', NULL)",
            (row.key, attachment_id, row.mailbox, milliseconds(row.message.creation_time), rank),
        )

    def _set_state(self, row: _Row, attachment_id: str, state: State, content_hash: str | None) -> None:
        before = self._hashes(row)
        self._db.execute(
            "INSERT INTO attachment VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (message, id) DO UPDATE SET state = excluded.state, hash = excluded.hash",
            (
                row.key,
                storable(attachment_id),
                row.mailbox,
                milliseconds(row.message.creation_time),
                _LAST_RANK,
                state,
                content_hash,
            ),
        )
        self._drop_unused_texts(before)

    def _take_out(self, row: _Row) -> None:
        """Remove the words of a message from the index. Its record and its texts must be those that were put in."""
        if row.key in self._unindexed:
            return
        there = self._parties_of(row.message)
        self._removed[row.number] = document(row.message, self._texts(row), there)
        for role, party, _ in there:
            self._db.execute(
                "DELETE FROM participant WHERE party = ? AND role = ? AND number = ?", (party, role, row.number)
            )
        self._perhaps_unused.update(party for _, party, _ in there)

    def _put_in(self, row: _Row) -> None:
        self._unindexed[row.key] = row

    def _index(self, row: _Row) -> None:
        there = self._parties_of(row.message)
        words = document(row.message, self._texts(row), there)
        self._db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row.number, words))
        for role, party, _ in there:
            self._db.execute("INSERT OR IGNORE INTO participant VALUES (?, ?, ?)", (party, role, row.number))

    def _texts(self, row: _Row) -> list[str]:
        found = self._db.execute(
            "SELECT c.text FROM attachment a JOIN content c ON c.hash = a.hash WHERE a.message = ? ORDER BY a.id",
            (row.key,),
        )
        return [text for (text,) in found]

    def _parties_of(self, message: Message) -> list[tuple[str, int, str]]:
        return [(role, *self._party(party)) for role, party in parties(message)]

    def _party(self, party: Party) -> tuple[int, str]:
        """Return the number of a party, which is added if it is not there, and its folded name."""
        if party not in self._parties:
            found = self._db.execute(
                "SELECT number, folded FROM party WHERE name = ? AND phone = ? AND extension = ?", party
            ).fetchone()
            self._parties[party] = found or self._add_party(party)
        return self._parties[party]

    def _add_party(self, party: Party) -> tuple[int, str]:
        folded = party.folded
        added = self._db.execute(
            "INSERT INTO party (name, phone, extension, folded, digits) VALUES (?, ?, ?, ?, ?)",
            (*party, folded, party.digits),
        )
        return added.lastrowid or 0, folded

    def _hashes(self, row: _Row) -> list[str]:
        found = self._db.execute(
            "SELECT hash FROM attachment WHERE message = ? AND hash IS NOT NULL", (row.key,)
        ).fetchall()
        return [content_hash for (content_hash,) in found]

    def _drop_unused_texts(self, hashes: Iterable[str]) -> None:
        self._db.executemany(
            "DELETE FROM content WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM attachment WHERE hash = ?)",
            [(content_hash, content_hash) for content_hash in hashes],
        )

    def _rows_with(self, content_hash: str) -> list[_Row]:
        found = self._db.execute(
            "SELECT DISTINCT m.key, m.number, m.mailbox, m.record FROM attachment a "
            "JOIN message m ON m.key = a.message WHERE a.hash = ?",
            (content_hash,),
        ).fetchall()
        return [_row(row) for row in found]

    def _row(self, mailbox: int, message_id: str) -> _Row | None:
        found = self._db.execute(
            "SELECT key, number, mailbox, record FROM message WHERE mailbox = ? AND id = ?",
            (mailbox, message_key(message_id)),
        ).fetchone()
        return _row(found) if found else None

    def _row_at(self, number: int) -> _Row:
        return _row(
            self._db.execute("SELECT key, number, mailbox, record FROM message WHERE number = ?", (number,)).fetchone()
        )


def _place_in_line(message: Message) -> tuple[int, bool, int | str]:
    """Return what messages are ordered by: time, then id, as SQLite sorts numbers before texts."""
    key = message_key(message.id)
    return milliseconds(message.creation_time), isinstance(key, str), key


def _row(found: tuple[int, int, int, bytes]) -> _Row:
    key, number, mailbox, record = found
    return _Row(key, number, mailbox, decoded(record))
