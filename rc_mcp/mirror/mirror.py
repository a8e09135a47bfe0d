"""The local copy as its feed writes it: messages, the texts of their attachments, and how far the feed is."""

import secrets
import sqlite3
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Literal, NamedTuple, Self

from rc_mcp.mirror.database import (
    FILE,
    SET_ASIDE,
    check_tables,
    damaged_files,
    erase_everything,
    has_secure_delete,
    identity,
    index_version,
    is_damage,
    open_quietly,
    refusal,
    remove_damaged,
    remove_files,
    wipe_log,
)
from rc_mcp.mirror.documents import NO_TIME_MS, decoded, message_key, moment, storable
from rc_mcp.mirror.encryption import connector, errors
from rc_mcp.mirror.errors import Damaged, Unusable, WrongKey
from rc_mcp.mirror.rows import Rows, Source, State, Text
from rc_mcp.ringcentral import Message

SYNCED_AT = "synced_at"
"""The name of the progress that says when the copy last agreed with the mailbox: ISO 8601."""


class MissingText(NamedTuple):
    """An attachment whose text is not in the copy."""

    message: Message
    attachment_id: str


@dataclass(frozen=True)
class Status:
    """What the copy has of a mailbox.

    Attributes:
        messages: how many, deleted ones included.
        contents_missing: how many attachments have a text that was not fetched yet.
        contents_unreadable: how many attachments cannot be read as text, such as scans without OCR.
        oldest, newest: when the first and the last message were created; None without messages, or if unknown.
        synced_at: as the feed wrote it.
        set_aside: how many damaged copies were renamed and are still in the state folder.
    """

    messages: int
    contents_missing: int
    contents_unreadable: int
    oldest: datetime | None
    newest: datetime | None
    synced_at: str | None
    set_aside: int


