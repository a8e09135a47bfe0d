"""Tests of budgets in virtual time against the emulator's limits: as fast as allowed, and never refused."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import MessageStoreClient, NotSent, RateLimited, TokenAuth, at_once, waiting_until
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.budgets import Budget
from rc_mcp.ringcentral.transport.deadlines import REAL_TIME, Time
from tests.ringcentral.under_budget import attachments, client_of, together, virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

EMPTY: dict[str, Any] = {"records": [], "paging": {}, "navigation": {}, "syncInfo": {"syncToken": "next"}}
CMN_304 = {"errorCode": "CMN-304", "message": "Duplicate concurrent request"}

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(now=virtual_now) as service:
        yield service


def refusals(emulator: Emulator) -> list[datetime]:
    return [request.time for request in emulator.requests if request.status == 429]


async def test_200_reads_at_once_are_never_refused(emulator: Emulator) -> None:
    async with client_of(emulator) as store:
        took_s = await together(200, 200, store.list_messages)
    assert refusals(emulator) == []
    assert took_s == pytest.approx(3 * 60, rel=0.03)


async def test_500_attachments_use_the_medium_budget_and_no_more(emulator: Emulator) -> None:
    run = await attachments(emulator)
    assert (run.refused, run.into_penalty) == (0, 0)
    assert 0.97 <= run.share_of_rate <= 1


async def test_nothing_is_sent_into_a_penalty_by_any_of_16_callers(emulator: Emulator) -> None:
    run = await attachments(emulator, count=200, refuse_after=70)
    assert (run.refused, run.into_penalty) == (1, 0)


async def test_two_programs_on_one_login_share_it_and_never_send_into_a_penalty(emulator: Emulator) -> None:
    async with client_of(emulator) as one, client_of(emulator) as other, anyio.create_task_group() as tasks:
        tasks.start_soon(together, 8, 150, one.list_messages)
        tasks.start_soon(together, 8, 150, other.list_messages)
    refused = refusals(emulator)
    assert len(refused) <= 2
    assert all(later - earlier >= timedelta(seconds=60) for earlier, later in pairwise(refused))


class Scripted(httpx.AsyncBaseTransport):
    """A service that answers 429 to the first request of each path in `refuse`, and records request times."""

    def __init__(self, *refuse: str, retry_after: str | None = None) -> None:
        self._refuse = set(refuse)
        self._headers = {"Retry-After": retry_after} if retry_after else {}
        self.came: list[tuple[float, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path.rpartition('/')[2]}"
        self.came.append((anyio.current_time() - 1_000, name))
        if name in self._refuse:
            self._refuse.remove(name)
            return httpx.Response(429, headers=self._headers)
        return httpx.Response(204) if request.method == "DELETE" else httpx.Response(200, json=EMPTY)


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 60), ("7", 7)])
async def test_a_429_closes_only_its_group_for_the_stated_time(retry_after: str | None, seconds: float) -> None:
    service = Scripted("GET message-store", retry_after=retry_after)
    async with MessageStoreClient(TokenAuth("t"), transport=service) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(store.list_messages)
        await anyio.sleep(1)
        tasks.start_soon(store.list_messages)
        tasks.start_soon(store.delete_message, "5")
    times = {name: [round(at, 3) for at, named in service.came if named == name] for _, name in service.came}
    assert times["DELETE 5"] == [1]
    assert times["GET message-store"] == [0, seconds, seconds]


class SlowLogin(TokenAuth):
    """Authentication that takes a while before each request."""

    takes_s = 0.0

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        await anyio.sleep(self.takes_s)
        async with aclosing(super().async_auth_flow(request)) as flow:
            yield await anext(flow)


async def test_a_delete_that_waited_too_long_for_a_login_is_not_sent_and_takes_no_place() -> None:
    service, auth = Scripted(), SlowLogin("t")
    one_place = partial(Budget, limit=1, time=REAL_TIME)
    store = MessageStoreClient(auth, transport=service, budgets=lambda group, _: one_place(group))
    async with store:
        auth.takes_s = LIMITS.leaves_within_s + 1
        with pytest.raises(NotSent), at_once():
            await store.delete_message("5")
        assert service.came == []
        auth.takes_s = LIMITS.leaves_within_s - 1
        with at_once():
            await store.delete_message("5")
        auth.takes_s = LIMITS.leaves_within_s + 1
        await store.list_messages()  # which may wait
    assert [name for _, name in service.came] == ["DELETE 5", "GET message-store"]


async def test_a_request_that_is_still_processed_does_not_hold_back_others() -> None:
    came: list[float] = []

    def once_in_progress(_: httpx.Request) -> httpx.Response:
        came.append(anyio.current_time() - 1_000)
        return httpx.Response(429, json=CMN_304) if len(came) == 1 else httpx.Response(200, json=EMPTY)

    service = httpx.MockTransport(once_in_progress)
    async with MessageStoreClient(TokenAuth("t"), transport=service) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(store.list_messages)
        await anyio.sleep(0.1)
        with waiting_until(0.0):
            await store.list_messages()
    assert came == [0, pytest.approx(0.1), pytest.approx(0.375, abs=0.13)]


async def test_a_lifted_penalty_ends_no_other() -> None:
    now = [0.0]
    budget = Budget("light", 9, Time(lambda: now[0], anyio.sleep))
    lifted = budget.close(90)
    budget.close(7)
    budget.lift(lifted)
    with pytest.raises(RateLimited) as caught:
        await budget.enter(0.0)
    assert caught.value.retry_after_s == 7
    now[0] = 8.0
    await budget.enter(0.0)
    budget.lift(lifted)  # the body of an answer may arrive after its penalty has ended


async def test_the_limit_of_the_group_that_ringcentral_names_applies() -> None:
    came: list[float] = []

    def heavy(_: httpx.Request) -> httpx.Response:
        came.append(anyio.current_time())
        told = {"X-Rate-Limit-Group": "heavy", "X-Rate-Limit-Limit": "10", "X-Rate-Limit-Window": "60"}
        return httpx.Response(200, json=EMPTY, headers=told)

    async with MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(heavy)) as store:
        await together(4, 30, store.list_messages)
    first = came[0]
    assert [sum(at < first + end for at in came) for end in (60, 120, 180)] == [10, 20, 30]


@pytest.mark.parametrize("limit", [{}, {"X-Rate-Limit-Limit": "0"}, {"X-Rate-Limit-Limit": "9" * 9}])
async def test_without_a_known_limit_zero_remaining_closes_a_window_and_more_remaining_means_nothing(
    limit: dict[str, str],
) -> None:
    came: list[float] = []

    def without_a_limit(_: httpx.Request) -> httpx.Response:
        came.append(anyio.current_time())
        told = {"X-Rate-Limit-Remaining": "1" if len(came) == 1 else "0", "X-Rate-Limit-Window": "60", **limit}
        return httpx.Response(200, json=EMPTY, headers=told)

    service = httpx.MockTransport(without_a_limit)
    async with MessageStoreClient(TokenAuth("t"), transport=service, assume_limits=False) as store:
        for _ in range(4):
            await store.list_messages()
    assert came == [1_000, 1_000, pytest.approx(1_060.1), pytest.approx(1_120.2)]


async def test_a_returned_place_can_be_taken_and_an_unused_one_does_not_count() -> None:
    budget = Budget("light", 1, Time(lambda: 0.0, anyio.sleep))
    budget.give_back()
    budget.count()
    with pytest.raises(RateLimited):
        await budget.enter(0.0)
    budget.give_back()
    await budget.enter(0.0)


async def test_a_delete_refused_with_429_is_sent_again_after_it() -> None:
    service = Scripted("DELETE 5", retry_after="9")
    async with MessageStoreClient(TokenAuth("t"), transport=service) as store:
        (outcome,) = await store.delete_message("5")
    assert outcome.ok
    assert [at for at, _ in service.came] == [0, pytest.approx(9)]


async def test_a_wait_beyond_the_callers_limit_is_refused_at_once_and_nothing_is_sent() -> None:
    service = Scripted()
    async with MessageStoreClient(TokenAuth("t"), transport=service, max_wait_s=20) as store:
        await together(5, 50, store.list_messages)
        before = anyio.current_time()
        with pytest.raises(RateLimited) as caught:
            await store.list_messages()
        assert anyio.current_time() == before
        await anyio.sleep(41)
        await store.list_messages()
    assert caught.value.held_back
    assert (caught.value.group, caught.value.method) == ("light", "GET")
    assert caught.value.retry_after_s == pytest.approx(60, abs=0.5)
    assert len(service.came) == 51


async def test_a_caller_can_set_a_deadline_for_some_calls_and_an_earlier_outer_one_applies() -> None:
    service = Scripted()
    async with MessageStoreClient(TokenAuth("t"), transport=service) as store:
        await together(5, 50, store.list_messages)
        before = anyio.current_time()
        for around, inside in ((20, 20), (20, 70), (70, 20)):
            with waiting_until(before + around), waiting_until(before + inside), pytest.raises(RateLimited):
                await store.list_messages()
        assert anyio.current_time() == before
        with waiting_until(before + 70):
            await store.list_messages()
    assert len(service.came) == 51


async def test_a_waiting_request_fails_at_once_when_its_group_closes_for_too_long() -> None:
    service = Scripted("GET message-sync")
    async with MessageStoreClient(TokenAuth("t"), transport=service, max_wait_s=20) as store:
        await together(5, 49, store.list_messages)
        await anyio.sleep(45)
        with pytest.raises(RateLimited):
            await store.sync_messages()
        before = anyio.current_time()
        with pytest.raises(RateLimited):
            await store.list_messages()
        assert anyio.current_time() == before


async def test_a_cancelled_waiter_leaves_its_place_to_the_next() -> None:
    service = Scripted()
    async with MessageStoreClient(TokenAuth("t"), transport=service) as store:
        await together(5, 50, store.list_messages)
        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(10):
                async with anyio.create_task_group() as waiters:
                    for _ in range(3):
                        waiters.start_soon(store.list_messages)
            tasks.start_soon(store.sync_messages)
    assert service.came[50:] == [(pytest.approx(60.1, abs=0.01), "GET message-sync")]


@given(
    limit=st.integers(1, 8),
    jobs=st.lists(st.tuples(st.floats(0, 90), st.floats(0, 5), st.booleans()), min_size=1, max_size=40),
)
def test_no_window_ever_holds_more_than_the_limit(limit: int, jobs: list[tuple[float, float, bool]]) -> None:
    came: list[float] = []

    async def one(budget: Budget, start_s: float, answer_s: float, cancelled: bool) -> None:
        await anyio.sleep(start_s)
        with anyio.move_on_after(3 if cancelled else 10_000) as scope:
            await budget.enter(float("inf"))
            try:
                # RingCentral counts it at some time between request and answer.
                await anyio.sleep(answer_s / 2)
                came.append(anyio.current_time())
                await anyio.sleep(answer_s / 2)
            finally:
                budget.leave()
        assert cancelled or not scope.cancelled_caught

    async def run() -> None:
        budget = Budget("light", limit, Time())
        async with anyio.create_task_group() as tasks:
            for job in jobs:
                tasks.start_soon(one, budget, *job)

    anyio.run(run, backend_options={"loop_factory": VirtualLoop})
    came.sort()
    assert all(later - first > 60 for first, later in zip(came, came[limit:], strict=False))
