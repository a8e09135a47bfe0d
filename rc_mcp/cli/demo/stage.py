"""What the tour is played on: the emulator in this process, the real server as another, and a scripted person."""

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

from rc_mcp.cli.demo.screen import Screen
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.clock import utc_now

_PATIENCE_S = 30
"""For one answer of the server, which takes milliseconds: what hangs has to end with a word about it."""

SERVER = (sys.executable, "-P", "-m", "rc_mcp", "serve")
"""The command that starts the server."""

Mailbox = dict[str, dict[str, Any]]


class StoppedError(Exception):
    """The tour cannot go on; the text says why."""


@dataclass(frozen=True)
class Reply:
    """What the person will answer to the next question."""

    words: str
    action: Literal["accept", "decline"]
    value: bool | str | None = None


@dataclass
class Person:
    """Sits at the assistant's screen. Answers as scripted, and declines what the script does not foresee."""

    screen: Screen
    next_reply: Reply | None = None
    _seen: set[str] = field(default_factory=set[str])

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        """Is asked a question by the server, through the client."""
        reply, self.next_reply = self.next_reply, None
        if reply is None or not isinstance(params, ElicitRequestFormParams):
            self.screen.fail(f"a question that nobody foresaw: {params.message}")
            return ElicitResult(action="decline")
        self._show(params.message)
        self.screen.answer(reply.words)
        if reply.action == "decline":
            return ElicitResult(action="decline")
        blank = next(iter(params.requested_schema["properties"]))
        return ElicitResult(action="accept", content={blank: reply.value})

    @property
    def was_asked(self) -> bool:
        """Whether the reply that was ready has been given."""
        return self.next_reply is None

    def _show(self, message: str) -> None:
        headline, *lines = message.splitlines()
        fresh = ["(as before)" if line in self._seen else line for line in lines]
        self._seen.update(lines)
        self.screen.question("\n".join([headline, *(line for line, _ in groupby(fresh))]))


@dataclass(frozen=True)
class Stage:
    """The emulator, and where servers in front of it keep their state and their log."""

    emulator: Emulator
    folder: Path
    log: TextIO
    server: tuple[str, ...] = SERVER

    def client(self, person: Person | None = None) -> Client:
        """A client with a server process of its own. Without a person it can ask nobody."""
        server = stdio_client(self._server(), errlog=self.log)
        return Client(server, elicitation_callback=person, read_timeout_seconds=_PATIENCE_S)

    def mailbox(self) -> Mailbox:
        """Every message as it truly is, whatever the server says. Without its time of change, to compare by."""
        records = self.emulator.store.messages()
        return {str(r["id"]): {k: v for k, v in r.items() if k != "lastModifiedTime"} for r in records}

    def size_of(self, path: str) -> int | None:
        """How many bytes a file in the folder for downloads has; None when it is not there."""
        saved = self.folder / "downloads" / Path(path).name
        return saved.stat().st_size if saved.is_file() and saved == Path(path) else None

    def changes_since(self, before: Mailbox) -> Mailbox:
        """What is different now: for each message that changed, its fields that did."""
        now = self.mailbox()
        changed = {i: {k: v for k, v in record.items() if before.get(i, {}).get(k) != v} for i, record in now.items()}
        return {i: fields for i, fields in changed.items() if fields} | {i: {"gone": True} for i in before.keys() - now}

    def _server(self) -> StdioServerParameters:
        # The client passes on next to nothing of our own environment, and no .env lies in this folder: an account
        # that is configured on this machine cannot be touched.
        return StdioServerParameters(
            command=self.server[0],
            args=list(self.server[1:]),
            cwd=self.folder,
            env={
                "RC_SERVER_URL": self.emulator.server_url,
                "RC_MEDIA_URL": self.emulator.media_url,
                "RC_APP_CLIENT_ID": self.emulator.client_id,
                "RC_APP_CLIENT_SECRET": self.emulator.client_secret,
                "RC_USER_JWT": self.emulator.jwt,
                "RC_MCP_STATE_DIR": str(self.folder / "state"),
                "RC_MCP_DOWNLOAD_DIR": str(self.folder / "downloads"),
                "RC_MCP_TIMEZONE": os.environ.get("RC_MCP_TIMEZONE", ""),  # empty counts as none
            },
        )


@asynccontextmanager
async def stage(now: Callable[[], datetime] = utc_now, server: tuple[str, ...] = SERVER) -> AsyncGenerator[Stage]:
    """Set the stage, and leave nothing behind.

    Args:
        now: the emulator's clock.
        server: the command that starts the server, which has a clock of its own.
    """
    with (
        TemporaryDirectory(prefix="rc-mcp-demo-") as folder,
        (Path(folder) / "server.log").open("w+", encoding="utf-8", errors="replace") as log,
        Emulator(now=now) as emulator,
    ):
        async with emulator.serve():
            yield Stage(emulator, Path(folder), log, server)
