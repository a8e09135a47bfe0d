"""The mailbox itself: every message with its state, in SQLite.

`message`, `messages` and `add` are for whoever watches from outside (tests, the demo); the rest serves the
operations. Every query is short and runs to its end in the event loop's thread, so one request is never
interleaved with another.
"""

# ruff: noqa: S608  conditions are put together from constants; every value is bound

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rc_mcp.emulator import ids
from rc_mcp.emulator.dates import to_ms, whole_seconds
from rc_mcp.emulator.drafts import Draft, compose, other_parties
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.people import Party
from rc_mcp.emulator.schema import open_database
from rc_mcp.emulator.selection import Selection, digits
from rc_mcp.emulator.vocabulary import Availability, ReadStatus
from rc_mcp.emulator.wire import Addresses, Message, full_record

_COLUMNS = "id, type, direction, read_status, availability, conversation_id, created_ms, modified_ms, details"
_NEWEST_FIRST = "ORDER BY created_ms DESC, id DESC"


class Store:
    def __init__(
        self, path: str | Path, *, addresses: Addresses, owner: Party, seed: int, now: Callable[[], datetime]
    ) -> None:
        self._database = open_database(path)
        self._addresses = addresses
        self._owner = owner
        self._seed = seed
        self._now = now
        self._last_id = self.setting("last_id", ids.FIRST_ID)

    def close(self) -> None:
        self._database.close()

    # For whoever looks from outside

    def message(self, message_id: str | int) -> Json | None:
        """The message as it is stored, whatever its state. None when it never was or is gone for good."""
        message = self.find(int(message_id)) if looks_like_id(str(message_id)) else None
        return None if message is None else full_record(message, self._addresses)

    def messages(self) -> list[Json]:
        """Every message as it is stored, newest first."""
        return [full_record(message, self._addresses) for message in self.select(Selection())]

    def add(self, draft: Draft) -> Json:
        """Takes in a message as if it arrived now, or at the time it names. Gives the stored record."""
        with self.transaction():
            # Modified now, however old it says it is: a sync must not miss what was not there before.
            message = self._insert(draft, modified_ms=self.now_ms())
        return full_record(message, self._addresses)

    def add_all(self, drafts: Iterable[Draft]) -> None:
        """Takes in messages as if they had been there all along."""
        with self.transaction():
            for draft in drafts:
                self._insert(draft)

    # For the operations

    def now_ms(self) -> int:
        return to_ms(self._now())

    def find(self, message_id: int) -> Message | None:
        row = self._database.execute(f"SELECT {_COLUMNS} FROM message WHERE id = ?", [message_id]).fetchone()
        return None if row is None else _message(row)

    def count(self, selection: Selection, *, distinct_conversations: bool = False) -> int:
        source, parameters = _source("id", selection, distinct_conversations)
        return self._database.execute(f"SELECT count(*) FROM ({source})", parameters).fetchone()[0]

    def select(
        self, selection: Selection, *, limit: int = -1, offset: int = 0, distinct_conversations: bool = False
    ) -> list[Message]:
        """The selected messages, newest first. A limit below zero is no limit."""
        # Pages are cut over the index alone; only then are the records of one page read.
        source, parameters = _source("id, created_ms", selection, distinct_conversations)
        page = f"SELECT id FROM ({source}) {_NEWEST_FIRST} LIMIT ? OFFSET ?"
        query = f"SELECT {_COLUMNS} FROM message WHERE id IN ({page}) {_NEWEST_FIRST}"
        rows = self._database.execute(query, [*parameters, limit, offset]).fetchall()
        return [_message(row) for row in rows]

    def mark(self, message: Message, read_status: ReadStatus) -> Message:
        changed = replace(message, read_status=read_status, modified_ms=self._later_than(message))
        self._database.execute(
            "UPDATE message SET read_status = ?, modified_ms = ? WHERE id = ?",
            [read_status, changed.modified_ms, message.id],
        )
        return changed

    def move(self, message: Message, availability: Availability) -> Message:
        """Deletes, restores or purges. Purging erases the content along with its attachments."""
        details = _without_content(message.details) if availability == "Purged" else message.details
        modified_ms = self._later_than(message)
        self._database.execute(
            "UPDATE message SET availability = ?, modified_ms = ?, removed_ms = ?, details = ? WHERE id = ?",
            [
                availability,
                modified_ms,
                None if availability == "Alive" else self.now_ms(),
                json.dumps(details),
                message.id,
            ],
        )
        return replace(message, availability=availability, modified_ms=modified_ms, details=details)

    def matching(self, condition: str, *parameters: int) -> list[Message]:
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM message WHERE {condition}", parameters)
        return [_message(row) for row in rows.fetchall()]

    def forget(self, condition: str, *parameters: int) -> None:
        """Removes rows for good, as RingCentral does some days after a purge."""
        self._database.execute(f"DELETE FROM message WHERE {condition}", parameters)

    def setting(self, name: str, default: int) -> int:
        row = self._database.execute("SELECT value FROM setting WHERE name = ?", [name]).fetchone()
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
            raise
        self._database.execute("COMMIT")

    # Helpers

    def _insert(self, draft: Draft, modified_ms: int | None = None) -> Message:
        created = draft.created or self._now()
        message_id = self._new_id()
        details = compose(replace(draft, created=created), self._owner, message_id, self._new_id)
        removed_ms = None if draft.availability == "Alive" else to_ms(draft.removed or self._now())
        message = Message(
            id=message_id,
            type=draft.type,
            direction=draft.direction,
            read_status="Read" if draft.read else "Unread",
            availability=draft.availability,
            conversation_id=self._conversation_id(draft),
            created_ms=whole_seconds(to_ms(created)),
            modified_ms=modified_ms or removed_ms or to_ms(created),
            details=_without_content(details) if draft.availability == "Purged" else details,
        )
        self._write(message, removed_ms)
        return message

    def _write(self, message: Message, removed_ms: int | None) -> None:
        values = (*_row(message), removed_ms)
        marks = ", ".join("?" * len(values))
        self._database.execute(f"INSERT INTO message ({_COLUMNS}, removed_ms) VALUES ({marks})", values)
        numbers = {(digits(number), message.id) for number in _phone_numbers(message.details)}
        self._database.executemany("INSERT INTO phone_number VALUES (?, ?)", sorted(numbers))
        self.set_setting("last_id", self._last_id)

    def _new_id(self) -> int:
        self._last_id = ids.next_id(self._seed, self._last_id)
        return self._last_id

    def _conversation_id(self, draft: Draft) -> int | None:
        if draft.type not in {"SMS", "Pager"}:
            return None
        parties = sorted(str(party) for party in other_parties(draft))
        return ids.conversation_id(self._seed, draft.conversation or "/".join(parties))

    def _later_than(self, message: Message) -> int:
        """Strictly after the last change, even when the clock stands still: clients compare these times."""
        return max(self.now_ms(), message.modified_ms + 1)


