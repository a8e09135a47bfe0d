"""The lock that lets only one change run at a time, over all servers and commands on one state folder.

Two plans may name the same message. If both were re-read before either was deleted, the second DELETE would purge the
message that the first had deleted.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from rc_mcp.guard.held import HELD
from rc_mcp.guard.refusals import Busy
from rc_mcp.guard.state.database import make_folder, unusable
from rc_mcp.locks import lock_on

PATIENCE_S = 30.0
"""How long one change waits for another to end."""


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
    HELD.set(lock)
    try:
        yield
    finally:
        HELD.set(None)
        lock.release()
