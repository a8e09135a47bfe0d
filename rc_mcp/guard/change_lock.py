"""The lock that lets only one change run at a time, over all servers and commands on one state folder.

Two plans may name the same message. If both were re-read before either was deleted, the second DELETE would purge the
message that the first had deleted.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path

from rc_mcp.guard.refusals import NOTHING_DONE, Busy, GuardError
from rc_mcp.guard.state.database import make_folder, unusable
from rc_mcp.locks import HeldLock, lock_on

PATIENCE_S = 30.0
"""How long one change waits for another to end."""
_HELD: ContextVar[HeldLock | None] = ContextVar("held", default=None)
"""The lock that is held for this task and its child tasks."""


@asynccontextmanager
async def one_change_at_a_time(state_dir: Path, patience_s: float = PATIENCE_S) -> AsyncGenerator[None]:
    """Hold the lock; no other change runs in the meantime.

    Raises:
        Busy: another change held the lock for longer than `patience_s`.
        GuardError: the lock cannot be taken.
    """
    try:
        make_folder(state_dir)
        lock = await lock_on(state_dir / "changing.lock", patience_s)
    except OSError as error:
        raise unusable(error) from error
    if lock is None:
        raise Busy
    _HELD.set(lock)
    try:
        yield
    finally:
        _HELD.set(None)
        lock.release()


def check_still_locked() -> None:
    """Check that the lock is in place. Call this after a request is journaled and before it is sent.

    Either this check finds a new lock file, or a process that locked the new file finds the request in the journal.

    Raises:
        GuardError: the lock file was removed or replaced, so another process may have begun a change.
    """
    held = _HELD.get()
    if held is not None and not held.is_in_place():
        raise GuardError(f"The lock file in the state folder was removed while it was held. {NOTHING_DONE}")
