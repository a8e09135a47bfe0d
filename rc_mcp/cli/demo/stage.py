"""What the tour is played on: the emulator in this process, the real server as another, and a scripted person."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal

from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from rc_mcp.cli.demo.screen import Screen
from rc_mcp.emulator import Emulator

Mailbox = dict[str, dict[str, Any]]


class TourStopped(Exception):
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
    _shown: list[str] = field(default_factory=list[str])

    async def __call__(self, _: ClientRequestContext, question: ElicitRequestParams) -> ElicitResult:
        """Is asked a question by the server, through the client."""
        reply, self.next_reply = self.next_reply, None
        if reply is None or not isinstance(question, ElicitRequestFormParams):
            self.screen.fail(f"a question that nobody foresaw: {question.message}")
            return ElicitResult(action="decline")
        self._show(question.message)
        self.screen.answer(reply.words)
        if reply.action == "decline":
            return ElicitResult(action="decline")
        blank = next(iter(question.requested_schema["properties"]))
        return ElicitResult(action="accept", content={blank: reply.value})

    def _show(self, message: str) -> None:
        *body, plan = message.splitlines()
        again = body == self._shown
        self.screen.question(f"{body[0]}\n(the same question as before)\n{plan}" if again else message)
        self._shown = body


@dataclass(frozen=True)
class Stage:
    """The emulator, and where servers in front of it keep their state and their log."""

    emulator: Emulator
    folder: Path
    log: IO[str]

    def client(self, person: Person | None = None) -> Client:
        """A client with a server process of its own. Without a person it can ask nobody."""
        return Client(stdio_client(self._server(), errlog=self.log), elicitation_callback=person)

    def mailbox(self) -> Mailbox:
        """Every message as it truly is, whatever the server says. Without its time of change, to compare by."""
        records = self.emulator.store.messages()
        return {str(r["id"]): {k: v for k, v in r.items() if k != "lastModifiedTime"} for r in records}

    def changes_since(self, before: Mailbox) -> Mailbox:
        """What is different now: for each message that changed, its fields that did."""
        now = self.mailbox()
        changed = {i: {k: v for k, v in record.items() if before.get(i, {}).get(k) != v} for i, record in now.items()}
        return {i: fields for i, fields in changed.items() if fields} | {i: {"gone": True} for i in before.keys() - now}

    def _server(self) -> StdioServerParameters:
        # The client passes on next to nothing of our own environment, and no .env lies in this folder: an account
        # that is configured on this machine cannot be touched.
        return StdioServerParameters(
            command=sys.executable,
            args=["-m", "rc_mcp", "serve"],
            cwd=self.folder,
            env={
                "RC_SERVER_URL": self.emulator.server_url,
                "RC_MEDIA_URL": self.emulator.media_url,
                "RC_APP_CLIENT_ID": self.emulator.client_id,
                "RC_APP_CLIENT_SECRET": self.emulator.client_secret,
                "RC_USER_JWT": self.emulator.jwt,
                "RC_MCP_STATE_DIR": str(self.folder / "state"),
            },
        )


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    """Sets the stage, and leaves nothing behind."""
    with TemporaryDirectory(prefix="rc-mcp-demo-") as folder, Emulator() as emulator:
        with (Path(folder) / "server.log").open("w+", encoding="utf-8", errors="replace") as log:
            async with emulator.serve():
                yield Stage(emulator, Path(folder), log)
