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
    """Bounds the waits of all requests sent inside, a login before them included."""
    before = _UNTIL.set(moment)
    try:
        yield
    finally:
        _UNTIL.reset(before)


def latest() -> float:
    """When the present caller's patience ends."""
    return _UNTIL.get()
