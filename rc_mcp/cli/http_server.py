"""uvicorn with limits that it lacks: on incomplete requests, on shutdown, and on file descriptors.

`HttpServer` runs one ASGI application until SIGTERM or SIGINT.
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
import click
import h11
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp
from uvicorn.config import LOGGING_CONFIG
from uvicorn.protocols.http.h11_impl import H11Protocol

from rc_mcp import time_limits
from rc_mcp.http_gates import Door

_QUEUE = 2048
"""Length of the system's queue of connections that are not yet accepted."""
_NO_DESCRIPTOR = "socket.accept() out of system resource"
"""asyncio's message when no file descriptor is free."""

_log = logging.getLogger(__name__)


class HttpServer(uvicorn.Server):
    """A server that SIGTERM or SIGINT ends with exit code 0 within 10 s.

    New requests are then refused, calls in progress have a few seconds to finish, and streams end after them.

    Args:
        door: the gate within `app` that all accepted requests pass.
        path: the path that clients use, such as `/mcp`.
        about: what is served there, and to whom, in a few words.
        say: writes the line at the start; uvicorn then logs as the process does. Default: plain lines on stderr.
    """

    def __init__(
        self, app: ASGIApp, door: Door, *, path: str, about: str, say: Callable[[str], None] | None = None
    ) -> None:
        self._door = door
        self._path = path
        self._about = about
        self._say = say or _say_plainly
        self._said_at = float("-inf")
        config = uvicorn.Config(
            app,
            http=_InTime,
            ws="none",
            # asyncio accepts this many connections at a time, and logs a traceback and sets a timer for each that fails
            # for lack of a descriptor: megabytes a second. `_Listening` keeps the system's queue long.
            backlog=1,
            access_log=False,
            server_header=False,
            log_config=None if say else LOGGING_CONFIG,
            timeout_graceful_shutdown=time_limits.CONNECTIONS_END_S,
        )
        super().__init__(config)

    def serve_on(self, listening: list[socket.socket]) -> None:
        """Serve until a signal arrives."""
        self.run(_prepared(listening))

    async def serve_here(self, listening: list[socket.socket]) -> None:
        """Serve in the running event loop until a signal arrives."""
        await self.serve(_prepared(listening))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say on stderr what is served at which address; uvicorn only logs sockets that it opened."""
        asyncio.get_running_loop().set_exception_handler(self._note)
        await super().startup(sockets)
        for each in sockets or []:
            host, port = each.getsockname()[:2]
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self._say(f"running on http://{where}{self._path} ({self._about}). Ctrl-C ends it.")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let calls end before uvicorn closes their connections."""
        for server in self.servers:
            server.close()
        self._door.refuse_new()
        give_up_at = anyio.current_time() + time_limits.CALLS_END_S
        # As uvicorn waits: a second SIGINT sets a flag and wakes nothing.
        while self._door.is_busy and not self.force_exit and anyio.current_time() < give_up_at:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        self._door.end_streams()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle signals as uvicorn does, but do not raise them again at the end: the exit code is then 0."""
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
        elif loop.time() - self._said_at >= time_limits.SAY_AGAIN_S:
            self._said_at = loop.time()
            _log.error(
                "no file descriptor is free: new connections wait until others close, and calls may fail. Raise the "
                "limit (`ulimit -n`), or find the client that opens too many connections."
            )


def _prepared(listening: list[socket.socket]) -> list[socket.socket]:
    allow_all_descriptors()
    # It would end every stream at SIGTERM, including answers that a client of 2025-11-25 waits for.
    AppStatus.disable_automatic_graceful_drain()
    return [_Listening(fileno=each.detach()) for each in listening]


def allow_all_descriptors() -> None:
    """Raise the soft limit on open files to the hard one; Windows has neither."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):  # macOS says "unlimited" and does not mean it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say_plainly(words: str) -> None:
    click.echo(f"rc-mcp: {words}", err=True)


class _Listening(socket.socket):
    """A socket whose queue stays long, even when asyncio asks for a shorter one."""

    def listen(self, backlog: int = _QUEUE, /) -> None:
        super().listen(max(backlog, _QUEUE))


class _InTime(H11Protocol):
    """A connection that is closed if a request is incomplete after `time_limits.HTTP_REQUEST_S`.

    uvicorn only limits the time between two requests on a connection.
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
        """Run the timer while a request is incomplete."""
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(time_limits.HTTP_REQUEST_S, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
