"""The state of one person's servers: a folder with an SQLite database, the STOP file and a lock file."""

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rc_mcp.guard.refusals import Busy
from rc_mcp.guard.state import database
from rc_mcp.guard.state.database import IdleConnection, unusable
from rc_mcp.guard.state.state import Value
from rc_mcp.locks import HeldLock, lock_on
from rc_mcp.private_files import make_folder


def stop_file(state_dir: Path) -> Path:
    """Return the path of the STOP file. While it exists, no more destructive requests are sent."""
    return state_dir / "STOP"


def has_stop_file(state_dir: Path) -> bool:
    """Return whether STOP exists, as a file, a folder or a link (even a broken one).

    A state folder that cannot be read counts as stopped, because STOP may be in it.
    """
    try:
        stop_file(state_dir).lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


@dataclass(frozen=True, slots=True)
class Folder:
    """The state folder. What its methods do, `State` says."""

    path: Path
    _idle: IdleConnection = field(default_factory=IdleConnection, compare=False, repr=False)
    """Opened with the first plan, because a change follows; closed by whoever opened the guard."""

    def __str__(self) -> str:
        return f"state folder {self.path}"

    def exists(self) -> bool:
        return database.exists(self.path)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return database.reading(self.path)

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return database.writing(self.path)

    def sealed(self, text: str) -> str:
        return text  # only its owner reads the folder

    def opened(self, kept: str) -> str:
        return kept

    def erase(self, query: str, values: Sequence[Value], /) -> None:
        with self.reading() as db:
            if db.execute(query, values).rowcount:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # they are not in SQLite's log either

    def keep_open(self) -> None:
        self._idle.open(self.path)

    def close(self) -> None:
        self._idle.close()

    @asynccontextmanager
    async def changing(self, patience_s: float) -> AsyncGenerator["_LockFile"]:
        try:
            make_folder(self.path)
            lock = await lock_on(self.path / "changing.lock", patience_s)
        except OSError as error:
            raise unusable(error) from error
        if lock is None:
            raise Busy
        try:
            yield _LockFile(lock)
        finally:
            lock.release()

    async def is_stopped(self) -> bool:
        return has_stop_file(self.path)

    def stop(self) -> bool:
        """Make the STOP file.

        Raises:
            OSError: it cannot be made.
        """
        make_folder(self.path)
        try:
            # Any existing file of that name is a stop, even a broken link: do not follow or replace it.
            stop_file(self.path).touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            return False
        return True

    def resume(self) -> bool:
        """Remove the STOP file.

        Raises:
            OSError: it cannot be removed.
        """
        file = stop_file(self.path)
        try:
            file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
        except FileNotFoundError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class _LockFile:
    _lock: HeldLock

    async def is_held(self) -> bool:
        return self._lock.is_in_place()
