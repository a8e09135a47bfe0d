"""uvicorn with the limits it lacks: half requests are closed, calls end before the process, descriptors may run out.

`HttpServer` runs one ASGI application on one address until SIGTERM or SIGINT.
"""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import h11
import uvicorn
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware
from sse_starlette.sse import AppStatus
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

WHOLE_REQUEST_S = 30.0
"""How long a request may take to arrive, from its first byte to its last, and a connection to send one."""
CALLS_END_S = 6.5
"""How long calls in progress at SIGTERM may take to end. Container engines kill after 10 s."""
_ANSWERS_GO_OUT_S = 1
"""How long the connections may take after that, before uvicorn cancels what is left."""
_QUEUE = 2048
"""Connections that the system keeps until they are accepted."""
_NO_DESCRIPTOR = "socket.accept() out of system resource"
"""asyncio's words for it."""
_SAID_AGAIN_S = 60.0

_log = logging.getLogger(__name__)
_uvicorn_log = logging.getLogger("uvicorn.error")


class HttpServer(uvicorn.Server):
    """Serves an application until SIGTERM or SIGINT, which end it with exit code 0 within 10 s.

    New requests are then refused, calls in progress have `CALLS_END_S` to be answered, and streams end after them.

    Args:
        door: what all requests that are let in pass through, somewhere within `app`.
    """

    def __init__(self, app: ASGIApp, door: "Door") -> None:
        self._door = door
        self._said_at = float("-inf")
        config = uvicorn.Config(
            app,
            http=_InTime,
            ws="none",
            # asyncio tries so often to accept in one go, and each time that no descriptor is free it logs a traceback
            # and sets a timer to try as often again: megabytes a second. `_Listening` keeps the system's queue long.
            backlog=1,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_ANSWERS_GO_OUT_S,
        )
        super().__init__(config)

    def serve_on(self, listening: list[socket.socket]) -> None:
        """Serve until a signal. uvicorn's own line on stderr says where; stdout stays empty."""
        allow_all_descriptors()
        # It would end every stream the moment SIGTERM comes, with the answers that a client of 2025-11-25 waits for.
        AppStatus.disable_automatic_graceful_drain()
        self.run([_Listening(fileno=each.detach()) for each in listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which is silent about sockets that it did not open itself."""
        asyncio.get_running_loop().set_exception_handler(self._note)
        await super().startup(sockets)
        for each in sockets or []:
            host, port = each.getsockname()[:2]
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            _uvicorn_log.info("Uvicorn running on http://%s (Press CTRL+C to quit)", where)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let calls end before uvicorn closes what they are answered through."""
        for server in self.servers:
            server.close()
        self._door.refuse_new()
        give_up_at = anyio.current_time() + CALLS_END_S
        # As uvicorn waits: a second SIGINT sets a flag and wakes nothing.
        while self._door.is_busy and not self.force_exit and anyio.current_time() < give_up_at:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        self._door.end_streams()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Unlike uvicorn's, it does not raise the signal again in the end: the exit code of a good end is 0."""
        signals = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            signals.append(signal.SIGBREAK)
        before = {each: signal.signal(each, self.handle_exit) for each in signals}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if context.get("message") != _NO_DESCRIPTOR:
            loop.default_exception_handler(context)
        elif loop.time() - self._said_at >= _SAID_AGAIN_S:
            self._said_at = loop.time()
            _log.error(
                "no file descriptor is free, so new connections wait until others close, and calls may fail. Raise the "
                "limit (`ulimit -n`), or find out who opens so many connections."
            )


def allow_all_descriptors() -> None:
    """Raise the soft limit on open files to the hard one; Windows has neither."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):  # macOS says "unlimited" and does not mean it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Listening(socket.socket):
    """A socket whose queue stays long, whatever length asyncio asks for, and asks for again after it ran out."""

    def listen(self, backlog: int = _QUEUE, /) -> None:
        super().listen(max(backlog, _QUEUE))


class _InTime(H11Protocol):
    """A connection that is closed when a request has not arrived whole within `WHOLE_REQUEST_S`.

    uvicorn has a limit for a kept connection between two requests, and none from the first byte on.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def handle_events(self) -> None:
        super().handle_events()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start to count when a request is awaited, and stop when it is here."""
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(WHOLE_REQUEST_S, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class OnlyWhole:
    """Passes on requests that arrived whole. One that broke off does not reach the application, or its log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = RequestBodyLimitMiddleware(self._pass_on, DEFAULT_MAX_REQUEST_BODY_SIZE)
        self._inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        first: Message | None = await receive()  # all of the body that arrived, in one message
        if first["type"] == "http.disconnect" or first.get("more_body"):
            return

        async def again() -> Message:
            nonlocal first
            message, first = first, None
            return message or await receive()

        await self._inner(scope, again, send)


class Door:
    """Knows which requests are not answered yet, refuses new ones in the end, and ends streams that stay open.

    Args:
        calls: how many calls of tools are in progress, those included whose client has left.
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
    def is_busy(self) -> bool:
        """Whether a call is in progress or a request, other than a stream, is not answered."""
        return bool(self._unanswered or self._calls())

    def refuse_new(self) -> None:
        """Begin nothing new from now on."""
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
            message: Message = {"type": "http.disconnect"}  # as if the client had left
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
        if is_open:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
