"""What most tests need: a mailbox on the emulator, our server in front of it, and a user to ask."""

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent

from rc_mcp.cli.emulator import login_to
from rc_mcp.emulator import Emulator
from rc_mcp.guard.guard import Guard
from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal, Operation, Was
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.guard.state.state import State
from rc_mcp.guard.state.store import MonotonicClock as ElapsedTime
from rc_mcp.ringcentral import Time
from rc_mcp.server import RingCentralServer, build_server
from rc_mcp.settings import Settings, load_settings
from rc_mcp.wiring import open_guard

Era = Literal["auto", "legacy"]
Answer = ElicitResult | Callable[[ElicitRequestFormParams], ElicitResult]

YES = ElicitResult(action="accept", content={"confirm": True})
NO = ElicitResult(action="accept", content={"confirm": False})
DECLINE = ElicitResult(action="decline")
CANCEL = ElicitResult(action="cancel")
EMPTY = ElicitResult(action="accept", content={})
NOTHING = ElicitResult(action="accept")


def typed(phrase: str) -> ElicitResult:
    """The user's answer: this phrase."""
    return ElicitResult(action="accept", content={"phrase": phrase})


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    @property
    def elapsed(self) -> ElapsedTime:
        """The monotonic clock; it moves with this one."""
        return ElapsedTime("desk", lambda: self.time.timestamp())


class NoWaiting:
    """Time for a client whose waits are over at once."""

    def __init__(self) -> None:
        self._slept_s = 0.0

    def now(self) -> float:
        return anyio.current_time() + self._slept_s

    async def sleep(self, seconds: float) -> None:
        self._slept_s += seconds
        await anyio.lowlevel.checkpoint()


def no_waiting() -> Time:
    """A time of its own, in which every sleep is over at once."""
    time = NoWaiting()
    return Time(time.now, time.sleep)