class Mirror:
    """The local copy in a state folder. It can be used by several threads, one at a time, and by several processes.

    Every method raises `Damaged` if the file turns out to be damaged, after an empty one took its place, and `Unusable`
    if it cannot be read or written now.
    """

    was_damaged: bool
    """The file was damaged when it was opened, and an empty one took its place."""
    generation: int
    """Another one after each time that the file was opened anew: numbers of mailboxes may mean others by then."""

    def __init__(self, state_dir: Path, key: str | None = None) -> None:
        """Open the copy, which is created if there is none.

        Args:
            key: what encrypts the copy, as `encryption.key_from` returns it; None for a copy that is not encrypted.

        Raises:
            MadeByNewer: a newer rc-mcp made the file. It is left unchanged.
            WrongKey: the copy has another key, or only one of key and copy is there. It is left unchanged.
            Unusable: the file cannot be opened.
        """
        self._state_dir, self._key = state_dir, key
        self._lock = RLock()
        self._rows: Rows | None = None
        self._unwiped = False
        self.generation = 0
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def mailbox(self, account_id: str, extension_id: str) -> int:
        """Return the number of a mailbox in the copy, which is added if it is not there."""
        with self.reading() as db:
            found = db.execute(
                "SELECT number FROM mailbox WHERE account = ? AND extension = ?", (account_id, extension_id)
            ).fetchone()
        if found:
            return found[0]
        with self._writing() as rows:
            rows.add_mailbox(account_id, extension_id)
        return self.mailbox(account_id, extension_id)

    def mailboxes(self) -> dict[tuple[str, str], int]:
        """Return the numbers of all mailboxes in the copy, by account and extension."""
        with self.reading() as db:
            found = db.execute("SELECT account, extension, number FROM mailbox ORDER BY number").fetchall()
        return {(account, extension): number for account, extension, number in found}

    def put(self, mailbox: int, records: Iterable[Message], progress: Mapping[str, str] | None = None) -> None:
        """Take over records and the feed's progress, all or none. To put the same again changes nothing.

        A record replaces an earlier one of its id. A Purged message is erased. A removal as an ISync reports it, with
        only an id and an availability, changes the message that is there.
        """
        with self._writing() as rows:
            rows.take_over(mailbox, records)
            rows.note(mailbox, progress or {})

    def erase(self, mailbox: int, message_ids: Iterable[str], progress: Mapping[str, str] | None = None) -> None:
        """Erase messages, their texts and their words. Unknown ids are ignored."""
        with self._writing() as rows:
            rows.erase(mailbox, message_ids)
            rows.note(mailbox, progress or {})

    def put_text(
        self,
        mailbox: int,
        message_id: str,
        attachment_id: str,
        text: str | None,
        *,
        source: Source = "ringcentral",
        content_hash: str = "",
        state: Literal["none", "failed"] = "none",
    ) -> bool:
        """Add the text of an attachment, in place of an earlier one. Return whether the message is in the copy.

        Args:
            text: None if there is none; `state` says why.
            content_hash: of the attachment's bytes. Attachments with the same bytes share a text.
        """
        with self._writing() as rows:
            return rows.put_text(mailbox, message_id, attachment_id, Text(text, source, content_hash, state))

    def text(self, mailbox: int, message_id: str, attachment_id: str) -> tuple[State, Source | None, str | None]:
        """Return the state, the source and the text of an attachment. The state of an unknown one is `missing`."""
        with self.reading() as db:
            found = db.execute(
                "SELECT a.state, c.source, c.text FROM message m JOIN attachment a ON a.message = m.key "
                "LEFT JOIN content c ON c.hash = a.hash WHERE m.mailbox = ? AND m.id = ? AND a.id = ?",
                (mailbox, message_key(message_id), storable(attachment_id)),
            ).fetchone()
        return found or ("missing", None, None)

    def missing(self, mailbox: int, limit: int) -> list[MissingText]:
        """Return attachments whose text is not in the copy: voicemail transcripts first, then the newest first."""
        with self.reading() as db:
            found = db.execute(
                "SELECT m.record, a.id FROM attachment a JOIN message m ON m.key = a.message "
                "WHERE a.mailbox = ? AND a.state = 'missing' ORDER BY a.rank, a.created_ms DESC LIMIT ?",
                (mailbox, limit),
            ).fetchall()
        return [MissingText(decoded(record), attachment_id) for record, attachment_id in found]

    def read_in(self, ways: Collection[str]) -> None:
        """Note in which ways pages are read. With a new way, what could not be read before is missing again."""
        with self.reading() as db:
            found = db.execute("SELECT value FROM setting WHERE name = 'ways'").fetchone()
        known = set(found[0].split()) if found else None
        if known != set(ways):
            with self._writing() as rows:
                rows.read_in(ways, again=known is not None and not known.issuperset(ways))

    def hear_with(self, hearing: str) -> None:
        """Note how recordings are transcribed. After a change, those to transcribe are missing, also the transcribed.

        Args:
            hearing: the mode, a colon, and the digest of the model; empty if none are transcribed.
        """
        with self.reading() as db:
            known = Rows(db).hearing()
        if known != hearing:
            with self._writing() as rows:
                rows.hear_with(hearing)

    def message(self, mailbox: int, message_id: str) -> Message | None:
        """Return a record as it was put."""
        with self.reading() as db:
            return Rows(db).message(mailbox, message_id)

    def progress(self, mailbox: int) -> dict[str, str]:
        """Return what the feed noted about its progress."""
        with self.reading() as db:
            return dict(db.execute("SELECT name, value FROM progress WHERE mailbox = ?", (mailbox,)).fetchall())

    def index_again(self) -> int:
        """Check the records and texts, and make the index again from them. Return how many messages it has."""
        with self._writing() as rows:
            check_tables(self._db)
            rows.index_again()
        with self.reading() as db:
            return db.execute("SELECT count(*) FROM message").fetchone()[0]

    def status(self, mailbox: int) -> Status:
        """Return what the copy has of a mailbox."""
        with self.reading() as db:
            counts = db.execute("SELECT messages, missing, failed FROM mailbox WHERE number = ?", (mailbox,)).fetchone()
            ends = [self._end(db, mailbox, "ASC"), self._end(db, mailbox, "DESC")]
            synced = db.execute(
                "SELECT value FROM progress WHERE mailbox = ? AND name = ?", (mailbox, SYNCED_AT)
            ).fetchone()
        messages, missing, failed = counts or (0, 0, 0)
        set_aside = sum(path.suffix == ".db" for path in damaged_files(self._state_dir))
        return Status(messages, missing, failed, ends[0], ends[1], synced and synced[0], set_aside)

    def forget(self) -> bool:
        """Erase the whole copy. Return False while another process reads it: then its log is emptied afterwards."""
        with self._lock, self._faults():
            self._reopen_if_replaced()
            erase_everything(self._db)
            remove_damaged(self._state_dir)
            self._unwiped = not wipe_log(self._db)
            return not self._unwiped

    def open_set_aside(self) -> sqlite3.Connection:
        """Open the damaged copy that was set aside, with the key of this one."""
        file = self._state_dir / FILE
        connect = sqlite3.connect if self._key is None else connector(file, self._key)
        return connect(file.with_name(SET_ASIDE), isolation_level=None)

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Run queries that all see the copy at one moment."""
        with self._lock, self._faults():
            if self._is_in_transaction():
                yield self._db
                return
            self._reopen_if_replaced()
            self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                if self._is_in_transaction():  # not after a fault in a block within, which shut the file
                    self._db.execute("ROLLBACK")

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Make all changes within the block one change: all of them are in the copy, or none. It is also faster."""
        with self._writing():
            yield

    @contextmanager
    def _writing(self) -> Generator[Rows]:
        with self._lock:
            if self._rows is not None:  # within at_once
                yield self._rows
                return
            with self._faults():
                self._reopen_if_replaced()
                self._db.execute("BEGIN IMMEDIATE")
                self._rows = Rows(self._db)
                try:
                    yield self._rows
                    self._commit(self._rows)
                finally:
                    self._rows = None
                    if self._is_in_transaction():  # after an error
                        self._db.execute("ROLLBACK")

    def _commit(self, rows: Rows) -> None:
        rows.finish()
        if rows.erased and not has_secure_delete(self._db):
            # Otherwise the words stay in the file, marked as removed.
            self._db.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._db.execute("COMMIT")
        if rows.erased:
            remove_damaged(self._state_dir)
        if rows.erased or self._unwiped:
            self._unwiped = not wipe_log(self._db)

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except (OSError, *errors()) as error:
            damaged = self._identity
            if is_damage(error):
                self._shut()  # Windows does not rename an open file
            # Otherwise it stays open: on a full disk it can be searched, but perhaps not opened again.
            fault = refusal(error, self._state_dir, damaged)
            if self._identity is None:
                self._open()
            raise fault from error

    def _reopen_if_replaced(self) -> None:
        """Open the file that is there now, if another process set this one aside, or a user removed it."""
        if self._identity is None or identity(self._state_dir) != self._identity:
            self._shut()
            self._open()

    def _shut(self) -> None:
        """Close the file, which the next use opens."""
        self._db.close()
        self._identity = None

    def _is_in_transaction(self) -> bool:
        return self._identity is not None and self._db.in_transaction

    def _open(self) -> None:
        self._db, self.was_damaged = open_quietly(self._state_dir, self._key)
        self._identity = identity(self._state_dir)
        self.generation += 1
        self._unwiped = True  # on a full disk, opening the file did not empty its log
        try:
            with self._faults_at_start():
                self._begin()
        except BaseException:
            self._shut()
            raise

    @contextmanager
    def _faults_at_start(self) -> Generator[None]:
        try:
            yield
        except errors() as error:
            self._db.close()
            fault = refusal(error, self._state_dir, self._identity)
            if not isinstance(fault, Damaged):
                raise fault from error
            self._db, self.was_damaged = open_quietly(self._state_dir, self._key)[0], True
            self._identity = identity(self._state_dir)
            self._begin()

    def _begin(self) -> None:
        """Write the key of the cursors, and make the index again if another version made it."""
        known = self._db.execute("SELECT value FROM setting WHERE name = 'index'").fetchone()
        if known == (index_version(self._db),):
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR IGNORE INTO setting VALUES ('cursor key', ?)", (secrets.token_bytes(32),))
        self._db.execute("INSERT OR REPLACE INTO setting VALUES ('index', ?)", (index_version(self._db),))
        Rows(self._db).index_again()
        self._db.execute("COMMIT")

    def _end(self, db: sqlite3.Connection, mailbox: int, order: Literal["ASC", "DESC"]) -> datetime | None:
        found = db.execute(
            "SELECT created_ms FROM message WHERE mailbox = ? AND created_ms > ? "  # noqa: S608
            f"ORDER BY created_ms {order}, id {order} LIMIT 1",
            (mailbox, NO_TIME_MS),
        ).fetchone()
        return moment(found[0]) if found else None


def forget_copy(state_dir: Path) -> None:
    """Erase the copy and remove its files. This needs no key: what is encrypted cannot be read without `mirror.salt`.

    Raises:
        Unusable: the files cannot be written or removed now.
    """
    try:
        with suppress(WrongKey), Mirror(state_dir) as mirror:
            mirror.forget()
        remove_files(state_dir)
    except OSError as error:
        raise Unusable(f"The local copy cannot be removed now ({type(error).__name__}).") from None
