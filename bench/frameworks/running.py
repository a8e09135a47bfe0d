"""A mailbox with our server in front of it, and a framework's program that talks to it."""

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

import httpx2 as httpx

from bench.frameworks.environments import command_of
from bench.frameworks.table import Framework
from tests.serving import RC_MCP, served

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 60
"""The longest a call may take: frameworks that validate each other's schemas are slow to start."""
START_TIMEOUT_S = 180

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The office's mailbox behind a running server."""

    url: str
    admin_url: str

    def availability(self, message_id: str) -> str:
        """Return the availability of a message as RingCentral has it."""
        return httpx.get(f"{self.admin_url}/messages/{message_id}").raise_for_status().json()["availability"]

    def delay(self, seconds: float) -> None:
        """Let the next request wait for its answer."""
        fault = {"kind": "latency", "seconds": seconds, "times": 1}
        httpx.post(f"{self.admin_url}/faults", json=fault).raise_for_status()


@contextmanager
def mailbox() -> Generator[Mailbox]:
    """Start an emulator and `rc-mcp serve --http` as processes of their own: the same mailbox each time."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RC_", "PYTHON"))}
    emulator = [*RC_MCP, "emulator", "--admin", "--no-rate-limits"]
    with TemporaryDirectory() as state, subprocess.Popen(emulator, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        try:
            at = json.loads(process.stdout.readline())
            login = {
                "RC_SERVER_URL": at["server_url"],
                "RC_MEDIA_URL": at["media_url"],
                "RC_APP_CLIENT_ID": at["client_id"],
                "RC_APP_CLIENT_SECRET": at["client_secret"],
                "RC_USER_JWT": at["jwt"],
                "RC_MCP_STATE_DIR": f"{state}/state",
                "RC_MCP_DOWNLOAD_DIR": f"{state}/downloads",
                "RC_MCP_TIMEZONE": "UTC",
            }
            env = [f"{name}={value}" for name, value in (clean | login).items()]
            with served("env", "-i", *env, *RC_MCP, "serve", "--http", "--port", "0") as server:
                yield Mailbox(server.address, at["admin_url"])
        finally:
            process.terminate()


@dataclass(slots=True)
class Client:
    """A framework's program: what it makes of the tools, and what each call gives to its model."""

    process: subprocess.Popen[str]
    tools: dict[str, Any] = field(default_factory=dict[str, Any])
    strict: dict[str, Any] | None = None
    """The schemas of its strict mode; None if it has none."""

    def call(
        self,
        tool: str,
        arguments: Arguments,
        *,
        strict: bool = False,
        reply: str = "decline",
        patience_s: float = PATIENCE_S,
    ) -> dict[str, Any]:
        """Make one call; `contract.py` says what comes back."""
        assert self.process.stdin is not None  # noqa: S101
        request = {"tool": tool, "arguments": arguments, "strict": strict, "reply": reply, "patience_s": patience_s}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read(PATIENCE_S + patience_s)

    def read(self, timeout_s: float) -> dict[str, Any]:
        assert self.process.stdout is not None  # noqa: S101
        timer = Timer(timeout_s, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise RuntimeError("the program ended, or did not answer in time")
        return json.loads(line)


@contextmanager
def client(framework: Framework, at: Mailbox, log: Path, *, asks: bool = False) -> Generator[Client]:
    """Start a framework's program; with `asks` it has a user who answers questions. Its stderr goes to `log`."""
    plan = json.dumps({"url": at.url, "asks": asks})
    quiet = {"OTEL_SDK_DISABLED": "true", "CREWAI_DISABLE_TELEMETRY": "true", "MCP_USE_ANONYMIZED_TELEMETRY": "false"}
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RC_", "PYTHON"))} | quiet
    command = [*command_of(PROGRAMS / framework.program, framework.lock), plan]
    pipe = subprocess.PIPE
    with (
        log.open("a", encoding="utf-8") as errors,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=env) as process,  # noqa: S603
    ):
        try:
            running = Client(process)
            first = running.read(START_TIMEOUT_S)
            running.tools, running.strict = first["tools"], first["strict"]
            yield running
        finally:
            assert process.stdin is not None  # noqa: S101
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
