"""The emulator on real sockets: one port per application, in the running event loop."""

import logging
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

SOCKET = "rc_mcp.socket"
"""The ASGI extension that has a request's `Socket`."""


_IS_EMULATOR: ContextVar[bool] = ContextVar("is_emulator", default=False)
"""Set in the tasks of the emulator's servers and of their connections."""


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or not _IS_EMULATOR.get()


logging.getLogger("uvicorn.error").addFilter(_is_worth_a_line)


@dataclass(frozen=True)
class Socket:
    """A way to close the client's connection and an event for the service's end, which ASGI does not provide."""

    close: Callable[[], None]
    ending: anyio.Event


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to its host process and reports when it is ready."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                self._lending_its_socket(app),
                http="httptools",
                lifespan="off",
                ws="none",
                log_config=None,  # nor a level: the loggers are those of every uvicorn server in this process
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self.ready = anyio.Event()
        self.ending = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def run_until_ended(self, bound: socket.socket) -> None:
        _IS_EMULATOR.set(True)
        # If uvicorn is canceled, its connections stay open. So it is shielded and ends through `end`.
        with anyio.CancelScope(shield=True):
            await self.serve([bound])

    def end(self) -> None:
        self.should_exit = True
        self.ending.set()

    def _lending_its_socket(self, app: ASGIApp) -> ASGIApp:
        async def lend(scope: Scope, receive: Receive, send: Send) -> None:
            lent = Socket(partial(self._close, scope["client"]), self.ending)
            await app({**scope, "extensions": {**scope.get("extensions", {}), SOCKET: lent}}, receive, send)

        return lend

    def _close(self, client: Any) -> None:
        """Close the connection from this client's address after sending the bytes already written to it."""
        connections: set[Any] = {*self.server_state.connections}
        for connection in connections:
            if connection.client == client:
                connection.transport.close()


@asynccontextmanager
async def serving(apps: dict[ASGIApp, socket.socket]) -> AsyncGenerator[None]:
    """Serve every app on its socket until the block ends, also by an error."""
    servers = {_Server(app): bound for app, bound in apps.items()}
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        for server, bound in servers.items():
            tasks.start_soon(server.run_until_ended, bound)
        try:
            for server in servers:
                await server.ready.wait()
            yield
        except Exception as error:  # noqa: BLE001  # raised below, so that the task group does not wrap it in a group
            failure = error
        finally:
            for server in servers:
                server.end()
    if failure is not None:
        raise failure


@contextmanager
def bound_sockets(host: str, *ports: int) -> Generator[list[socket.socket]]:
    """Open listening sockets and close them at the end, used or not. For port 0 the system chooses one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened: list[socket.socket] = []
    try:
        for port in ports:
            opened.append(socket.create_server((host, port), family=family))
            # asyncio sets this only on sockets that it creates. Without it, each answer on a kept connection waits
            # 40 ms for the client to acknowledge its headers.
            opened[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened
    finally:
        for each in opened:
            each.close()


def address(bound: socket.socket) -> str:
    """Return the URL of a socket for a client on this machine."""
    name: tuple[str, int] = bound.getsockname()[:2]
    host, port = name
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
