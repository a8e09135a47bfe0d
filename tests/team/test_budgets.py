"""Rate budgets that replicas share, in virtual time against the emulator's limits."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import wraps
from math import inf
from typing import Any, LiteralString, Self

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import (
    JWTAuth,
    MessageStoreClient,
    NotPaced,
    RateLimited,
    TokenAuth,
    Unreachable,
    at_once,
    in_background,
)
from rc_mcp.team.budgets import SharedBudgets
from rc_mcp.team.database import Database
from tests.ringcentral.under_budget import together, virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.process

PERSON = "a person"
LIGHT = 50
WINDOW = timedelta(seconds=60)


class VirtualDatabase(Database):
    """The database as one replica has it, on the loop's clock."""

    def __init__(self, url: str) -> None:
        super().__init__(url, now=virtual_now)
        self.statements = 0

    async def statement(self, query: LiteralString, params: Sequence[object]) -> tuple[Any, ...] | None:
        self.statements += 1
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


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in a virtual loop of its own: pytest's plugin for anyio keeps one loop for many tests."""

    @wraps(test)
    def run(**fixtures: object) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(**fixtures))

    return run


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


@in_virtual_time
async def test_two_replicas_together_never_exceed_the_limit_and_use_it(emulator: Emulator, database_url: str) -> None:
    windows, requests = 4, 4 * LIGHT + 1
    async with (
        two_replicas(database_url) as (one, other),
        client_of(emulator, one) as here,
        client_of(emulator, other) as there,
        anyio.create_task_group() as tasks,
    ):
        for store in (here, there):
            tasks.start_soon(together, 16, requests, store.list_messages)
        while len(came(emulator)) < requests:  # noqa: ASYNC110  virtual time
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    times = [at for at, _ in came(emulator)]
    assert {status for _, status in came(emulator)} == {200}
    assert most_in_a_window(times) == LIGHT
    assert windows * WINDOW / (times[requests - 1] - times[0]) >= 0.99


class Scripted(httpx.AsyncBaseTransport):
    """A RingCentral that answers 200 with these headers, or what a test says, and records the times."""

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.next: list[httpx.Response] = []
        self.came: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.came.append(anyio.current_time())
        if self.next:
            return self.next.pop(0)
        return httpx.Response(200, json={"records": [], "paging": {}, "navigation": {}}, headers=self.headers)

    def client(self, budgets: SharedBudgets, owner: str = PERSON) -> MessageStoreClient:
        return MessageStoreClient(TokenAuth("t"), transport=self, budgets=budgets.of(owner))


