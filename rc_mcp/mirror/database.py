"""The copy's only file, `mirror.db`: an SQLite database in the state folder, readable only by its owner.

It is a copy: a crash of the machine may lose the last transactions, but never leaves half of one. A damaged file is
renamed, and an empty one takes its place.
"""

import errno
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from rc_mcp.locks import wait_for_lock
from rc_mcp.mirror import encryption, folding
from rc_mcp.mirror.errors import Damaged, MadeByNewer, Unusable
from rc_mcp.private_files import make_folder

FILE = "mirror.db"
SET_ASIDE = "mirror.damaged.db"
"""The name of a damaged file. Its log has the name after it, as SQLite wants it."""
MAILBOX_BITS = 40
"""Each mailbox has this many bits of message numbers of its own, so a range of numbers is a mailbox."""

Identity = tuple[int, int]
"""The device and the inode of a file."""

_PATIENCE_S = 10
_LOG_PATIENCE_MS = 1_000
"""For the readers of the log, which may be long ones: the next change tries again, and searches wait meanwhile."""
_CACHE_KIB = 4096
_OF_THE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_OF_MAILBOXES = ("participant", "party", "attachment", "content", "message", "progress", "mailbox")
_TABLES = (*_OF_MAILBOXES, "setting")
_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another process is writing it",
    sqlite3.SQLITE_READONLY: "it cannot be written to",
    sqlite3.SQLITE_PERM: "this user may not use it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports a fault",
}
_OF_THE_SYSTEM = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.EROFS: sqlite3.SQLITE_READONLY,
    errno.EACCES: sqlite3.SQLITE_PERM,
    errno.EPERM: sqlite3.SQLITE_PERM,
    errno.EIO: sqlite3.SQLITE_IOERR,
}
"""Errors of the system that mean the same as one of SQLite."""

MIGRATIONS = (
    # `message.number` is the rowid in the index. It follows the time of creation (see `order.py`), so the newest hits
    # come first without sorting. It may change; `key` does not.
    #
    # The index has no copy of the text (content=''): what it had is made again from the record to remove a message.
    """
    CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE mailbox (
        number INTEGER PRIMARY KEY, account TEXT NOT NULL, extension TEXT NOT NULL,
        messages INTEGER NOT NULL DEFAULT 0, missing INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
        UNIQUE (account, extension)
    );
    CREATE TABLE progress (
        mailbox INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (mailbox, name)
    ) WITHOUT ROWID;

    CREATE TABLE message (
        key INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, mailbox INTEGER NOT NULL,
        created_ms INTEGER NOT NULL, id NOT NULL, record BLOB NOT NULL, UNIQUE (mailbox, id)
    );
    CREATE INDEX message_by_time ON message (mailbox, created_ms, id, number);

    CREATE TABLE content (hash TEXT PRIMARY KEY, source TEXT NOT NULL, text TEXT NOT NULL);
    CREATE TABLE attachment (
        message INTEGER NOT NULL, id TEXT NOT NULL, mailbox INTEGER NOT NULL, created_ms INTEGER NOT NULL,
        rank INTEGER NOT NULL, state TEXT NOT NULL, hash TEXT, PRIMARY KEY (message, id)
    ) WITHOUT ROWID;
    CREATE INDEX attachment_missing ON attachment (mailbox, rank, created_ms DESC) WHERE state = 'missing';
    CREATE INDEX attachment_by_hash ON attachment (hash) WHERE hash IS NOT NULL;

    CREATE TABLE party (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL, phone TEXT NOT NULL, extension TEXT NOT NULL,
        folded TEXT NOT NULL, digits TEXT NOT NULL, UNIQUE (name, phone, extension)
    );
    CREATE TABLE participant (
        party INTEGER NOT NULL, role TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (party, role, number)
    ) WITHOUT ROWID;

    CREATE VIRTUAL TABLE words USING fts5 (text, content='', tokenize='ascii');

    CREATE TRIGGER message_comes AFTER INSERT ON message
        BEGIN UPDATE mailbox SET messages = messages + 1 WHERE number = NEW.mailbox; END;
    CREATE TRIGGER message_goes AFTER DELETE ON message
        BEGIN UPDATE mailbox SET messages = messages - 1 WHERE number = OLD.mailbox; END;
    CREATE TRIGGER attachment_comes AFTER INSERT ON attachment
        BEGIN UPDATE mailbox SET missing = missing + (NEW.state = 'missing'), failed = failed + (NEW.state = 'failed')
            WHERE number = NEW.mailbox; END;
    CREATE TRIGGER attachment_goes AFTER DELETE ON attachment
        BEGIN UPDATE mailbox SET missing = missing - (OLD.state = 'missing'), failed = failed - (OLD.state = 'failed')
            WHERE number = OLD.mailbox; END;
    CREATE TRIGGER attachment_changes AFTER UPDATE OF state ON attachment
        BEGIN UPDATE mailbox SET missing = missing - (OLD.state = 'missing') + (NEW.state = 'missing'),
            failed = failed - (OLD.state = 'failed') + (NEW.state = 'failed') WHERE number = NEW.mailbox; END;
    """,
    # END_DIGITS of contacts/book.py.
    """
    CREATE INDEX party_by_end ON party (substr(digits, -7));
    CREATE INDEX party_by_extension ON party (extension);
    """,
)
"""The script at N migrates the file from version N to N + 1. Add scripts at the end."""
VERSION = len(MIGRATIONS)


