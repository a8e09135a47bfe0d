"""Clock and deadlines for requests that wait."""

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
    """A monotonic clock in seconds, and a sleep on that clock. Tests set both."""

    now: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


REAL_TIME = Time()


@contextmanager
def waiting_until(moment: float) -> Generator[None]:
    """Set the deadline until which requests in the block, and their logins, wait for rate limits and retries.

    `moment` is a time of the client's clock: `anyio.current_time() + 20` for 20 seconds. A request that would wait
    longer raises `RateLimited` at once, with the time to wait. An earlier outer deadline applies.

    The wait for a login by another call of this client, or for up to a minute by another process, can exceed it.
    """
    before = _UNTIL.set(min(moment, _UNTIL.get()))
    try:
        yield
    finally:
        _UNTIL.reset(before)


@contextmanager
def at_once() -> Generator[None]:
    """Send each request in the block now and only once, or raise `RateLimited` instead of waiting.

    It is not sent again after a 401 either: a proxy may send the 401 while the first request still arrives.

    Use it for a delete right after a read: the longer it waits, the older that read is. A request waits for a login by
    another call or process as in `waiting_until`.
    """
    with waiting_until(0.0):
        yield


def is_sent_once() -> bool:
    """Return whether requests sent now must not be repeated, not even with a new token after a 401."""
    return latest() <= 0.0


class Allowance:
    """The total time that a call with many requests may take, counted only inside `spent`.

    A read is stopped when the time runs out. A change is sent only if there is time to wait for its answer and to read
    its messages again; if no answer arrives in that time, its answer is lost. Nothing else is cancelled.
    """

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    @contextmanager
    def spent(self) -> Generator[None]:
        """Limit all requests in the block to the time left, and subtract the time they take."""
        began = anyio.current_time()
        before = _ENDS.set(began + self.left_s)
        try:
            yield
        finally:
            _ENDS.reset(before)
            self.left_s = max(0.0, self.left_s - (anyio.current_time() - began))


def time_left_s() -> float:
    """Return the time left of the current `Allowance`; infinite outside one."""
    return _ENDS.get() - anyio.current_time() if _ENDS.get() < inf else inf


def latest() -> float:
    """Return the deadline of the current caller."""
    return _UNTIL.get()
