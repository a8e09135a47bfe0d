"""What a request that waits needs to know: the time, and how long its caller is ready to wait."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf

import anyio

_UNTIL: ContextVar[float] = ContextVar("until", default=inf)
_ENDS: ContextVar[float] = ContextVar("ends", default=inf)


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

    A login that somebody else has begun is waited for beyond it, as long as they wait: another call of this client, or
    another process for up to a minute.
    """
    before = _UNTIL.set(min(moment, _UNTIL.get()))
    try:
        yield
    finally:
        _UNTIL.reset(before)


@contextmanager
def at_once() -> Generator[None]:
    """Requests sent inside wait for no place and no penalty, and are sent once: they go now, or raise `RateLimited`.

    After a 401 they are not sent again either: something on the way may answer it while the first still arrives.

    For a delete that has to follow on what was just read: the longer it waits, the older that is. Where a login is
    needed and somebody else has begun it, they wait for that as in `waiting_until`.
    """
    with waiting_until(0.0):
        yield


def is_sent_once() -> bool:
    """Whether a request that leaves now must not be repeated, not even with a fresh token after a 401."""
    return latest() <= 0.0


class Allowance:
    """The time that a call of many requests may take in all, counted inside of `spent` alone.

    A read is given up when it is over. A change begins only while there is time to wait for its answer and to read back
    what became of it, and is then given up as one whose answer was lost. Nothing is cancelled in between.
    """

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    @contextmanager
    def spent(self) -> Generator[None]:
        """Bounds all requests sent inside by what is left, and takes the time they took off it."""
        began = anyio.current_time()
        before = _ENDS.set(began + self.left_s)
        try:
            yield
        finally:
            _ENDS.reset(before)
            self.left_s = max(0.0, self.left_s - (anyio.current_time() - began))


def time_left_s() -> float:
    """Of the `Allowance` that is being spent; without end outside of one."""
    return _ENDS.get() - anyio.current_time() if _ENDS.get() < inf else inf


def latest() -> float:
    """When the present caller's patience ends."""
    return _UNTIL.get()
