"""`rc-mcp serve --http` with clients that never finish a request or open too many connections."""

import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import anyio
import httpx2 as httpx
import pytest
from anyio.abc import SocketStream
from starlette.types import Receive, Scope, Send

from rc_mcp import time_limits
from rc_mcp.cli.http_server import HttpServer
from rc_mcp.emulator.service.serving import bound_sockets
from rc_mcp.http_gates import Door, OnlyWhole

pytestmark = pytest.mark.anyio

PATIENCE_S = 30
HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"


@dataclass
class Server:
    """A server in this process whose application counts requests, and answers 204 when allowed."""

    port: int = 0
    reached: int = 0
    arrived: anyio.Event = field(default_factory=anyio.Event)
    may_answer: anyio.Event = field(default_factory=anyio.Event)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.reached += 1
        self.arrived.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def connect(self) -> SocketStream:
        return await anyio.connect_tcp("127.0.0.1", self.port)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Server]:
    """Run a server with a request time limit of 0.2 s instead of 30 s."""
    monkeypatch.setattr(time_limits, "HTTP_REQUEST_S", 0.2)
    running = Server()
    running.may_answer.set()
    door = Door(running.app, calls=lambda: 0, stop_listening=lambda: None)
    uvicorn = HttpServer(OnlyWhole(door), door, path="/", about="a test")
    with bound_sockets("127.0.0.1", 0) as (bound,), anyio.fail_after(PATIENCE_S):
        running.port = bound.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(uvicorn.serve, [bound])
            while not uvicorn.started:  # noqa: ASYNC110  uvicorn wakes nothing
                await anyio.sleep(0.01)
            yield running
            running.may_answer.set()
            uvicorn.should_exit = True


async def closed(stream: SocketStream) -> bytes:
    """Return the bytes that the server sent before it closed this connection."""
    said = b""
    async with stream:
        try:
            while True:
                said += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return said


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"POST",
        HEAD,
        HEAD + b"Content-Length: 5\r\n\r\n",
        HEAD + b"Content-Length: 5\r\n\r\nabcd",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
        HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ],
    ids=["nothing", "a word", "half a head", "no body", "half a body", "half a chunked body", "no body after 100"],
)
async def test_an_incomplete_request_is_closed_and_does_not_reach_the_application(
    part: bytes, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    stream = await server.connect()
    if part:
        await stream.send(part)
    said = await closed(stream)
    assert said in {b"", b"HTTP/1.1 100 \r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"}
    assert server.reached == 0
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("head", [HEAD, HEAD + b"Content-Length: 1000000\r\n\r\n"], ids=["head", "body"])
async def test_a_slow_request_is_closed_although_bytes_keep_arriving(head: bytes, server: Server) -> None:
    stream = await server.connect()
    await stream.send(head)
    async with stream, anyio.create_task_group() as tasks:

        async def drip() -> None:
            while True:
                await stream.send(b"a")
                await anyio.sleep(0.01)

        tasks.start_soon(drip)
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
        tasks.cancel_scope.cancel()


async def test_a_second_request_on_a_connection_has_the_same_time_limit(server: Server) -> None:
    stream = await server.connect()
    await stream.send(HEAD + b"Content-Length: 0\r\n\r\n" + HEAD)
    assert (await closed(stream)).startswith(b"HTTP/1.1 204")
    assert server.reached == 1


async def test_a_request_refused_before_its_body_arrived_is_closed_too(server: Server) -> None:
    """If the application answers at once, the rest of the body may never arrive."""
    door = Door(server.app, calls=lambda: 0, stop_listening=lambda: None)
    uvicorn = HttpServer(door, door, path="/", about="a test")
    with bound_sockets("127.0.0.1", 0) as (bound,):
        server.port = bound.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(uvicorn.serve, [bound])
            stream = await server.connect()
            await stream.send(HEAD + b"Content-Length: 5\r\n\r\nabc")
            assert (await closed(stream)).startswith(b"HTTP/1.1 204")
            uvicorn.should_exit = True


async def test_a_complete_request_has_no_time_limit(server: Server) -> None:
    server.may_answer = anyio.Event()
    answers: list[int] = []
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client, anyio.create_task_group() as tasks:

        async def ask() -> None:
            answers.append((await client.post(f"http://127.0.0.1:{server.port}", content=b"abc")).status_code)

        tasks.start_soon(ask)
        await server.arrived.wait()
        await closed(await server.connect())  # by now the other request's time limit would have passed
        server.may_answer.set()
    assert answers == [204]


@contextmanager
def with_descriptors(soft: int, hard: int, tmp_path: Path) -> Generator[tuple[subprocess.Popen[str], int, list[str]]]:
    """Run the demo over HTTP with these limits on open files; yield process, port and log."""
    limited = f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
    limited += "sys.argv = ['rc-mcp', 'serve', '--demo', '--http', '--port', '0']; "
    limited += "runpy.run_module('rc_mcp', run_name='__main__')"
    environment = {**os.environ, "RC_MCP_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", limited]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        log: list[str] = []
        try:
            for line in process.stderr:
                log.append(line)
                if running := re.search(r"running on http://127.0.0.1:(\d+)", line):
                    break
            else:
                raise AssertionError(log)
            emptied = Thread(target=log.extend, args=(process.stderr,), daemon=True)
            emptied.start()
            yield process, int(running[1]), log
        finally:
            process.terminate()
            process.wait(timeout=20)
        emptied.join(timeout=20)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_without_free_descriptors_one_error_is_logged_and_service_resumes(tmp_path: Path) -> None:
    with with_descriptors(100, 100, tmp_path) as (_, port, log):
        opened = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
        waiting = socket.create_connection(("127.0.0.1", port))
        waiting.settimeout(3)  # asyncio tries three times in this time
        waiting.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        for each in opened:
            each.close()
        waiting.settimeout(20)
        assert waiting.recv(12) == b"HTTP/1.1 400"
        waiting.close()
    assert sum("ERROR rc_mcp.cli.http_server: " in line for line in log) == 1
    assert sum(map(len, log)) < 4_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the limit of another process")
def test_it_raises_its_limit_on_open_files_to_the_hard_limit(tmp_path: Path) -> None:
    import resource

    with with_descriptors(100, 300, tmp_path) as (process, _, _):
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (300, 300)
