"""A client that speaks whatever it likes: lines of bytes over stdio, to a server that is a process of its own."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.serving import RC_MCP

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
PATIENCE_S = 60
"""The limit for one test, so that a hanging one ends."""
LONGEST_LINE = 64 * 1024 * 1024

Json = dict[str, Any]


def meta(**capabilities: Any) -> Json:
    """What every request of 2026-07-28 carries."""
    prefix = "io.modelcontextprotocol"
    return {f"{prefix}/protocolVersion": MODERN, f"{prefix}/clientCapabilities": capabilities}


def request(id: Any, method: str, **params: Any) -> Json:  # noqa: A002
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def call(id: Any, tool: str, **arguments: Any) -> Json:  # noqa: A002
    """A call of a tool as a client of 2026-07-28 sends it."""
    return request(id, "tools/call", name=tool, arguments=arguments, _meta=meta())


@dataclass
class Wire:
    """The two ends of a server's stdin and stdout."""

    process: Process
    lines: BufferedByteReceiveStream
    checks: int = 0

    async def send(self, *messages: Any) -> None:
        """Each as a line; bytes as they are."""
        assert self.process.stdin is not None
        for message in messages:
            line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
            await self.process.stdin.send(line)

    async def receive(self) -> Json:
        """Return the next message; every line on stdout must be one."""
        message = json.loads(await self.lines.receive_until(b"\n", LONGEST_LINE))
        assert message["jsonrpc"] == "2.0", message
        return message

    async def answer_to(self, message: Json) -> Json:
        """Send this request; the answer to it, past whatever notifications come before."""
        await self.send(message)
        while (answer := await self.receive()).get("id") != message["id"] or "method" in answer:
            pass
        return answer

    async def initialize(self, version: str = LEGACY, **capabilities: Any) -> Json:
        """The handshake of the older protocols."""
        hello = request(
            "hello",
            "initialize",
            protocolVersion=version,
            capabilities=capabilities,
            clientInfo={"name": "hostile", "version": "1"},
        )
        answer = await self.answer_to(hello)
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    async def alive(self) -> None:
        """The server still answers, and answers right."""
        self.checks += 1
        answer = await self.answer_to(call(f"alive-{self.checks}", "list_messages", per_page=1))
        assert answer["result"]["isError"] is False

    async def end(self) -> int:
        """Close its stdin; the exit code. Whatever it still says is protocol, and its log has no traceback."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        await self.process.stdin.aclose()
        rest = self.lines.buffer + b"".join([chunk async for chunk in self.process.stdout])
        for line in rest.splitlines():
            assert json.loads(line)["jsonrpc"] == "2.0"
        log = b"".join([chunk async for chunk in self.process.stderr]).decode()
        assert "Traceback" not in log, log
        return await self.process.wait()


@asynccontextmanager
async def stdio(folder: Path, *options: str, patience_s: float = PATIENCE_S) -> AsyncGenerator[Wire]:
    """Start `rc-mcp serve --demo` with its plans in this folder; it must exit without an error when its stdin ends."""
    with anyio.fail_after(patience_s):
        process = await anyio.open_process([*RC_MCP, "serve", "--demo", *options], env=environment(folder))
        async with process:
            assert process.stdout is not None
            wire = Wire(process, BufferedByteReceiveStream(process.stdout))
            try:
                yield wire
                assert await wire.end() == 0
            finally:
                if process.returncode is None:
                    process.kill()


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "RC_MCP_STATE_DIR": str(folder)}


def memory_mb(pid: int) -> float:
    """Return a process's resident memory as Linux reports it; 0 on other systems."""
    status = Path(f"/proc/{pid}/status")
    return int(status.read_text().partition("VmRSS:")[2].split()[0]) / 1024 if status.exists() else 0.0
