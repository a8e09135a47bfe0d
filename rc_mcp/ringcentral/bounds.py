"""Ends to the wait for an answer, and to its size. httpx's own timeouts begin anew with every byte."""

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.limits import LIMITS


@contextmanager
def in_time(request: httpx.Request) -> Generator[None]:
    """Bounds what is done inside about the answer to `request`.

    Raises:
        httpx.ReadTimeout: it took longer than `LIMITS.answer_s`.
    """
    with anyio.move_on_after(LIMITS.answer_s) as scope:
        yield
    if scope.cancelled_caught:
        raise httpx.ReadTimeout("the answer took too long", request=request)


async def read_bounded(answer: httpx.Response) -> None:
    """Reads the body of an answer that an authentication flow keeps for itself, up to `LIMITS.login_bytes`.

    As it was sent: a few bytes can decode to more than this machine has. A token endpoint was asked for no encoding.

    Raises:
        httpx.HTTPError: also when it takes longer than `LIMITS.answer_s`.
    """
    answer.headers.pop("content-encoding", None)
    # Not a loop of our own: httpx reads such an answer too, and has to find that done.
    answer.stream = _Beginning(answer.stream)
    with in_time(answer.request):
        await answer.aread()


class _Beginning(httpx.AsyncByteStream):
    """A body up to `LIMITS.login_bytes`, as if it ended there."""

    def __init__(self, whole: object) -> None:
        assert isinstance(whole, httpx.AsyncByteStream)  # noqa: S101  an asynchronous client has no others
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
    """For the head of an answer: to which request, and until when."""

    def __init__(self, asked: httpx.Request) -> None:
        self.asked = asked
        self.scope = anyio.CancelScope()


_WAIT: ContextVar[_Wait] = ContextVar("wait")


@contextmanager
def heads_in_time(request: httpx.Request) -> Generator[None]:
    """Bounds the sending of `request`: each wait inside that is marked by `awaiting`, and no other.

    Raises:
        httpx.ReadTimeout: the head of an answer, to `request` or to a login before it, took longer than
            `LIMITS.answer_s`.
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
    """While the head of the answer to `outgoing` is waited for."""
    # No scope of its own: in a flow of httpx it could not say what it ended.
    wait = _WAIT.get()
    wait.asked, wait.scope.deadline = outgoing, anyio.current_time() + LIMITS.answer_s
    try:
        yield
    finally:
        wait.scope.deadline = inf
