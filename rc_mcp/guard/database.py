"""The guard's one file: plans and the journal in an SQLite database in the state folder.

One file, so that a plan moves and the journal says so in one transaction: neither without the other, wherever a crash
falls. Every use opens the file anew: uses are rare, and nothing is then held over a fork or a crash. What is committed
is on the disk (WAL, synchronous FULL) before anything is sent because of it.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

FILE = "guard.db"
NOTHING_DONE = "Nothing was deleted or changed."

_PATIENCE_S = 10
_VERSION = 1
_TABLES = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS plan (
        id TEXT PRIMARY KEY, digest TEXT NOT NULL, expires REAL NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS entry (
        number INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, operation TEXT, principal TEXT NOT NULL,
        tool TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS entry_by_operation ON entry (operation, event);
    CREATE INDEX IF NOT EXISTS entry_by_event ON entry (event, principal, at);
    CREATE TRIGGER IF NOT EXISTS entry_stays BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
    CREATE TRIGGER IF NOT EXISTS entry_is_not_removed BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
    PRAGMA user_version = {_VERSION};
    COMMIT;
"""


class GuardError(Exception):
    """Why nothing was planned or carried out. Its text says what to ask for instead."""


@contextmanager
def reading(state_dir: Path) -> Generator[sqlite3.Connection]:
    """The database, for reading.

    Raises:
        GuardError: it cannot be used.
    """
    with _usable_or_refused():
        # Plans name people: the folder and the file are the owner's alone.
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = state_dir / FILE
        if not file.exists():
            _make(file)
        with closing(sqlite3.connect(file, timeout=_PATIENCE_S, isolation_level=None)) as db:
            if db.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                raise sqlite3.DatabaseError("made by another version")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")  # an expired plan's names do not stay in the file
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
    from filelock import FileLock  # here, so that no start waits for it

    with FileLock(file.with_suffix(".lock"), timeout=_PATIENCE_S, mode=0o600):
        if file.exists():
            return
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)  # of one who was killed here
        new.touch(mode=0o600)
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_TABLES)
        new.replace(file)


@contextmanager
def _usable_or_refused() -> Generator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        fault = f"The server's state folder cannot be used ({type(error).__name__}); a person has to mend it."
        raise GuardError(f"{fault} {NOTHING_DONE}") from error
