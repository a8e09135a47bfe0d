"""Tests of requests in the background, in virtual time against the emulator's limits: a user's request goes first."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import MessageStoreClient, RateLimited, TokenAuth, at_once, in_background
from rc_mcp.ringcentral.limits import LIMITS
from tests.ringcentral.under_budget import client_of, virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio
INTERVAL_S = LIMITS.rate_window_s / 50
EMPTY: dict[str, Any] = {"records": [], "paging": {}, "navigation": {}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(now=virtual_now) as service:
        yield service


async def in_the_background(store: MessageStoreClient, count: int) -> None:
    with in_background():
        for _ in range(count):
            await store.list_messages()


def refused(emulator: Emulator) -> int:
    return sum(request.status == 429 for request in emulator.requests)


async def test_the_background_uses_the_whole_limit_and_no_more(emulator: Emulator) -> None:
    async with client_of(emulator) as store:
        began = anyio.current_time()
        await in_the_background(store, 250)
        took_s = anyio.current_time() - began
    assert refused(emulator) == 0
    assert 60 * 200 / 50 <= took_s <= 60 * 250 / 50 / 0.99


async def test_many_in_the_background_at_once_are_as_even_as_one(emulator: Emulator) -> None:
    async with client_of(emulator) as store, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(in_the_background, store, 12)
    times = [request.time for request in emulator.requests if "message-store" in request.path]
    assert refused(emulator) == 0
    assert all(times[n + 10] - times[n] >= timedelta(seconds=8 * INTERVAL_S) for n in range(len(times) - 10))


@pytest.mark.parametrize("pause_s", [2 * INTERVAL_S, 3.1, 7, 29])
async def test_a_user_waits_for_one_interval_at_most(emulator: Emulator, pause_s: float) -> None:
    waits: list[float] = []
    async with client_of(emulator, max_wait_s=20) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(in_the_background, store, 10_000)
        for _ in range(int(240 / pause_s)):
            await anyio.sleep(pause_s)
            began = anyio.current_time()
            await store.list_messages()
            waits.append(anyio.current_time() - began)
        tasks.cancel_scope.cancel()
    assert max(waits) <= INTERVAL_S + 0.01
    assert refused(emulator) == 0


async def test_after_a_request_of_a_user_a_place_is_free_for_one_that_does_not_wait(emulator: Emulator) -> None:
    async with client_of(emulator) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(in_the_background, store, 10_000)
        for _ in range(5):
            await anyio.sleep(100)
            await store.list_messages()
            await anyio.sleep(2 * INTERVAL_S)
            with at_once():
                await store.list_messages()
        tasks.cancel_scope.cancel()
    assert refused(emulator) == 0


async def test_a_crowd_of_users_goes_before_the_background(emulator: Emulator) -> None:
    order: list[str] = []
    async with client_of(emulator) as store, anyio.create_task_group() as tasks:
        await store.list_messages()

        async def user() -> None:
            await store.list_messages()
            order.append("user")

        async def background() -> None:
            with in_background():
                await store.list_messages()
            order.append("background")

        tasks.start_soon(background)
        for _ in range(120):
            tasks.start_soon(user)
        await anyio.sleep(0.1)
        for _ in range(5):
            tasks.start_soon(background)
    assert order[-5:] == ["background"] * 5
    assert refused(emulator) == 0


async def test_the_background_waits_for_the_end_of_a_penalty_beyond_the_deadline_of_the_client() -> None:
    came: list[float] = []

    def refuse_once(_: httpx.Request) -> httpx.Response:
        came.append(anyio.current_time() - 1_000)
        return httpx.Response(429) if len(came) == 1 else httpx.Response(200, json=EMPTY)

    service = httpx.MockTransport(refuse_once)
    async with MessageStoreClient(TokenAuth("t"), transport=service, max_wait_s=20) as store:
        with pytest.raises(RateLimited), in_background():
            await store.list_messages()
        with in_background():
            await store.list_messages()
    assert came == [0, pytest.approx(60, abs=0.1)]