def connect(state_dir: Path, key: str | None) -> sqlite3.Connection:
    """Open the copy, which is created or migrated if needed.

    Args:
        key: of an encrypted copy; None for one that is not encrypted.

    Raises:
        WrongKey: it is that of another copy, or only one of key and copy is there. Nothing was changed.
        Damaged: the file was damaged, and was set aside.
        MadeByNewer: a newer rc-mcp made the file.
        Unusable: the file cannot be opened now.
    """
    try:
        make_folder(state_dir)
        with _locked(state_dir):
            try:
                return _open(state_dir, key)
            except encryption.errors() as error:
                if is_damage(error):
                    _rename(state_dir)
                raise
    except (OSError, *encryption.errors()) as error:
        raise _refusal(error) from error


def refusal(error: Exception, state_dir: Path, damaged: Identity | None) -> Damaged | Unusable:
    """Return the error to raise for a fault of an open file. It is set aside if it is damaged.

    Args:
        damaged: that file. Another process may have set it aside already.
    """
    if is_damage(error):
        try:
            with _locked(state_dir):
                if identity(state_dir) == damaged:
                    _rename(state_dir)
        except OSError as other:
            return Unusable(f"The local copy is damaged, and cannot be renamed ({type(other).__name__}).")
    return _refusal(error)


def _refusal(error: Exception) -> Damaged | Unusable:
    if is_damage(error):
        return Damaged(
            "The local copy was damaged. It was renamed, and a new copy begins empty: messages are found again as "
            "they are fetched."
        )
    why = _REASONS.get(_code(error), type(error).__name__)
    return Unusable(f"The local copy cannot be used now: {why}. No message in the mailbox changed.")


def is_damage(error: Exception) -> bool:
    """Return whether the error says that the file is damaged."""
    return _code(error) in _DAMAGED


def _code(error: Exception) -> int:
    """Return SQLite's number for the class of an error; 0 for an error of another kind."""
    if isinstance(error, OSError):
        return _OF_THE_SYSTEM.get(error.errno or 0, 0)
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the lowest byte is the class


@contextmanager
def _locked(state_dir: Path) -> Generator[None]:
    """Let no other process open or rename the file in the meantime."""
    lock = wait_for_lock((state_dir / FILE).with_suffix(".lock"), _PATIENCE_S)
    if lock is None:
        raise TimeoutError("another process is opening the file")
    try:
        yield
    finally:
        lock.release()


def identity(state_dir: Path) -> Identity | None:
    """Return what tells the file from another one of the same name; None if there is none."""
    try:
        there = (state_dir / FILE).stat()
    except FileNotFoundError:
        return None
    return there.st_dev, there.st_ino


def damaged_files(state_dir: Path) -> list[Path]:
    """Return the files that were set aside."""
    return sorted(state_dir.glob(f"{Path(SET_ASIDE).stem}*"))


def wipe_log(db: sqlite3.Connection) -> bool:
    """Move everything from the log to the file and empty the log.

    Return False while another process reads it, or while the disk is full or at fault: the copy can still be searched.
    """
    try:
        db.execute(f"PRAGMA busy_timeout = {_LOG_PATIENCE_MS}")
        return db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    except encryption.errors() as error:
        if _code(error) not in _OF_THE_DISK:
            raise
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout = {_PATIENCE_S * 1000:.0f}")


