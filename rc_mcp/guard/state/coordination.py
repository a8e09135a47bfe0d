"""What the servers and commands that share a state heed before a change: STOP, and the change lock.

With STOP a user stops all deletions at once, without the assistant.

The lock lets only one change run at a time. Two plans may name the same message. If both were re-read before either was
deleted, the second DELETE would purge the message that the first had deleted.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TypeVar

import anyio

from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state.state import ChangeLock, State

PATIENCE_S = 30.0
"""How long one change waits for another to end."""
_LOOK_EVERY_S = 0.2
_HELD: ContextVar[ChangeLock | None] = ContextVar("held", default=None)
"""The lock that is held for this task and its child tasks."""

T = TypeVar("T")


class Stopped(GuardError):  # noqa: N818  a state, as the client's errors are
    """STOP blocks this request. It can come halfway: the answer's counts show the rest."""

    def __str__(self) -> str:
        return "The user or the operator stopped it (STOP)."


async def unless_stopped(is_stopped: Callable[[], Awaitable[bool]], read: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `read`. It may wait for RingCentral's limits; STOP cancels it.

    Raises:
        Stopped: STOP was there before, during or after the reading.
    """
    if await is_stopped():
        raise Stopped
    caught: Exception | None = None
    answers: list[T] = []
    reading, watching = anyio.CancelScope(), anyio.CancelScope()

    async def watch() -> None:
        with watching:
            while not await is_stopped():  # noqa: ASYNC110  neither a file nor a row sends an event
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
    if reading.cancelled_caught or await is_stopped():  # STOP may already be removed again
        raise Stopped
    if caught is not None:
        raise caught
    return answers[0]


@asynccontextmanager
async def one_change_at_a_time(state: State, patience_s: float = PATIENCE_S) -> AsyncGenerator[None]:
    """Hold the lock; no other change runs in the meantime.

    Raises:
        Busy: another change held the lock for longer than `patience_s`.
        GuardError: the lock cannot be taken.
    """
    async with state.changing(patience_s) as lock:
        _HELD.set(lock)
        try:
            yield
        finally:
            _HELD.set(None)


async def check_still_locked() -> None:
    """Check that the lock is in place. Call this after a request is journaled and before it is sent.

    Either this check finds that the lock was lost, or whoever took it since finds the request in the journal.

    Raises:
        GuardError: the lock was lost, so another process may have begun a change.
    """
    held = _HELD.get()
    if held is not None and not await held.is_held():
        raise GuardError(f"The lock against other changes was lost while it was held. {NOTHING_DONE}")
