"""Sends a `Call` to RingCentral: paced, retried where that is safe, with a typed error for every failure.

Redirects are not followed: a redirected DELETE could affect other messages, and the token must not reach other hosts.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import cached_property
from math import inf
from typing import TypeVar

import anyio
import httpx2 as httpx

from rc_mcp import __version__
from rc_mcp.ringcentral.calls import Call
from rc_mcp.ringcentral.errors import (
    AnswerLost,
    BadEnvironment,
    InvalidRequest,
    NoTimeLeft,
    NotSent,
    RingCentralError,
    StillProcessing,
    TransportFailure,
    UnexpectedAnswer,
    Unreachable,
)
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.oauth.auth import BearerAuth
from rc_mcp.ringcentral.transport.budgets import NewBudget, Paced, give_place_back, lift_penalty
from rc_mcp.ringcentral.transport.deadlines import Time, heads_in_time, in_time, time_left_s, waiting_until
from rc_mcp.ringcentral.transport.responses import CompleteResponse, parsed, plain, refusal, without
from rc_mcp.ringcentral.transport.retries import with_retries

T = TypeVar("T")

PLAIN_HTTP_DIRECTLY: Mapping[str, httpx.AsyncBaseTransport | None] = {"http://": None}
"""The `mounts` of every HTTP client. Plain http stays on this machine (`entry_point`): a proxy would see the token."""

MAYBE_CARRIED_OUT = "it may have been carried out"

# A proxy error means that nothing got through: only https uses a proxy, inside a tunnel.
_NO_CONNECTION = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
_NEVER_LEFT = (*_NO_CONNECTION, httpx.PoolTimeout)


class Connection:
    """An HTTP client bound to RingCentral's two entry points and one identity."""

    def __init__(
        self,
        auth: BearerAuth,
        server: httpx.URL,
        media: httpx.URL,
        transport: httpx.AsyncBaseTransport | None,
        timeout_s: float,
        *,
        max_wait_s: float | None,
        assume_limits: bool,
        time: Time,
        budgets: NewBudget | None = None,
    ) -> None:
        auth.allow(server, media)
        self._server = str(server).rstrip("/")
        self._media = str(media).rstrip("/")
        self._max_wait_s = inf if max_wait_s is None else max_wait_s
        self._time = time
        self._auth = Paced(auth, time, assume_limits=assume_limits, budgets=budgets)
        self._transport = transport
        self._timeout_s = timeout_s

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        # Created with the first request: reading the trusted certificates takes a while.
        with environment_named():
            return httpx.AsyncClient(
                auth=self._auth,
                transport=self._transport,
                mounts=PLAIN_HTTP_DIRECTLY,
                timeout=self._timeout_s,
                follow_redirects=False,
                headers={"User-Agent": f"rc-mcp/{__version__}"},
            )

    async def aclose(self) -> None:
        if "_http" in self.__dict__:
            await self._http.aclose()

    async def send(self, call: Call) -> CompleteResponse:
        """Send `call` and read its successful answer, up to 64 MiB.

        Raises:
            RingCentralError: any but `ContentTooLarge`; `InvalidRequest` only if the URL would be too long.
        """
        return await self._patiently(call, self._exchange)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncGenerator[httpx.Response]:
        """Send `call` and yield its successful answer with an unread body. Reading the body is not retried.

        Raises:
            RingCentralError: as for `send`.
        """
        response = await self._patiently(call, self._open)
        try:
            yield response
        finally:
            await _close(response)

    async def _patiently(self, call: Call, act: Callable[[Call], Awaitable[T]]) -> T:
        left_s = time_left_s()
        if call.method != "GET" and left_s < inf:
            if left_s < LIMITS.change_begins_s:
                raise NoTimeLeft(f"{call.method} was not sent: the time for this call has run out")
            left_s -= LIMITS.read_back_s
        with waiting_until(self._time.now() + min(self._max_wait_s, max(left_s, 0.0))):
            with anyio.move_on_after(left_s):
                return await with_retries(call, lambda: act(call), self._time)
        raise AnswerLost(f"{call.method} had no complete answer when the time for this call ran out")

    async def _exchange(self, call: Call) -> CompleteResponse:
        response = await self._open(call)
        try:
            with failures_named(response.request):
                body = await _body(response, LIMITS.answer_bytes)
        finally:
            await _close(response)
        if body is None:
            raise UnexpectedAnswer(f"RingCentral's answer to {call.method} is too large", status=response.status_code)
        return CompleteResponse(response.status_code, response.headers, body)

    async def _open(self, call: Call) -> httpx.Response:
        """Return a successful answer whose body has not been read."""
        request = self._request(call)
        with failures_named(request), heads_in_time(request):
            response = await self._http.send(request, stream=True)
        if response.is_success:
            return response
        try:
            raise await _refusal(call, response)
        finally:
            await _close(response)

    def _request(self, call: Call) -> httpx.Request:
        http = self._http  # not below: an address of a proxy may be wrong as well
        try:
            url = f"{self._media if call.media else self._server}{call.path}"
            return http.build_request(
                call.method, url, params=list(call.query) or None, content=call.body, headers=list(call.headers)
            )
        except httpx.InvalidURL:
            raise InvalidRequest(f"The address of this {call.method} would be too long. Nothing was sent.") from None


