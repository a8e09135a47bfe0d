"""What the servers and commands that share a state folder heed before a change: the STOP file, and the change lock.

With the STOP file a user stops all deletions at once, without the assistant.

The lock lets only one change run at a time. Two plans may name the same message. If both were re-read before either was
deleted, the second DELETE would purge the message that the first had deleted.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import anyio

from rc_mcp.guard.refusals import NOTHING_DONE, Busy, GuardError
from rc_mcp.guard.state.database import unusable
from rc_mcp.locks import HeldLock, lock_on
from rc_mcp.private_files import make_folder

PATIENCE_S = 30.0
"""How long one change waits for another to end."""
_LOOK_EVERY_S = 0.2
_HELD: ContextVar[HeldLock | None] = ContextVar("held", default=None)
"""The lock that is held for this task and its child tasks."""

T = TypeVar("T")


class Stopped(GuardError):  # noqa: N818  a state, as the client's errors are
    """The STOP file blocks this request. It can come halfway: the answer's counts show the rest."""

    def __str__(self) -> str:
        return "The user stopped it (the STOP file)."


def stop_file(state_dir: Path) -> Path:
    """Return the path of the STOP file. While it exists, no more destructive requests are sent."""
    return state_dir / "STOP"


def is_stopped(state_dir: Path) -> bool:
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


async def unless_stopped(stopped: Callable[[], bool], read: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `read`. It may wait for RingCentral's limits; STOP cancels it.

    Raises:
        Stopped: STOP existed before, during or after the reading.
    """
    if stopped():
        raise Stopped
    caught: Exception | None = None
    answers: list[T] = []
    reading, watching = anyio.CancelScope(), anyio.CancelScope()

    async def watch() -> None:
        with watching:
            while not stopped():  # noqa: ASYNC110  a file sends no event when it appears
                await anyio.sleep(_LOOK_EVERY_S)
            reading.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        with reading:
            try:
                answers.append(await read())
            except Exception as error:  # noqa: BLE001  raised below: from here it would come in a group
                caught = error
        watching.cancel()
    if reading.cancelled_caught or stopped():  # STOP may already be removed again
        raise Stopped
    if caught is not None:
        raise caught
    return answers[0]


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
