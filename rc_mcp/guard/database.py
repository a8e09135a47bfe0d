"""The guard's one file: plans and the journal in an SQLite database in the state folder.

One file, so that a plan moves and the journal says so in one transaction: neither without the other, wherever a crash
falls. Every use opens the file anew: uses are rare, and nothing is then held over a fork or a crash. What is committed
is on the disk (WAL, synchronous FULL) before anything is sent because of it.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from rc_mcp.ringcentral.locks import wait_for_lock

FILE = "guard.db"
NOTHING_DONE = "Nothing was deleted or changed."

_PATIENCE_S = 10
_CACHE_KIB = 256
"""For each connection, and calls at once have one each: with SQLite's own 2 MB, memory grew with the journal."""
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
    # How often what changed nothing was repeated: counted here, so that a loop does not fill the disk with rows.
    "CREATE TABLE repeat (entry INTEGER PRIMARY KEY, times INTEGER NOT NULL, last_at TEXT NOT NULL);",
)
"""The script at N makes version N + 1 of the file from version N. Add to the end; a row of `entry` never changes, or
the chain of hashes breaks."""
VERSION = len(MIGRATIONS)


class GuardError(Exception):
    """Why nothing was planned or carried out. Its text says what to ask for instead."""


class MadeByNewer(GuardError):  # noqa: N818  a state, as the client's errors are
    """The file is of a version that is not known here. It is left as it is."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"The state folder's {FILE} was made by a newer rc-mcp (version {version} of the file; this rc-mcp knows "
            f"{VERSION}). The operator must use the newer rc-mcp with this folder. {NOTHING_DONE}"
        )


def unusable(error: Exception) -> GuardError:
    """What to raise where the state folder fails."""
    # Not the error's own text: a model reads this, and the text may name a path.
    fault = f"The server's state folder cannot be used ({type(error).__name__})"
    return GuardError(f"{fault}; the operator must fix it, and rc-mcp doctor says how. {NOTHING_DONE}")


def exists(state_dir: Path) -> bool:
    """Whether anything was ever kept there.

    Raises:
        GuardError: the folder cannot be read.
    """
    with _usable_or_refused():
        return _is_there(state_dir / FILE)


def make_folder(state_dir: Path) -> None:
    """Make the state folder where there is none. Plans name people: it and the file are the owner's alone.

    Raises:
        OSError: it cannot be made.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)


@contextmanager
def reading(state_dir: Path) -> Generator[sqlite3.Connection]:
    """The database, for reading. An older one is brought to the present version first.

    Raises:
        GuardError: it cannot be used.
    """
    with _usable_or_refused():
        make_folder(state_dir)
        file = state_dir / FILE
        if not _is_there(file):
            _make(file)
        # Never made by opening it: an empty file would hide that a journal was lost.
        address = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None)) as db:
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")  # an expired plan's names do not stay in the file
            if 0 < _version(db) < VERSION:
                _migrate(file, db)
            version = _version(db)
            if version > VERSION:
                raise MadeByNewer(version)
            if version == 0:
                # No file of ours: each has its version from the moment it appears.
                raise sqlite3.DatabaseError("empty, or made by something else")
            yield db


@contextmanager
def writing(state_dir: Path) -> Generator[sqlite3.Connection]:
    """One transaction, alone: all of it is on disk when this ends, or nothing is.

    Raises:
        GuardError: it could not be written.
    """
    with reading(state_dir) as db, _usable_or_refused():
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")  # not reached after an error: closing then undoes what was begun


def _make(file: Path) -> None:
    """The file appears whole: SQLite waits for nobody while it changes a file to WAL, and two may begin at once."""
    with _alone_with(file):
        if _is_there(file):
            return
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)  # of one who was killed here
        new.touch(mode=0o600)
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            _run(db, 0)
        new.replace(file)


def _is_there(file: Path) -> bool:
    """A link counts whatever it leads to: on a disk that is not there now may be the journal."""
    try:
        file.lstat()
    except FileNotFoundError:
        return False
    return True


def _migrate(file: Path, db: sqlite3.Connection) -> None:
    with _alone_with(file):
        version = _version(db)
        if version < VERSION:  # else another process did it while this one waited
            _run(db, version)


def _run(db: sqlite3.Connection, version: int) -> None:
    # In one transaction: after an error, closing undoes what was begun.
    db.executescript(f"BEGIN IMMEDIATE; {''.join(MIGRATIONS[version:])} PRAGMA user_version = {VERSION}; COMMIT;")


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA user_version").fetchone()[0]


@contextmanager
def _alone_with(file: Path) -> Generator[None]:
    lock = wait_for_lock(file.with_suffix(".lock"), _PATIENCE_S)
    if lock is None:
        raise TimeoutError("another process makes the file")
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
