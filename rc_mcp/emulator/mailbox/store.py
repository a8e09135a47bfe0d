"""One extension's mailbox: every message with its state, in the SQLite database that all mailboxes share.

`message`, `messages`, `content` and `add` are for tests and the demo; the rest is for the operations. Every query is
short and runs in the event loop's thread without interruption, so requests never interleave.
"""

# ruff: noqa: S608  conditions are built from constants; every value is bound

import sqlite3
from collections.abc import Callable, Generator, Hashable, Iterable
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from rc_mcp.emulator.dates import FIRST_MS, to_ms, whole_seconds
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.json_text import written
from rc_mcp.emulator.mailbox import ids, media_files
from rc_mcp.emulator.mailbox.folders import FOLDERS, Folder
from rc_mcp.emulator.mailbox.new_message import Attachment, Draft, compose, other_parties
from rc_mcp.emulator.mailbox.people import Party
from rc_mcp.emulator.mailbox.records import Addresses, MessageRecord, full_record, text_content
from rc_mcp.emulator.mailbox.schema import PART_MS
from rc_mcp.emulator.mailbox.selection import Selection, digits
from rc_mcp.emulator.vocabulary import Availability, ReadStatus

_COLUMNS = (
    "id, type, direction, read_status, availability, conversation_id, created_ms, modified_ms, removed_ms, owner, "
    "details"
)
_NEWEST_FIRST = "ORDER BY created_ms DESC, id DESC"
# The table's rows as a selection names their columns.
_TALLY = (
    "SELECT mailbox, availability, type, direction, read_status, part, nullif(owner, 0) AS owner, number FROM tally"
)
_ANSWERS_KEPT = 100

_Answer = TypeVar("_Answer")


class _Part(NamedTuple):
    """A part of the time, both ends included, and how many selected messages were created in it."""

    from_ms: int | None
    to_ms: int | None
    number: int


