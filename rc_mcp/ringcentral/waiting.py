"""What a request that waits needs to know: the time, and how long its caller is ready to wait."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf

import anyio

_UNTIL: ContextVar[float] = ContextVar("until", default=inf)


@dataclass(frozen=True)
class Time:
    """A clock in seconds that never goes back, and a sleep that moves it. Tests set both."""

    now: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


REAL_TIME = Time()


@contextmanager
def waiting_until(moment: float) -> Generator[None]:
    """The deadline of all requests sent inside, a login before them included, for their places and repetitions.

    `moment` is of the client's clock: `anyio.current_time() + 20` for 20 seconds. One that would have to wait longer
    raises `RateLimited` at once, with the time to come back. An earlier deadline around it counts.
    """
    before = _UNTIL.set(min(moment, _UNTIL.get()))
    try:
        yield
    finally:
        _UNTIL.reset(before)


@contextmanager
def at_once() -> Generator[None]:
    """Requests sent inside wait for no place and no penalty, and are sent once: they go now, or raise `RateLimited`.

    For a delete that has to follow on what was just read: the longer it waits, the older that is.
    """
    with waiting_until(0.0):
        yield


def latest() -> float:
    """When the present caller's patience ends."""
    return _UNTIL.get()
