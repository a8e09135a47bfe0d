"""The guard's only file: plans and the journal in an SQLite database in the state folder.

A plan and the journal change in one transaction, so a crash cannot leave one without the other. Every use opens the
file again: uses are rare, and no connection survives a fork or a crash. Committed data is on disk (WAL, synchronous
FULL) before a request that depends on it is sent. A server also holds an `IdleConnection`.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.locks import wait_for_lock
from rc_mcp.private_files import is_there, make_folder

FILE = "guard.db"

_PATIENCE_S = 10
_CACHE_KIB = 256
"""Per connection, and concurrent calls have one each: with SQLite's default of 2 MB, memory grew with the journal."""
MIGRATIONS = (
    """
    CREATE TABLE plan (
        id TEXT PRIMARY KEY, digest TEXT NOT NULL, expires REAL NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE TABLE entry (
        number INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, operation TEXT, principal TEXT NOT NULL,
        tool TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL
    );
    CREATE INDEX entry_by_operation ON entry (operation, event);
    CREATE INDEX entry_by_event ON entry (event, principal, at);
    CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
    CREATE TRIGGER entry_is_not_removed BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
    """,
    # Counts how often an entry that changed nothing was repeated, so that a loop does not fill the disk with rows.
    "CREATE TABLE repeat (entry INTEGER PRIMARY KEY, times INTEGER NOT NULL, last_at TEXT NOT NULL);",
    # Each call asks for the operations that have not ended and for the latest requests. Neither may take longer as the
    # journal grows. Triggers keep the table: no writer can forget it, and it changes in the entry's transaction.
    """
    CREATE TABLE open_operation (operation TEXT PRIMARY KEY, principal TEXT NOT NULL) WITHOUT ROWID;
    INSERT OR IGNORE INTO open_operation SELECT operation, principal FROM entry
        WHERE event IN ('begun', 'sending') AND operation NOT IN (SELECT operation FROM entry WHERE event = 'done');
    CREATE TRIGGER operation_opens AFTER INSERT ON entry WHEN NEW.event IN ('begun', 'sending')
        BEGIN INSERT OR IGNORE INTO open_operation VALUES (NEW.operation, NEW.principal); END;
    CREATE TRIGGER operation_ends AFTER INSERT ON entry WHEN NEW.event = 'done'
        BEGIN DELETE FROM open_operation WHERE operation = NEW.operation; END;
    CREATE INDEX entry_by_time ON entry (at);
    CREATE INDEX request_by_clock
        ON entry (json_extract(detail, '$.clock.name'), json_extract(detail, '$.clock.seconds'))
        WHERE event = 'sending' AND json_valid(detail);
    """,
)
"""The script at N migrates the file from version N to N + 1. Add scripts at the end. Never change a row of
`entry`: that would break the chain of hashes."""
VERSION = len(MIGRATIONS)


class MadeByNewer(GuardError):  # noqa: N818  a state, as the client's errors are
    """The file has a version that this rc-mcp does not know. It is left unchanged."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"The state folder's {FILE} was made by a newer rc-mcp (version {version} of the file; this rc-mcp knows "
            f"{VERSION}). The operator must use the newer rc-mcp with this folder. {NOTHING_DONE}"
        )


def unusable(error: Exception) -> GuardError:
    """Return the error to raise when the state folder fails."""
    # Without the error's own text: a model reads this, and the text may contain a path.
    fault = f"The state folder cannot be used ({type(error).__name__})"
    return GuardError(f"{fault}. The operator must fix it; rc-mcp doctor says how. {NOTHING_DONE}")


def exists(state_dir: Path) -> bool:
    """Return whether the state folder has a database."""
    with _usable_or_refused():
        return is_there(state_dir / FILE)


@contextmanager
def reading(state_dir: Path) -> Generator[sqlite3.Connection]:
    """Open the database for reading, after migrating an older file. Failures are raised as `GuardError`."""
    with _usable_or_refused(), closing(_connect(state_dir)) as db:
        yield db


@contextmanager
def writing(state_dir: Path) -> Generator[sqlite3.Connection]:
    """Run one exclusive transaction: at the end, all of it is on disk or none of it."""
    with reading(state_dir) as db, _usable_or_refused():
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")  # not reached after an error: closing then rolls back


class IdleConnection:
    """A connection that does nothing. While one is open, SQLite keeps its log.

    Otherwise it removes the log with the last connection and makes it again for the next, which takes most of the time
    of a change.
    """

    def __init__(self) -> None:
        self._db: sqlite3.Connection | None = None
        self._lock = Lock()

    def open(self, state_dir: Path) -> None:
        """Open it, unless it is open. Failures are raised as `GuardError`."""
        with self._lock, _usable_or_refused():
            self._db = self._db or _connect(state_dir)

    def close(self) -> None:
        with self._lock:
            if self._db:
                self._db.close()
            self._db = None


def _connect(state_dir: Path) -> sqlite3.Connection:
    make_folder(state_dir)  # plans contain names
    file = state_dir / FILE
    if not is_there(file):
        _make(file)
    # Opening never creates the file: an empty one would hide that a journal was lost.
    address = f"{file.absolute().as_uri()}?mode=rw"
    # An idle connection is closed by another thread than the one that opened it.
    db = sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(file, db)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(file: Path, db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")  # an expired plan's names do not stay in the file
    if 0 < _version(db) < VERSION:
        _migrate(file, db)
    version = _version(db)
    if version > VERSION:
        raise MadeByNewer(version)
    if version == 0:
        # Not our file: ours has a version from the start.
        raise sqlite3.DatabaseError("empty, or made by something else")


def _make(file: Path) -> None:
    """Create the file in one step: SQLite does not wait for other processes while it changes a file to WAL."""
    with _locked(file):
        if is_there(file):
            return
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)  # left by a process that was killed here
        new.touch(mode=0o600)
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            _run(db, 0)
        new.replace(file)


def _migrate(file: Path, db: sqlite3.Connection) -> None:
    with _locked(file):
        version = _version(db)
        if version < VERSION:  # otherwise another process did it while this one waited
            _run(db, version)


def _run(db: sqlite3.Connection, version: int) -> None:
    # One transaction: after an error, closing rolls back.
    db.executescript(f"BEGIN IMMEDIATE; {''.join(MIGRATIONS[version:])} PRAGMA user_version = {VERSION}; COMMIT;")


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA user_version").fetchone()[0]


@contextmanager
def _locked(file: Path) -> Generator[None]:
    lock = wait_for_lock(file.with_suffix(".lock"), _PATIENCE_S)
    if lock is None:
        raise TimeoutError("another process is creating the file")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _usable_or_refused() -> Generator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise unusable(error) from error
