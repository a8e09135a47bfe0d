"""Checks that requests over HTTP pass before the application: their host and origin, their size, the end of the server.

Each is an ASGI middleware.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import anyio
from mcp.server.transport_security import (
    DEFAULT_MAX_REQUEST_BODY_SIZE,
    RequestBodyLimitMiddleware,
    TransportSecuritySettings,
)
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PORT = r"(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
"""1 to 65535, or none."""

_PAGE_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

HOST_REFUSED = "This Host is not allowed; rc-mcp serve --allow-host NAME allows a host name. Nothing was done."


class OnlyUnder:
    """Middleware that requires one of these names as Host, and as Origin if present, with or without a port.

    Names are compared exactly: browsers write a name in only one way, and another spelling is refused.

    Args:
        refusal: what another name is answered with.
        checks_origin: whether pages of other sites are refused too.
    """

    def __init__(
        self, names: Iterable[str], app: ASGIApp, *, refusal: str = HOST_REFUSED, checks_origin: bool = True
    ) -> None:
        self._refusal = refusal
        self._checks_origin = checks_origin
        name = "|".join(re.escape(each) for each in names)
        self._host = re.compile(rf"(?:{name}){_PORT}", re.ASCII)
        self._origin = re.compile(rf"https?://(?:{name}){_PORT}", re.ASCII)
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._host.fullmatch(hosts[0]):
            refusal = PlainTextResponse(f"{self._refusal}\n", 421)
        elif self._checks_origin and not all(self._origin.fullmatch(origin) for origin in origins):
            refusal = PlainTextResponse("This Origin is not allowed. Nothing was done.\n", 403)
        else:
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)


class Page:
    """A page of plain text. `content` returns its text and status."""

    def __init__(self, content: Callable[[], tuple[str, int]]) -> None:
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(*self._content(), _PAGE_HEADERS)(scope, receive, send)


class Pages:
    """Middleware that serves these pages to GET and HEAD, by path; all other requests pass."""

    def __init__(self, pages: Mapping[str, ASGIApp], app: ASGIApp) -> None:
        self._pages = pages
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_reading = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        app = self._pages.get(scope["path"], self._app) if is_reading else self._app
        await app(scope, receive, send)


def transport_security(names: Sequence[str]) -> TransportSecuritySettings:
    """Configure the SDK's own check, which runs after ours and accepts anything as a port."""
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(allowed_hosts=_any_port(names), allowed_origins=_any_port(origins))


def _any_port(names: Sequence[str]) -> list[str]:
    return [*names, *(f"{name}:*" for name in names)]


class OnlyWhole:
    """Middleware that drops incomplete requests, and refuses large ones, before the application and its log."""

    def __init__(self, app: ASGIApp, most_bytes: int = DEFAULT_MAX_REQUEST_BODY_SIZE) -> None:
        self._app = RequestBodyLimitMiddleware(self._pass_on, most_bytes)
        self._inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        first: Message | None = await receive()  # the complete body, or as much as arrived, in one message
        if first["type"] == "http.disconnect" or first.get("more_body"):
            return

        async def again() -> Message:
            nonlocal first
            message, first = first, None
            return message or await receive()

        await self._inner(scope, again, send)


class Door:
    """A gate that counts unanswered requests and, at shutdown, refuses new ones and ends streams.

    Args:
        calls: the number of tool calls in progress, including those whose client has disconnected.
        stop_listening: ends the streams of `subscriptions/listen`.
    """

    def __init__(self, app: ASGIApp, *, calls: Callable[[], int], stop_listening: Callable[[], None]) -> None:
        self._app = app
        self._calls = calls
        self._stop_listening = stop_listening
        self._closed = False
        self._streams_end = anyio.Event()
        self._unanswered = 0

    @property
    def is_closed(self) -> bool:
        """Whether new requests are refused."""
        return self._closed

    @property
    def is_busy(self) -> bool:
        """Whether a call is in progress, or a request other than a stream is unanswered."""
        return bool(self._unanswered or self._calls())

    def refuse_new(self) -> None:
        """Refuse new requests from now on."""
        self._closed = True
        self._stop_listening()

    def end_streams(self) -> None:
        """End the streams that a client of 2025-11-25 keeps open with GET."""
        self._streams_end.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._closed:
            words = "This server is shutting down. Nothing was done; call again when it is back.\n"
            await PlainTextResponse(words, 503, {"Connection": "close"})(scope, receive, send)
        elif scope["method"] == "GET":
            await self._stream(scope, receive, send)
        else:
            self._unanswered += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._unanswered -= 1

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False

        async def noted(message: Message) -> None:
            nonlocal is_open
            await send(message)
            is_open = message["type"] == "http.response.start" or message.get("more_body", False)

        async def until_the_end() -> Message:
            message: Message = {"type": "http.disconnect"}  # as if the client had disconnected
            async with anyio.create_task_group() as tasks:

                async def take() -> None:
                    nonlocal message
                    message = await receive()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(take)
                await self._streams_end.wait()
                tasks.cancel_scope.cancel()
            return message

        await self._app(scope, until_the_end, noted)
        if is_open and self._streams_end.is_set():  # otherwise it broke off, and the client must not take it for whole
            await send({"type": "http.response.body", "body": b"", "more_body": False})