def looks_like_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _source(columns: str, selection: Selection, distinct_conversations: bool) -> tuple[str, list[str | int]]:
    where, parameters = selection.where()
    if not distinct_conversations:
        return f"SELECT {columns} FROM message WHERE {where}", parameters
    # "The latest message of every conversation id", taken at its word: messages without one are not shown.
    rank = f"row_number() OVER (PARTITION BY conversation_id {_NEWEST_FIRST}) AS rank"
    inner = f"SELECT {columns}, {rank} FROM message WHERE {where} AND conversation_id IS NOT NULL"
    return f"SELECT {columns} FROM ({inner}) WHERE rank = 1", parameters


def _message(row: tuple[Any, ...]) -> Message:
    return Message(*row[:-1], details=json.loads(row[-1]))


def _row(message: Message) -> tuple[str | int | None, ...]:
    return (
        message.id,
        message.type,
        message.direction,
        message.read_status,
        message.availability,
        message.conversation_id,
        message.created_ms,
        message.modified_ms,
        json.dumps(message.details),
    )


def _without_content(details: Json) -> Json:
    """What stays of a purged message. That attachments go is documented; that the text goes is the harder reading."""
    return {**{key: value for key, value in details.items() if key != "subject"}, "attachments": []}


def _phone_numbers(details: Json) -> list[str]:
    parties = [details.get("from", {}), *details.get("to", [])]
    return [party["phoneNumber"] for party in parties if "phoneNumber" in party]