@contextmanager
def environment_named() -> Generator[None]:
    """Wrap the creation of an HTTP client, which reads proxies and certificates from the environment.

    Raises:
        BadEnvironment: they cannot be used.
    """
    try:
        yield
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # The error is not quoted: a proxy's URL may contain a password.
        advice = " A SOCKS proxy needs the package socksio." if isinstance(error, ImportError) else ""
        raise BadEnvironment(
            "A proxy or certificate file from the environment (HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or similar) "
            f"cannot be used ({type(error).__name__}).{advice} Nothing was sent."
        ) from None


@contextmanager
def failures_named(request: httpx.Request) -> Generator[None]:
    """Turn each httpx failure into an error that says whether the request may have been carried out."""
    try:
        yield
    except httpx.HTTPError as error:
        # Not chained: some httpx messages quote header values.
        raise _failure(error, request) from None


def _failure(error: httpx.HTTPError, request: httpx.Request) -> TransportFailure:
    what, kind = f"{request.method} {request.url.path[:120]}", type(error).__name__
    left = not isinstance(error, _NEVER_LEFT)
    if not left:
        give_place_back(error.request)
    not_sent = Unreachable if isinstance(error, _NO_CONNECTION) else NotSent
    if error.request is not request:
        text = f"{what} was not carried out: its login got no answer ({kind})"
        return not_sent(text, login_unanswered=left)
    if not left:
        return not_sent(f"{what} was not sent: no connection to {request.url.host} ({kind}: {plain(str(error), 120)})")
    doubt = "" if request.method == "GET" else f"; {MAYBE_CARRIED_OUT}"
    return AnswerLost(f"{what} got no complete answer ({kind}){doubt}")


async def _refusal(call: Call, response: httpx.Response) -> RingCentralError:
    """Return the error for an unsuccessful answer, from status and headers if the body does not arrive."""
    body = b""
    with suppress(httpx.HTTPError):
        body = await _body(response, LIMITS.error_body_bytes) or b""
    token = response.request.headers["Authorization"].removeprefix("Bearer ")
    headers = without(response.headers, token)
    error = refusal(response.status_code, parsed(body, token), headers, method=call.method, path=call.path)
    if isinstance(error, StillProcessing):
        lift_penalty(response.request)
    return error


async def _close(response: httpx.Response) -> None:
    with suppress(httpx.HTTPError):
        await response.aclose()


async def _body(response: httpx.Response, max_bytes: int) -> bytes | None:
    """Return the whole body; None if it is larger than `max_bytes`.

    Raises:
        httpx.HTTPError: the connection failed, or the body took longer than `LIMITS.answer_s`.
    """
    body = bytearray()
    with in_time(response.request):
        async with aclosing(response.aiter_bytes()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > max_bytes:
                    return None
    return bytes(body)