def has_secure_delete(db: sqlite3.Connection) -> bool:
    """Return whether this SQLite removes words from its index at once; before 3.42 only `optimize` does."""
    version: str = db.execute("SELECT sqlite_version()").fetchone()[0]
    return tuple(map(int, version.split("."))) >= (3, 42)


def index_version(db: sqlite3.Connection) -> bytes:
    """Return what decides the content of the index. A file with another value gets a new index."""
    return f"{folding.VERSION} {'secure' if has_secure_delete(db) else 'plain'}".encode()


def numbers_of(mailbox: int) -> tuple[int, int]:
    """Return the first and the last message number of a mailbox."""
    first = mailbox << MAILBOX_BITS
    return first, first + (1 << MAILBOX_BITS) - 1


def _open(state_dir: Path, key: str | None) -> sqlite3.Connection:
    file = state_dir / FILE
    encryption.check_form(file, has_key=key is not None)
    if not file.exists():
        for log in _logs(state_dir):
            log.unlink(missing_ok=True)  # SQLite would take a removed file's log for the new one's
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its logs the same mode
    connect = sqlite3.connect if key is None else encryption.connector(file, key)
    db = connect(file, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise MadeByNewer(
            f"The state folder's {FILE} was made by a newer rc-mcp (version {version} of the file; this rc-mcp knows "
            f"{VERSION}). Use the newer rc-mcp, or remove the file. Nothing was changed."
        )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA secure_delete = ON")
    db.execute("PRAGMA temp_store = MEMORY")  # no text in a temporary file
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if version < VERSION:
        db.executescript(f"BEGIN IMMEDIATE; {''.join(MIGRATIONS[version:])} PRAGMA user_version = {VERSION}; COMMIT;")
    if has_secure_delete(db):
        # Kept in the file, and written only once.
        known = db.execute("SELECT v FROM words_config WHERE k = 'secure-delete'").fetchone()
        if not known:
            db.execute("INSERT INTO words (words, rank) VALUES ('secure-delete', 1)")
    wipe_log(db)  # a process that was killed may have left erased text in the log
    db.execute("SELECT rowid FROM words WHERE words MATCH '\"a\"' LIMIT 1").fetchone()  # finds a damaged index now


def _rename(state_dir: Path) -> None:
    """Set the file and its logs aside. Another process that has it open notices that with its next call."""
    # The file last: a log without its file would be taken for that of the new file.
    for path in (*_logs(state_dir), state_dir / FILE):
        if path.exists():
            path.replace(state_dir / f"{SET_ASIDE}{path.name.removeprefix(FILE)}")


def _logs(state_dir: Path) -> list[Path]:
    return [state_dir / f"{FILE}{suffix}" for suffix in ("-wal", "-shm", "-journal")]


def remove_damaged(state_dir: Path) -> None:
    """Remove the files that were set aside: they may hold text that must be erased."""
    for path in damaged_files(state_dir):
        with suppress(FileNotFoundError):
            path.unlink()


def erase_everything(db: sqlite3.Connection) -> None:
    """Erase all rows and all words, and give the space back. Settings stay: other processes search meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for table in _OF_MAILBOXES:
            db.execute(f"DELETE FROM {table}")  # noqa: S608
        db.execute("INSERT INTO words (words) VALUES ('delete-all')")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:  # after an error
            db.execute("ROLLBACK")
    db.execute("VACUUM")


def check_tables(db: sqlite3.Connection) -> None:
    """Read all tables, and find out whether they agree with their indexes. The index of words is not checked.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    for table in _TABLES:
        if db.execute(f"PRAGMA integrity_check({table})").fetchone() != ("ok",):
            error = sqlite3.DatabaseError(f"the table {table} is damaged")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error


def open_quietly(state_dir: Path, key: str | None) -> tuple[sqlite3.Connection, bool]:
    """Open the copy like `connect`. If it was damaged, open the new one. Return whether that was so."""
    try:
        return connect(state_dir, key), False
    except Damaged:
        return connect(state_dir, key), True


def remove_files(state_dir: Path) -> None:
    """Remove the copy with all that belongs to it. Another process that has it open begins a new one."""
    with _locked(state_dir):
        remove_damaged(state_dir)
        for path in (*_logs(state_dir), state_dir / FILE, state_dir / encryption.SALT_FILE):
            path.unlink(missing_ok=True)