class Store:
    def __init__(
        self,
        database: sqlite3.Connection,
        *,
        addresses: Addresses,
        owner: Party,
        seed: int,
        now: Callable[[], datetime],
        first_id: int = ids.FIRST_ID,
    ) -> None:
        self.addresses = addresses
        self._database = database
        self._mailbox = int(addresses.extension_id)
        self._owner = owner
        self._seed = seed
        self._now = now
        self._answers: dict[Hashable, Any] = {}
        self._answered_at = -1
        self._last_id = self.setting(self._own("last_id"), first_id)
        self._room = {folder: self.setting(self._own(folder.name), folder.holds) for folder in FOLDERS}
        self._kept: dict[Folder, int] | None = None

    def close(self) -> None:
        self._database.close()

    # For tests and the demo

    def message(self, message_id: str | int) -> Json | None:
        """Return the message as stored, whatever its availability; None if it does not exist (any more)."""
        message = self.find(message_id)
        return None if message is None else full_record(message, self.addresses)

    def messages(self) -> list[Json]:
        """Return every message as stored, newest first."""
        return [full_record(message, self.addresses) for message in self.select(Selection())]

    def content(self, message_id: str | int, attachment_id: str | int) -> bytes | None:
        """Return the bytes of an attachment; None if it does not exist (any more)."""
        message = self.find(message_id)
        if message is None:
            return None
        attachments: list[Json] = message.details["attachments"]
        chosen = (item for item in attachments if str(item["id"]) == str(attachment_id))
        return next((self.bytes_of(message, item) for item in chosen), None)

    def add(self, draft: Draft) -> Json:
        """Add a message that arrives now or at its `created` time, and return the stored record."""
        with self.transaction():
            # Modified now, whatever its creation time: a sync must not miss a new message.
            message = self._insert(draft, modified_ms=self.now_ms())
            self.make_room()
        return full_record(self.find(message.id) or message, self.addresses)

    def add_all(self, drafts: Iterable[Draft]) -> None:
        """Add messages as if they had always been there. Folders that they overfill get a higher limit."""
        with self.transaction():
            for draft in drafts:
                self._insert(draft)
            self._room = {folder: max(count, self._room[folder]) for folder, count in self._held().items()}
            for folder, count in self._room.items():
                self.set_setting(self._own(folder.name), count)

    # For the operations

    def now_ms(self) -> int:
        return to_ms(self._now())

    def find(self, message_id: str | int) -> MessageRecord | None:
        """Return the message; None if it does not exist, or if a text cannot be an id."""
        text = str(message_id)
        could_be_id = text.isascii() and text.isdecimal() and len(text) <= 18
        return next(iter(self.matching("id = ?", int(text))), None) if could_be_id else None

    def bytes_of(self, message: MessageRecord, attachment: Json) -> bytes:
        """Return the content of an attachment: the text of the message, unless the attachment has its own."""
        query = "SELECT data, media_file FROM content WHERE (message_id, attachment_id) = (?, ?)"
        row = self._database.execute(query, [message.id, attachment["id"]]).fetchone()
        if row is None:
            return text_content(message.details["subject"])
        return media_files.read(row[1]) if row[0] is None else row[0]

    def count(self, selection: Selection) -> int:
        """Count the selected messages."""
        if selection.is_tallied:
            return sum(part.number for part in self._parts(selection))
        return self._counted(selection)

    def tally(self) -> dict[tuple[str, str, str], int]:
        """Count the messages of each type, availability and read status."""
        columns = "type, availability, read_status"
        query = f"SELECT {columns}, sum(number) FROM tally WHERE mailbox = ? GROUP BY {columns}"
        return {tuple(row[:3]): row[3] for row in self._database.execute(query, [self._mailbox])}

    def select(self, selection: Selection, *, limit: int = -1, offset: int = 0) -> list[MessageRecord]:
        """Return the selected messages, newest first. A limit below zero means no limit."""
        if selection.is_tallied:
            selection, offset = self._narrowed(selection, limit, offset)
        # The subquery finds the page's ids in the index only; then the records of one page are read.
        source, parameters = self._source("id, created_ms", selection)
        page = f"SELECT id FROM ({source}) {_NEWEST_FIRST} LIMIT ? OFFSET ?"
        return self._read(f"WHERE id IN ({page}) {_NEWEST_FIRST}", *parameters, limit, offset)

    def mark(self, message: MessageRecord, read_status: ReadStatus) -> MessageRecord:
        return self._update(message, message._replace(read_status=read_status, modified_ms=self._later_than(message)))

    def move(self, message: MessageRecord, availability: Availability, at_ms: int | None = None) -> MessageRecord:
        """Delete, restore or purge a message, now or at a past time. A purge erases its text and attachments."""
        modified_ms = self._later_than(message, at_ms)
        moved = message._replace(
            availability=availability,
            modified_ms=modified_ms,
            removed_ms=None if availability == "Alive" else modified_ms,
            details_json=_without_content(message) if availability == "Purged" else message.details_json,
        )
        return self._update(message, moved)

    def make_room(self) -> None:
        """Move the oldest messages out of every folder that has too many."""
        for folder in FOLDERS:
            if self._held()[folder] > self._room[folder]:
                for message in reversed(self.select(folder.selection, offset=self._room[folder])):
                    self.move(message, folder.overflows_to)

    def is_overfull(self) -> bool:
        """Whether a folder has too many messages."""
        return any(count > self._room[folder] for folder, count in self._held().items())

    def until_changed(self, question: Hashable, ask: Callable[[], _Answer]) -> _Answer:
        """Return the answer that `ask` gives, which is kept until the database changes."""
        if self._answered_at != self._database.total_changes or len(self._answers) > _ANSWERS_KEPT:
            self._answers.clear()
            self._answered_at = self._database.total_changes
        if question not in self._answers:
            self._answers[question] = ask()
        return self._answers[question]

    def earliest(self, column: str, index: str, condition: str) -> int | None:
        """Return the least time in this column of the index; None if no message meets the index's condition."""
        query = f"SELECT min({column}) FROM message INDEXED BY {index} WHERE mailbox = ? AND {condition}"
        return self._database.execute(query, [self._mailbox]).fetchone()[0]

    def matching(self, condition: str, *parameters: str | int) -> list[MessageRecord]:
        return self._read(f"WHERE mailbox = ? AND {condition}", self._mailbox, *parameters)

    def forget(self, condition: str, *parameters: int) -> None:
        """Remove rows permanently, as RingCentral does some days after a purge."""
        self._database.execute(f"DELETE FROM message WHERE mailbox = ? AND {condition}", [self._mailbox, *parameters])

    def setting(self, name: str, default: int) -> int:
        query = "SELECT value FROM setting WHERE name = ?"
        row = self.until_changed((query, name), lambda: self._database.execute(query, [name]).fetchone())
        return default if row is None else row[0]

    def set_setting(self, name: str, value: int) -> None:
        self._database.execute("REPLACE INTO setting (name, value) VALUES (?, ?)", [name, value])

    @contextmanager
    def transaction(self) -> Generator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            self._kept = None
            self._answers.clear()
            raise
        self._database.execute("COMMIT")

    # Helpers

    def _read(self, where: str, *parameters: str | int) -> list[MessageRecord]:
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM message {where}", parameters).fetchall()
        return [MessageRecord._make(row) for row in rows]

    def _insert(self, draft: Draft, modified_ms: int | None = None) -> MessageRecord:
        created = draft.created or self._now()
        message_id = self._new_id()
        details, attachments = compose(replace(draft, created=created), self._owner, message_id, self._new_id)
        removed_ms = None if draft.availability == "Alive" else to_ms(draft.removed or self._now())
        message = MessageRecord(
            id=message_id,
            type=draft.type,
            direction=draft.direction,
            read_status="Read" if draft.read else "Unread",
            availability=draft.availability,
            conversation_id=self._conversation_id(draft),
            created_ms=whole_seconds(to_ms(created)),
            modified_ms=modified_ms or removed_ms or to_ms(created),
            removed_ms=removed_ms,
            owner=None if draft.owner is None else int(draft.owner.extension_id),
            details_json=written(details),
        )
        if draft.availability == "Purged":
            message, attachments = message._replace(details_json=_without_content(message)), []
        # The fields of `MessageRecord` have the order of `_COLUMNS`.
        values = *message, self._mailbox
        marks = ", ".join("?" * len(values))
        self._database.execute(f"INSERT INTO message ({_COLUMNS}, mailbox) VALUES ({marks})", values)
        self._keep(attachments, message)
        self._note(message, 1)
        numbers = {(digits(number), message.id) for number in _phone_numbers(details)}
        self._database.executemany("INSERT INTO phone_number VALUES (?, ?)", sorted(numbers))
        self.set_setting(self._own("last_id"), self._last_id)
        return message

    def _keep(self, attachments: list[Attachment], message: MessageRecord) -> None:
        rows = [
            (message.id, each.id, *((None, each.content) if isinstance(each.content, str) else (each.content, None)))
            for each in attachments
            if each.content is not None
        ]
        self._database.executemany("INSERT INTO content VALUES (?, ?, ?, ?)", rows)

    def _update(self, message: MessageRecord, changed: MessageRecord) -> MessageRecord:
        columns = "read_status, availability, modified_ms, removed_ms, details"
        values = changed.read_status, changed.availability, changed.modified_ms, changed.removed_ms
        query = f"UPDATE message SET ({columns}) = (?, ?, ?, ?, ?) WHERE id = ?"
        self._database.execute(query, [*values, changed.details_json, message.id])
        if changed.availability == "Purged":
            self._database.execute("DELETE FROM content WHERE message_id = ?", [message.id])
        self._note(message, -1)
        self._note(changed, 1)
        return changed

    def _new_id(self) -> int:
        self._last_id = ids.next_id(self._seed, self._last_id)
        return self._last_id

    def _conversation_id(self, draft: Draft) -> int | None:
        if draft.type not in {"SMS", "Pager"}:
            return None
        parties = sorted(str(party) for party in other_parties(draft))
        if draft.owner is not None:
            # Its conversation with a number is not the user's own.
            parties.append(draft.owner.extension_id)
        return ids.conversation_id(self._seed, draft.conversation or "/".join(parties))

    def _later_than(self, message: MessageRecord, at_ms: int | None = None) -> int:
        """Return a time after the last change, even if the clock is stopped: clients compare these times."""
        return max(self.now_ms() if at_ms is None else at_ms, message.modified_ms + 1)

    def _own(self, setting: str) -> str:
        """Return this mailbox's name for a setting that each mailbox has."""
        return f"{setting} {self._mailbox}"

    def _held(self) -> dict[Folder, int]:
        """Return the number of messages in each folder: counted once, then updated with every move."""
        if self._kept is None:
            self._kept = {folder: self.count(folder.selection) for folder in FOLDERS}
        return self._kept

    def _note(self, message: MessageRecord, by: int) -> None:
        if self._kept is None:
            return
        for folder in FOLDERS:
            self._kept[folder] += by if folder.has(message) else 0

    def _parts(self, selection: Selection) -> list[_Part]:
        """Return the parts of the time in which selected messages were created, newest first.

        Their number is in the database, so this costs no more in a larger mailbox; only at the ends of the selection's
        time are messages counted.
        """
        to_ms = selection.created_until_ms
        if to_ms is not None and to_ms >= self.until_changed("newest", self._newest_ms):
            # "Until now" differs in every request but excludes no message.
            to_ms = None
        asked = selection.between(selection.created_from_ms, to_ms)
        return self.until_changed(asked, lambda: self._tallied(asked, asked.created_from_ms, to_ms))

    def _tallied(self, selection: Selection, from_ms: int | None, to_ms: int | None) -> list[_Part]:
        # The whole parts in the selection's time: the first, and the one after the last.
        first = None if from_ms is None else -(-(from_ms - FIRST_MS) // PART_MS)
        end = None if to_ms is None else (to_ms + 1 - FIRST_MS) // PART_MS
        if first is not None and end is not None and first >= end:
            return self._counted_parts(selection, from_ms, to_ms)
        parts = [] if end is None else self._counted_parts(selection, _start_ms(end), to_ms)
        parts += self._whole_parts(selection, first, end)
        return parts if first is None else parts + self._counted_parts(selection, from_ms, _start_ms(first) - 1)

    def _whole_parts(self, selection: Selection, first: int | None, end: int | None) -> list[_Part]:
        condition, parameters = selection.of_kind()
        for bound, value in {"part >= ?": first, "part < ?": end}.items():
            if value is not None:
                condition, parameters = f"{condition} AND {bound}", [*parameters, value]
        query = (
            f"SELECT part, sum(number) FROM ({_TALLY}) WHERE mailbox = ? AND {condition} "
            "GROUP BY part ORDER BY part DESC"
        )
        rows = self._database.execute(query, [self._mailbox, *parameters])
        return [_Part(_start_ms(part), _start_ms(part + 1) - 1, number) for part, number in rows]

    def _counted_parts(self, selection: Selection, from_ms: int | None, to_ms: int | None) -> list[_Part]:
        number = self._counted(selection.between(from_ms, to_ms))
        return [_Part(from_ms, to_ms, number)] if number else []

    def _counted(self, selection: Selection) -> int:
        source, parameters = self._source("id", selection)
        return self._database.execute(f"SELECT count(*) FROM ({source})", parameters).fetchone()[0]

    def _newest_ms(self) -> int:
        query = "SELECT max(created_ms) FROM message WHERE mailbox = ?"
        return self._database.execute(query, [self._mailbox]).fetchone()[0] or 0

    def _narrowed(self, selection: Selection, limit: int, offset: int) -> tuple[Selection, int]:
        """Return a selection of only those parts of the time that have the page, and how many to leave out of it."""
        parts = iter(self._parts(selection))
        newest = oldest = next(parts, _Part(0, -1, 0))
        while newest.number <= offset and (following := next(parts, None)):
            offset -= newest.number
            newest = oldest = following
        missing = offset + limit - newest.number
        while (limit < 0 or missing > 0) and (following := next(parts, None)):
            oldest = following
            missing -= oldest.number
        return selection.between(oldest.from_ms, newest.to_ms), offset

    def _source(self, columns: str, selection: Selection) -> tuple[str, list[str | int]]:
        condition, bound = selection.where()
        # If the selection has its own index, the plus keeps SQLite from scanning the whole mailbox.
        mailbox = "+mailbox" if selection.is_narrow else "mailbox"
        where, parameters = f"{mailbox} = ? AND {condition}", [self._mailbox, *bound]
        if selection.only_shared:
            where += " AND owner IS NOT NULL"
        most = selection.per_conversation
        if selection.distinct_conversations:
            # "The latest message of every conversation id", taken literally, excludes messages without one.
            where, most = f"{where} AND conversation_id IS NOT NULL", 1
        if most is None:
            return f"SELECT {columns} FROM message {_index_for(selection)} WHERE {where}", parameters
        rank = f"row_number() OVER (PARTITION BY conversation_id {_NEWEST_FIRST}) AS rank"
        ranked = f"SELECT {columns}, conversation_id, {rank} FROM message WHERE {where}"
        kept = "conversation_id IS NULL OR rank <= ?"
        return f"SELECT {columns} FROM ({ranked}) WHERE {kept}", [*parameters, most]


def _index_for(selection: Selection) -> str:
    if selection.is_narrow or selection.is_ranked:
        return ""
    # Left to itself, SQLite would read the whole mailbox in order of time, in search of a rare kind.
    return "INDEXED BY message_shared" if selection.only_shared else "INDEXED BY message_by_kind"


def _start_ms(part: int) -> int:
    return FIRST_MS + part * PART_MS


def _without_content(message: MessageRecord) -> str:
    """Return a purged message's details. It is documented that attachments are removed, but not that the text is."""
    kept = {key: value for key, value in message.details.items() if key != "subject"}
    return written({**kept, "attachments": []})


def _phone_numbers(details: Json) -> list[str]:
    parties = [details.get("from", {}), *details.get("to", [])]
    return [party["phoneNumber"] for party in parties if "phoneNumber" in party]
