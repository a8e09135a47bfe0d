"""The parts of the tour: the emulator in this process, the real server in another, and a scripted user."""

import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TextIO

from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, ErrorData

from rc_mcp import time_limits
from rc_mcp.cli.demo.screen import Screen
from rc_mcp.cli.emulator import draw_pages, login_to
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.clock import utc_now

SERVER = (sys.executable, "-P", "-m", "rc_mcp", "serve")
"""The command that starts the server."""

Mailbox = dict[str, dict[str, Any]]


class StoppedError(Exception):
    """The tour cannot go on; the text says why."""


@dataclass(frozen=True)
class Reply:
    """The user's scripted answer to the next question."""

    words: str
    action: Literal["accept", "decline"]
    value: bool | str | None = None


@dataclass
class Person:
    """A scripted user, who declines unexpected questions."""

    screen: Screen
    next_reply: Reply | None = None
    _shown: set[str] = field(default_factory=set[str])

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        """Answer a question of the server, as the client's callback."""
        reply, self.next_reply = self.next_reply, None
        if reply is None or not isinstance(params, ElicitRequestFormParams):
            self.screen.fail(f"an unexpected question: {params.message}")
            return ElicitResult(action="decline")
        self._show(params.message)
        self.screen.answer(reply.words)
        if reply.action == "decline":
            return ElicitResult(action="decline")
        blank = next(iter(params.requested_schema["properties"]))
        return ElicitResult(action="accept", content={blank: reply.value})

    @property
    def was_asked(self) -> bool:
        """Whether the scripted reply was given."""
        return self.next_reply is None

    def _show(self, message: str) -> None:
        headline, *lines = message.splitlines()
        fresh = ["(as before)" if line in self._shown else line for line in lines]
        self._shown.update(lines)
        self.screen.question("\n".join([headline, *(line for line, _ in groupby(fresh))]))


@dataclass(frozen=True)
class Stage:
    """The emulator, and the folder and log of its servers."""

    emulator: Emulator
    folder: Path
    log: TextIO
    server: tuple[str, ...] = SERVER

    def client(self, person: Person | None = None) -> Client:
        """Return a client with its own server process. If `person` is None, the server cannot ask."""
        server = stdio_client(self._server(), errlog=self.log)
        return Client(server, elicitation_callback=person, read_timeout_seconds=time_limits.DEMO_ANSWER_S)

    def mailbox(self) -> Mailbox:
        """Return every message from the emulator, without its last-modified time, for comparison."""
        records = self.emulator.store.messages()
        return {str(r["id"]): {k: v for k, v in r.items() if k != "lastModifiedTime"} for r in records}

    def size_of(self, path: str) -> int | None:
        """Return the size in bytes of a downloaded file, or None if it does not exist."""
        saved = self.folder / "downloads" / Path(path).name
        return saved.stat().st_size if saved.is_file() and saved == Path(path) else None

    def changes_since(self, before: Mailbox) -> Mailbox:
        """Return the changed fields of each message that changed since."""
        now = self.mailbox()
        changed = {i: {k: v for k, v in record.items() if before.get(i, {}).get(k) != v} for i, record in now.items()}
        return {i: fields for i, fields in changed.items() if fields} | {i: {"gone": True} for i in before.keys() - now}

    def _server(self) -> StdioServerParameters:
        # The client passes on almost no environment variables, and this folder has no .env file: the tour cannot reach
        # an account that is configured on this machine.
        return StdioServerParameters(
            command=self.server[0],
            args=list(self.server[1:]),
            cwd=self.folder,
            env={
                **login_to(self.emulator),
                "RC_MCP_STATE_DIR": str(self.folder / "state"),
                "RC_MCP_MIRROR": "on",
                "RC_MCP_DOWNLOAD_DIR": str(self.folder / "downloads"),
                "RC_MCP_TIMEZONE": os.environ.get("RC_MCP_TIMEZONE", ""),  # empty counts as none
            },
        )


@asynccontextmanager
async def stage(now: Callable[[], datetime] = utc_now, server: tuple[str, ...] = SERVER) -> AsyncGenerator[Stage]:
    """Start the emulator, and leave no files behind.

    Args:
        now: the emulator's clock.
        server: the command that starts the server, which uses its own clock.
    """
    with (
        TemporaryDirectory(prefix="rc-mcp-demo-") as folder,
        (Path(folder) / "server.log").open("w+", encoding="utf-8", errors="replace") as log,
        Emulator(now=now, draw_pages=draw_pages) as emulator,
    ):
        async with emulator.serve():
            yield Stage(emulator, Path(folder), log, server)
