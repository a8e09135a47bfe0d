"""Every deadline of a request, and the clock that requests wait by.

    deadline             set by                             read by                 when it is over
    -------------------  ---------------------------------  ----------------------  ------------------------------------
    `Allowance`          a call that deletes, the settling  `Connection`, guard     a read stops; a change is not begun,
                                                                                    or its answer counts as lost
    `waiting_until`      `Connection` from the allowance    budgets, retries        `RateLimited`; no further retry
                         and `max_wait_s`; callers
    `at_once`            the guard, around each change      budgets, retries, auth  sent now and once, or not at all
    `in_background`      the feed of the local copy         budgets                 none: it waits as long as it takes
    `LIMITS.answer_s`    `heads_in_time` and `awaiting`:    the same                `httpx.ReadTimeout`
                         each head; `in_time`: a body

A tool call that reads, or can be repeated, has no allowance: `StrictTool` cancels it after `time_limits.CALL_S`.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.limits import LIMITS

_UNTIL: ContextVar[float] = ContextVar("until", default=inf)
_ENDS: ContextVar[float] = ContextVar("ends", default=inf)
_LEAVES_BY: ContextVar[float] = ContextVar("leaves by", default=inf)
_IN_BACKGROUND: ContextVar[bool] = ContextVar("in background", default=False)


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

    Use it for a delete right after a read: the longer it waits, the older that read is. A login, such as one by another
    process, can make it wait. If that takes longer than `LIMITS.leaves_within_s`, it is not sent.
    """
    before = _LEAVES_BY.set(anyio.current_time() + LIMITS.leaves_within_s)
    try:
        with waiting_until(0.0):
            yield
    finally:
        _LEAVES_BY.reset(before)


def is_too_late() -> bool:
    """Return whether a request in `at_once` has waited too long to be sent."""
    return anyio.current_time() > _LEAVES_BY.get()


def is_sent_once() -> bool:
    """Return whether requests sent now must not be repeated, not even with a new token after a 401."""
    return latest() <= 0.0


@contextmanager
def in_background() -> Generator[None]:
    """Let all other requests of the client go before those in the block, which no user waits for.

    They are spread evenly over the rate limit, so that another request waits for about one place at most: 1.5 seconds
    in the group Medium. They themselves wait for a place without a deadline.
    """
    before = _IN_BACKGROUND.set(True)
    try:
        yield
    finally:
        _IN_BACKGROUND.reset(before)


def is_in_background() -> bool:
    """Return whether requests sent now let all others go first."""
    return _IN_BACKGROUND.get()


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


_CALL: ContextVar[Allowance] = ContextVar("call")


def call_began(seconds: float) -> None:
    """Begin a call: all its steps in `call_time` together may take this long."""
    _CALL.set(Allowance(seconds))


def call_time() -> AbstractContextManager[None]:
    """Spend the time of the call in this block, after `call_began`. The time between blocks is the user's."""
    return _CALL.get().spent()


def time_left_s() -> float:
    """Return the time left of the current `Allowance`; infinite outside one."""
    return _ENDS.get() - anyio.current_time() if _ENDS.get() < inf else inf


def latest() -> float:
    """Return the deadline of the current caller."""
    return _UNTIL.get()


@contextmanager
def in_time(request: httpx.Request) -> Generator[None]:
    """Limit the time that the block spends on the answer to `request`.

    Raises:
        httpx.ReadTimeout: it took longer than `LIMITS.answer_s`.
    """
    with anyio.move_on_after(LIMITS.answer_s) as scope:
        yield
    if scope.cancelled_caught:
        raise httpx.ReadTimeout("the answer took too long", request=request)


class _Wait:
    """A wait for the head of an answer, and the request it is for."""

    def __init__(self, asked: httpx.Request) -> None:
        self.asked = asked
        self.scope = anyio.CancelScope()


_WAIT: ContextVar[_Wait] = ContextVar("wait")


@contextmanager
def heads_in_time(request: httpx.Request) -> Generator[None]:
    """Limit each wait that `awaiting` marks while `request` is sent.

    Raises:
        httpx.ReadTimeout: the head of an answer, to `request` or to its login, took longer than `LIMITS.answer_s`.
    """
    wait = _Wait(request)
    before = _WAIT.set(wait)
    try:
        with wait.scope:
            yield
    finally:
        _WAIT.reset(before)
    if wait.scope.cancelled_caught:
        raise httpx.ReadTimeout("no answer came in time", request=wait.asked)


@contextmanager
def awaiting(outgoing: httpx.Request) -> Generator[None]:
    """Mark the wait for the head of the answer to `outgoing`."""
    # A scope opened inside an httpx flow could not attribute its timeout to a request.
    wait = _WAIT.get()
    wait.asked, wait.scope.deadline = outgoing, anyio.current_time() + LIMITS.answer_s
    try:
        yield
    finally:
        wait.scope.deadline = inf
