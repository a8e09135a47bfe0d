"""A network with no way out, but for one server of the test process. Programs in it reach each other.

Network namespaces have no path between them, but share files: this module, run as a program in the namespace, listens
at the server's address and passes bytes on through a Unix socket.
"""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import ByteStream, Listener, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

HOST = "127.0.0.1"
_READY, _READY_IN_S = "ready\n", 30
_Connect = Callable[[], Awaitable[ByteStream]]


@asynccontextmanager
async def network_with_server(
    port: int, folder: Path, alone: tuple[str | Path, ...]
) -> AsyncGenerator[tuple[str, ...]]:
    """Make a network; yield the words that run a program in it.

    Args:
        port: where the server listens on this machine. Its port in the network is the same.
        folder: for the socket.
        alone: runs a program in a network of its own.
    """
    socket = folder / "server"
    command = [*alone, sys.executable, __file__, str(port), str(socket)]
    listener = await anyio.create_unix_listener(socket)
    async with await anyio.open_process(command, stderr=None) as relay, anyio.create_task_group() as tasks:
        tasks.start_soon(_pass_on, listener, partial(anyio.connect_tcp, HOST, port))
        assert relay.stdout
        try:
            with anyio.fail_after(_READY_IN_S):
                await BufferedByteReceiveStream(relay.stdout).receive_exactly(len(_READY))
            yield ("nsenter", "--preserve-credentials", "--user", "--net", f"--target={relay.pid}")
        finally:
            relay.kill()
        tasks.cancel_scope.cancel()


async def _pass_on(listener: Listener[SocketStream], connect: _Connect) -> None:
    async def both_ways(here: ByteStream) -> None:
        async with here, await connect() as there, anyio.create_task_group() as ways:
            ways.start_soon(_copy, here, there)
            ways.start_soon(_copy, there, here)

    async with listener:
        await listener.serve(both_ways)


async def _copy(source: ByteStream, target: ByteStream) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        async for read in source:
            await target.send(read)
        await target.send_eof()


async def _relay(port: int, socket: str) -> None:
    listener = await anyio.create_tcp_listener(local_host=HOST, local_port=port)
    sys.stdout.write(_READY)
    sys.stdout.flush()
    await _pass_on(listener, partial(anyio.connect_unix, socket))


if __name__ == "__main__":
    anyio.run(_relay, int(sys.argv[1]), sys.argv[2])
