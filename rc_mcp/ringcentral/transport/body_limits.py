"""Limits the total wait for an answer and its size. httpx's own timeouts restart with every byte."""

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.limits import LIMITS


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


async def read_bounded(answer: httpx.Response) -> None:
    """Read the body of an answer inside an authentication flow, up to `LIMITS.login_bytes`.

    It is not decoded, because a few bytes can expand to more than the memory. Logins ask for no encoding.

    Raises:
        httpx.HTTPError: the connection failed, or the body took longer than `LIMITS.answer_s`.
    """
    answer.headers.pop("content-encoding", None)
    # httpx reads this answer too, so it must be marked as read: a loop here would not do that.
    answer.stream = _Beginning(answer.stream)
    with in_time(answer.request):
        await answer.aread()


class _Beginning(httpx.AsyncByteStream):
    """A body that ends after `LIMITS.login_bytes`."""

    def __init__(self, whole: object) -> None:
        assert isinstance(whole, httpx.AsyncByteStream)  # noqa: S101  always so in an async client
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = LIMITS.login_bytes
        async for chunk in self._whole:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    async def aclose(self) -> None:
        await self._whole.aclose()


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
