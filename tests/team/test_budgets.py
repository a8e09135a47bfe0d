"""Rate budgets that replicas share, in virtual time against the emulator's limits."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, LiteralString, Self

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient
from rc_mcp.team.budgets import SharedBudgets
from rc_mcp.team.database import Database
from tests.ringcentral.under_budget import together, virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = [pytest.mark.anyio, pytest.mark.process]

PERSON = "a person"
LIGHT = 50
WINDOW = timedelta(seconds=60)


class VirtualDatabase(Database):
    """The database as one replica has it, on the loop's clock."""

    def __init__(self, url: str) -> None:
        super().__init__(url, now=virtual_now)

    async def statement(self, query: LiteralString, params: Sequence[object]) -> tuple[Any, ...] | None:
        with standing_still():
            return await super().statement(query, params)

    async def __aenter__(self) -> Self:
        with standing_still():
            await super().__aenter__()
            await super().statement("SELECT 1", ())
        return self


def standing_still() -> AbstractContextManager[None]:
    """Stop the clock in the block."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.standing_still()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(now=virtual_now) as service:
        yield service


@asynccontextmanager
async def replica(url: str) -> AsyncGenerator[SharedBudgets]:
    async with VirtualDatabase(url) as database, anyio.create_task_group() as tasks:
        budgets = SharedBudgets(database)
        tasks.start_soon(budgets.write_answers)
        yield budgets
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def two_replicas(url: str) -> AsyncGenerator[tuple[SharedBudgets, SharedBudgets]]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(replica(url)), await stack.enter_async_context(replica(url))


class Slow(httpx.ASGITransport):
    """A way to the emulator that takes a tenth of a second in each direction."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep(0.05)
        answer = await super().handle_async_request(request)
        await anyio.sleep(0.05)
        return answer


def client_of(emulator: Emulator, budgets: SharedBudgets, owner: str = PERSON) -> MessageStoreClient:
    auth = JWTAuth(
        emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt, clock=anyio.current_time
    )
    return MessageStoreClient(
        auth,
        server_url=emulator.server_url,
        media_url=emulator.media_url,
        transport=Slow(app=emulator.app),
        assume_limits=True,
        budgets=budgets.of(owner),
    )


def came(emulator: Emulator) -> list[tuple[datetime, int]]:
    return [(each.time, each.status) for each in emulator.requests if each.path.endswith("/message-store")]


def most_in_a_window(times: list[datetime]) -> int:
    return max(sum(at <= later < at + WINDOW for later in times[n:]) for n, at in enumerate(times))


async def test_two_replicas_together_never_exceed_the_limit_and_use_it(emulator: Emulator, database_url: str) -> None:
    windows = 10
    async with (
        two_replicas(database_url) as (one, other),
        client_of(emulator, one) as here,
        client_of(emulator, other) as there,
        anyio.create_task_group() as tasks,
    ):
        for store in (here, there):
            tasks.start_soon(together, 16, 10_000, store.list_messages)
        with anyio.move_on_after(60 * windows):
            await anyio.sleep_forever()
        tasks.cancel_scope.cancel()
    times = [at for at, _ in came(emulator)]
    assert {status for _, status in came(emulator)} == {200}
    assert most_in_a_window(times) == LIGHT
    assert len(times) >= 0.99 * LIGHT * windows