@in_virtual_time
async def test_a_429_on_one_replica_closes_the_group_on_all(database_url: str) -> None:
    service = Scripted()
    service.next.append(httpx.Response(429, headers={"Retry-After": "30"}))
    async with (
        two_replicas(database_url) as (one, other),
        service.client(one) as here,
        service.client(other) as there,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(here.list_messages)
        await anyio.sleep(0.5)
        with pytest.raises(RateLimited) as caught, at_once():
            await there.list_messages()
        assert caught.value.wait_s == 30
        await there.list_messages()
    assert [round(at - service.came[0]) for at in service.came] == [0, 30, 30]


@in_virtual_time
async def test_a_request_that_is_still_processed_closes_nothing_on_another_replica(database_url: str) -> None:
    service = Scripted()
    in_progress = {"errorCode": "CMN-304", "message": "Duplicate concurrent request"}
    service.next.append(httpx.Response(429, json=in_progress))
    async with (
        two_replicas(database_url) as (one, other),
        service.client(one) as here,
        service.client(other) as there,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(here.list_messages)
        await anyio.sleep(0.2)
        with at_once():
            await there.list_messages()


@in_virtual_time
async def test_a_limit_learned_by_one_replica_holds_on_all(database_url: str) -> None:
    service = Scripted(x_rate_limit_group="light", x_rate_limit_limit="3", x_rate_limit_window="20")
    async with (
        two_replicas(database_url) as (one, other),
        service.client(one) as here,
        service.client(other) as there,
    ):
        await here.list_messages()
        await anyio.sleep(1)
        for store in (here, there, here, there):
            await store.list_messages()
    began = service.came[0]
    assert [round(at - began) for at in service.came] == [0, 1, 1, 20, 21]


@in_virtual_time
async def test_places_that_other_programs_took_are_taken_on_all_replicas(database_url: str) -> None:
    service = Scripted(x_rate_limit_group="light", x_rate_limit_limit="50", x_rate_limit_remaining="0")
    async with (
        two_replicas(database_url) as (one, other),
        service.client(one) as here,
        service.client(other) as there,
    ):
        await here.list_messages()
        await anyio.sleep(1)
        with pytest.raises(RateLimited), at_once():
            await there.list_messages()


@in_virtual_time
async def test_each_person_has_a_budget_of_their_own(database_url: str) -> None:
    service = Scripted(x_rate_limit_group="light", x_rate_limit_limit="1")
    async with (
        replica(database_url) as budgets,
        service.client(budgets) as hers,
        service.client(budgets, "a colleague") as his,
    ):
        await hers.list_messages()
        with at_once():
            await his.list_messages()
            with pytest.raises(RateLimited):
                await hers.list_messages()


@in_virtual_time
async def test_places_of_a_replica_that_died_are_free_again_after_the_time_of_an_answer(database_url: str) -> None:
    async with two_replicas(database_url) as (dead, alive):
        died_with = dead.of(PERSON)("light", 4)
        began = anyio.current_time()
        await died_with.enter(inf)  # and nothing more is heard of it
        living = alive.of(PERSON)("light", 4)
        await anyio.sleep(61)
        taken: list[float] = []
        for _ in range(4):
            await living.enter(inf)
            taken.append(anyio.current_time() - began)
            living.leave()
    assert taken == pytest.approx([61, 61, 61, 120.1], abs=0.3)


@in_virtual_time
async def test_a_request_soon_after_another_finds_a_place_taken_ahead(database_url: str) -> None:
    asked: list[int] = []
    async with VirtualDatabase(database_url) as database, anyio.create_task_group() as tasks:
        budgets = SharedBudgets(database)
        tasks.start_soon(budgets.write_answers)
        budget = budgets.of(PERSON)("light", LIGHT)
        for _ in range(5):
            before = database.statements
            await budget.enter(inf)
            asked.append(database.statements - before)
            budget.leave()
            await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    assert asked == [1, 0, 0, 0, 0]


@in_virtual_time
async def test_a_place_taken_ahead_is_soon_free_for_other_replicas(database_url: str) -> None:
    async with two_replicas(database_url) as (one, other):
        budget = one.of(PERSON)("light", 4)
        await budget.enter(inf)
        budget.leave()
        await anyio.sleep(1)
        elsewhere = other.of(PERSON)("light", 4)
        for _ in range(3):
            await elsewhere.enter(anyio.current_time() + 1)
            elsewhere.leave()
        with pytest.raises(RateLimited):
            await elsewhere.enter(anyio.current_time() + 1)


@in_virtual_time
async def test_requests_of_a_replica_wait_in_order_of_arrival(database_url: str) -> None:
    order: list[int] = []
    service = Scripted(x_rate_limit_group="light", x_rate_limit_limit="2")
    async with replica(database_url) as budgets, service.client(budgets) as store:
        await store.list_messages()

        async def call(number: int) -> None:
            await store.list_messages()
            order.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(7):
                tasks.start_soon(call, number)
                await anyio.sleep(0.01)
    assert order == list(range(7))


@in_virtual_time
async def test_a_request_in_the_background_waits_behind_those_of_users_on_all_replicas(database_url: str) -> None:
    order: list[str] = []
    service = Scripted(x_rate_limit_group="light", x_rate_limit_limit="3")
    async with (
        two_replicas(database_url) as (one, other),
        service.client(one) as here,
        service.client(other) as there,
    ):
        await here.list_messages()

        async def call(store: MessageStoreClient, name: str) -> None:
            await store.list_messages()
            order.append(name)

        async def in_the_background() -> None:
            with in_background():
                await call(here, "background")

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call, there, "user")
                await anyio.sleep(0.1)
            tasks.start_soon(in_the_background)
    assert order == ["user"] * 5 + ["background"]


@in_virtual_time
async def test_a_place_that_was_asked_for_in_vain_is_given_back(database_url: str) -> None:
    async with replica(database_url) as budgets:
        budget = budgets.of(PERSON)("light", 2)
        for _ in range(5):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await budget.enter(inf)
        await budget.enter(anyio.current_time() + 1)


@in_virtual_time
async def test_a_request_that_never_left_gives_its_place_back_to_all(database_url: str) -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no network", request=request)

    service = Scripted()
    async with two_replicas(database_url) as (one, other):
        async with MessageStoreClient(
            TokenAuth("t"), transport=Broken(), max_wait_s=0, budgets=one.of(PERSON)
        ) as store:
            for _ in range(LIGHT):
                with pytest.raises(Unreachable):
                    await store.list_messages()
        await anyio.sleep(0.1)
        async with service.client(other) as store:
            with at_once():
                await store.list_messages()
    assert len(service.came) == 1


@in_virtual_time
async def test_without_the_database_nothing_is_sent_and_the_error_says_why() -> None:
    service = Scripted()
    async with Database("postgresql://localhost:1/none") as away, service.client(SharedBudgets(away)) as store:
        with pytest.raises(NotPaced, match="database does not answer"):
            await store.list_messages()
    assert service.came == []