class Faults(httpx.AsyncBaseTransport):
    """A transport to the emulator that a test can break: before RingCentral acts, or after."""

    def __init__(self, emulator: Emulator) -> None:
        self._inner = httpx.ASGITransport(app=emulator.app)
        self._before: list[Callable[[httpx.Request], httpx.Response | None]] = []
        self._held: list[Callable[[httpx.Request], Awaitable[None]]] = []
        self._after: list[Callable[[httpx.Request], httpx.Response | None]] = []

    def before(self, act: Callable[[httpx.Request], httpx.Response | None]) -> None:
        """Call `act` with each request before it goes out; it may raise, or answer so that RingCentral never acts."""
        self._before.append(act)

    def hold(self, act: Callable[[httpx.Request], Awaitable[None]]) -> None:
        """Wait for `act` with each request before it goes out."""
        self._held.append(act)

    def after(self, act: Callable[[httpx.Request], httpx.Response | None]) -> None:
        """Call `act` once RingCentral has acted; it may raise, or answer in RingCentral's place."""
        self._after.append(act)

    def keep_back(self, method: str) -> list[httpx.Request]:
        """The first request of this method is given up by us, and is on its way until the test lets it arrive."""
        on_its_way: list[httpx.Request] = []

        def act(request: httpx.Request) -> None:
            if request.method == method and not on_its_way:
                on_its_way.append(request)
                raise httpx.ReadError("connection dropped", request=request)

        self.before(act)
        return on_its_way

    async def arrives(self, request: httpx.Request) -> None:
        """What was on its way reaches RingCentral."""
        await self._inner.handle_async_request(request)

    def hang(self, method: str, *, after: bool = False) -> None:
        """RingCentral does not answer such requests; `after`: but carries them out."""

        async def act(request: httpx.Request) -> None:
            if request.method == method:
                if after:
                    await self._inner.handle_async_request(request)
                await anyio.sleep_forever()

        self.hold(act)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request through both."""
        for act in self._before:
            if (answer := act(request)) is not None:
                return answer
        for wait in self._held:
            await wait(request)
        response = await self._inner.handle_async_request(request)
        for act in self._after:
            response = act(request) or response
        return response


@dataclass
class Desk:
    """One user's mailbox and the assistant's server."""

    emulator: Emulator
    folder: Path
    clock: Clock
    faults: Faults
    ahead: timedelta = timedelta()
    """How far the server's clock is ahead of RingCentral's."""
    asked: list[ElicitRequestFormParams] = field(default_factory=list[ElicitRequestFormParams])
    """Every question shown to the user."""
    in_database: State | None = None
    """The state, where it is a team's. A test about the state folder is then skipped."""

    @property
    def state_dir(self) -> Path:
        """The state folder."""
        if self.in_database:
            pytest.skip("about the state folder")
        return self.folder / "state"

    @property
    def state(self) -> State:
        """What the servers of this mailbox share."""
        return self.in_database or Folder(self.state_dir)

    @property
    def plans(self) -> PlanStore:
        """The plans as `rc-mcp approvals` sees them."""
        return PlanStore(self.state, lambda: self.clock() + self.ahead, self.clock.elapsed)

    @property
    def journal(self) -> Journal:
        """The journal as `rc-mcp audit` sees it."""
        return Journal(self.state, lambda: self.clock() + self.ahead, self.clock.elapsed)

    async def settled(self, operation_id: str) -> Operation:
        """The operation, once the journal has its end."""
        with anyio.fail_after(20):
            while True:
                operation = self.journal.operation(operation_id)
                if operation and operation.done is not None:
                    return operation
                await anyio.sleep(0.01)  # a row sends no event when it is written

    def settings(self, **variables: str) -> Settings:
        """The server's settings."""
        own = {"RC_MCP_STATE_DIR": str(self.folder / "state"), "RC_MCP_TIMEZONE": "America/Los_Angeles"}
        return load_settings(**{**login_to(self.emulator), **own, **variables})

    def server(self, principal: str | None = None, **variables: str) -> RingCentralServer:
        """Our server, on this mailbox."""
        return build_server(
            self.settings(**variables),
            transport=self.faults,
            principal=principal,
            state=self.in_database,
            now=lambda: self.clock() + self.ahead,
            clock=self.clock.elapsed,
            time=no_waiting(),
        )

    @asynccontextmanager
    async def guard(self, **variables: str) -> AsyncGenerator[Guard]:
        """The guard of another server on this mailbox and state folder."""
        async with open_guard(
            self.settings(**variables),
            transport=self.faults,
            state=self.in_database,
            now=lambda: self.clock() + self.ahead,
            clock=self.clock.elapsed,
            time=no_waiting(),
        ) as guard:
            yield guard

    @asynccontextmanager
    async def client(self, era: Era = "auto", answer: Answer | None = None, **variables: str) -> AsyncGenerator[Client]:
        """A client of that server; without `answer` it is one that cannot ask."""

        async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
            assert isinstance(params, ElicitRequestFormParams)
            assert answer is not None
            self.asked.append(params)
            return answer if isinstance(answer, ElicitResult) else answer(params)

        server = self.server(**variables)
        async with Client(server, mode=era, elicitation_callback=ask if answer else None) as client:
            yield client

    def ids(self, **fields: str) -> list[str]:
        """Ids of the messages that have these fields in the mailbox, newest first."""
        return [str(m["id"]) for m in self.emulator.store.messages() if all(m.get(k) == v for k, v in fields.items())]

    def availability(self, message_id: str) -> str | None:
        """What the mailbox itself says; None when the message is gone."""
        message = self.emulator.store.message(message_id)
        return None if message is None else message["availability"]

    def as_it_is(self, message_id: str) -> Was:
        """What shows later whether anything changed this message."""
        message = self.emulator.store.message(message_id) or {}
        modified = message.get("lastModifiedTime")
        return message.get("availability", "Alive"), modified and datetime.fromisoformat(modified).isoformat()

    def tamper(self, statement: str) -> None:
        """Change the journal as the owner of its file could."""
        db = sqlite3.connect(self.state_dir / FILE, isolation_level=None)
        for trigger in ("entry_stays", "entry_is_not_removed"):
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute(statement)
        db.close()

    def sent(self, method: str) -> list[str]:
        """Paths and queries of the requests of this method that reached RingCentral."""
        return [f"{r.path}?{r.query}" for r in self.emulator.requests if r.method == method and "oauth" not in r.path]


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that should succeed; its structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that should fail; return the error's text."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    """The text of a result."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def spoiled(desk: Desk, when: Callable[[httpx.Request], bool]) -> Callable[[httpx.Request], None]:
    """From the first such request on, the database cannot be used."""

    def act(request: httpx.Request) -> None:
        if when(request):
            for file in desk.state_dir.glob(f"{FILE}*"):
                file.write_bytes(b"spoiled" * 1000)

    return act
