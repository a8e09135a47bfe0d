"""The emulator on real sockets: one port for the platform and one for media, in the running event loop."""

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to its host and says when it is ready."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self.ready = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def run_until_told(self, bound: socket.socket) -> None:
        # Cancelling uvicorn half-way leaves its connections open. So it is told to end instead, and shielded
        # meanwhile.
        with anyio.CancelScope(shield=True):
            await self.serve([bound])


@asynccontextmanager
async def serving(apps: dict[ASGIApp, socket.socket]) -> AsyncGenerator[None]:
    """Serves every app on its socket until the block ends, however it ends."""
    servers = {_Server(app): bound for app, bound in apps.items()}
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        for server, bound in servers.items():
            tasks.start_soon(server.run_until_told, bound)
        try:
            for server in servers:
                await server.ready.wait()
            yield
        except Exception as error:  # noqa: BLE001  # raised below, where the task group cannot wrap it in a group
            failure = error
        finally:
            for server in servers:
                server.should_exit = True
    if failure is not None:
        raise failure


@contextmanager
def bound_sockets(host: str, *ports: int) -> Generator[list[socket.socket]]:
    """Listening sockets; a port of 0 lets the system choose. All are closed in the end, served or not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened: list[socket.socket] = []
    try:
        for port in ports:
            opened.append(socket.create_server((host, port), family=family))  # noqa: PERF401
        yield opened
    finally:
        for each in opened:
            each.close()


def address(bound: socket.socket) -> str:
    """The URL a client on this machine reaches a socket by."""
    name: tuple[str, int] = bound.getsockname()[:2]
    host, port = name
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
