"""Servers to measure, and a client with little overhead: JSON lines of 2026-07-28, over stdio or HTTP."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

HERE = Path(__file__).resolve().parent
SERVE = [sys.executable, "-m", "rc_mcp", "serve"]
MINIMAL = [sys.executable, str(HERE / "minimal_server.py")]
WITH_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""A first start writes bytecode, as it does for users. Without it a start takes more than twice as long."""
LONGEST_LINE = 64 * 1024 * 1024

Json = dict[str, Any]


def request(id_: int, method: str, **params: Any) -> Json:
    prefix = "io.modelcontextprotocol"
    meta: Json = {f"{prefix}/protocolVersion": "2026-07-28", f"{prefix}/clientCapabilities": {}}
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": {**params, "_meta": meta}}


def call(id_: int, tool: str, arguments: Json) -> Json:
    return request(id_, "tools/call", name=tool, arguments=arguments)


class CallError(Exception):
    """A failed call. A run with a failed call is not measured."""


def checked(answer: Json) -> Json:
    """Return the result of a successful answer."""
    if answer.get("result", {"isError": True}).get("isError"):
        raise CallError(json.dumps(answer)[:300])
    return answer["result"]


class Stdio:
    """A connection to a server over stdin and stdout, for any number of callers at once."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._answers: dict[int, tuple[anyio.Event, list[Json]]] = {}
        self._last = 0
        self._in_session = False

    async def call(self, tool: str, arguments: Json) -> Json:
        """Call a tool and return its result."""
        self._last += 1
        return checked(await self.ask(call(self._last, tool, arguments)))

    async def greet(self) -> None:
        """Begin a session as clients before 2026-07-28 do, for servers that know no later protocol."""
        client: Json = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "-", "version": "0"},
        }
        checked(await self.ask({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}))
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self._in_session = True

    async def ask(self, message: Json) -> Json:
        """Send a request and return its answer."""
        came, answer = self._answers[message["id"]] = (anyio.Event(), [])
        if self._in_session:
            del message["params"]["_meta"]  # 2026-07-28 has it instead of a session
        await self._send(message)
        await came.wait()
        return answer[0]

    async def _send(self, message: Json) -> None:
        assert self.process.stdin is not None  # noqa: S101
        await self.process.stdin.send(json.dumps(message).encode() + b"\n")

    async def read(self) -> None:
        """Pass each answer to the caller that waits for it, and ignore notifications."""
        assert self.process.stdout is not None  # noqa: S101
        lines = BufferedByteReceiveStream(self.process.stdout)
        while True:
            message = json.loads(await lines.receive_until(b"\n", LONGEST_LINE))
            if "id" in message:
                came, answer = self._answers.pop(message["id"])
                answer.append(message)
                came.set()


@asynccontextmanager
async def stdio(
    command: list[str], cwd: str | None = None, stderr: int | None = None, /, **variables: str
) -> AsyncGenerator[Stdio]:
    """Run a server over stdio."""
    environment = os.environ | WITH_BYTECODE | variables
    async with await anyio.open_process(command, env=environment, stderr=stderr, cwd=cwd) as process:
        server = Stdio(process)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.read)
            try:
                yield server
            finally:
                tasks.cancel_scope.cancel()
                process.terminate()


class Http:
    """Kept connections to a server over streamable HTTP."""

    def __init__(self, process: Process, client: httpx.AsyncClient, address: str) -> None:
        self.process = process
        self._client, self._address = client, address

    async def call(self, tool: str, arguments: Json) -> Json:
        """Call a tool and return its result."""
        headers = {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        answer = await self._client.post(self._address, json=call(1, tool, arguments), headers=headers)
        if answer.headers["Content-Type"].startswith("application/json"):
            return checked(answer.json())
        return checked(json.loads(answer.text.rpartition("data: ")[2]))


@asynccontextmanager
async def http(command: list[str], **variables: str) -> AsyncGenerator[Http]:
    """Run a server over HTTP and connect to it."""
    # An idle connection is dropped before the server closes it, after 5 s: a call sent just then would be lost.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2)
    async with (
        http_process(command, **variables) as (process, address, _),
        httpx.AsyncClient(limits=limits, timeout=60) as client,
    ):
        yield Http(process, client, address)


@asynccontextmanager
async def http_process(
    command: list[str], cwd: str | None = None, **variables: str
) -> AsyncGenerator[tuple[Process, str, list[str]]]:
    """Run a server over HTTP, on a port that the system chooses; yield it with its address and its log."""
    environment, pipe = os.environ | WITH_BYTECODE | variables, subprocess.PIPE
    async with (
        await anyio.open_process(command, env=environment, stderr=pipe, stdout=None, cwd=cwd) as process,
        anyio.create_task_group() as tasks,
    ):
        assert process.stderr is not None  # noqa: S101
        said = BufferedByteReceiveStream(process.stderr)
        while not (running := re.search(rb"running on (http://[^\s/]+)", await said.receive_until(b"\n", 10_000))):
            pass
        log: list[str] = []

        async def read() -> None:
            with suppress(anyio.EndOfStream):
                while True:
                    log.append((await said.receive()).decode(errors="replace"))

        tasks.start_soon(read)
        try:
            yield process, f"{running[1].decode()}/mcp", log
        finally:
            if process.returncode is None:
                process.terminate()


Server = Stdio | Http


@contextmanager
def emulator(*options: str) -> Generator[dict[str, str]]:
    """Run an emulator without limits in a separate process; yield the environment variables of a server for it."""
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--no-rate-limits", *options]
    with tempfile.TemporaryDirectory() as state, subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        try:
            assert process.stdout is not None  # noqa: S101
            login = json.loads(process.stdout.readline())
            yield {
                "RC_SERVER_URL": login["server_url"],
                "RC_MEDIA_URL": login["media_url"],
                "RC_APP_CLIENT_ID": login["client_id"],
                "RC_APP_CLIENT_SECRET": login["client_secret"],
                "RC_USER_JWT": login["jwt"],
                "RC_MCP_STATE_DIR": state,
            }
        finally:
            process.terminate()


def resident_mb(pid: int) -> float:
    """Return a process's resident memory, as Linux reports it."""
    status = Path(f"/proc/{pid}/status")
    return int(status.read_text().partition("VmRSS:")[2].split()[0]) / 1024 if status.exists() else float("nan")
