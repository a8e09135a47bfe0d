"""Tests of listing all messages while the mailbox changes: none is repeated, and none that stays is missed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import anyio
import httpx2 as httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.ringcentral import (
    InvalidRequest,
    JWTAuth,
    Message,
    MessageStoreClient,
    RecordsUnreadable,
    TokenAuth,
    UnexpectedAnswer,
    paging,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class BetweenRequests(httpx.AsyncBaseTransport):
    """A transport that changes the mailbox before each request for messages except the first."""

    def __init__(self, emulator: Emulator, happens: Callable[[int], None]) -> None:
        self._inner = httpx.ASGITransport(app=emulator.app)
        self._happens = happens
        self.requests: list[httpx.URL] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "/message-" in request.url.path:
            if self.requests:
                self._happens(len(self.requests))
            self.requests.append(request.url)
        return await self._inner.handle_async_request(request)


def client(emulator: Emulator, transport: httpx.AsyncBaseTransport | None = None) -> MessageStoreClient:
    return MessageStoreClient(
        JWTAuth(emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt),
        server_url=emulator.server_url,
        assume_limits=False,
        transport=transport or httpx.ASGITransport(app=emulator.app),
    )


def mailbox() -> Emulator:
    return Emulator(scenario="empty", rate_limits=False, now=lambda: NOW)


def arrive(emulator: Emulator, seconds_ago: int, conversation: str = "1") -> str:
    created = NOW - timedelta(seconds=seconds_ago)
    draft = Draft(type="SMS", sender=Party(phone_number="+16505550199"), conversation=conversation, created=created)
    return str(emulator.store.add(draft)["id"])


def remove(emulator: Emulator, message_id: str, to: Literal["Alive", "Deleted"] = "Deleted") -> None:
    message = emulator.store.find(int(message_id))
    assert message
    emulator.store.move(message, to)


def bring_back(emulator: Emulator, message_id: str) -> None:
    remove(emulator, message_id, "Alive")


async def all_ids(store: MessageStoreClient, **filters: Any) -> list[str]:
    return [message.id async for message in store.iter_messages(date_from=NOW - timedelta(days=30), **filters)]


ages = st.lists(st.integers(0, 6), max_size=14)
happenings = st.lists(st.tuples(st.sampled_from(["arrives", "leaves", "comes back"]), st.integers(0, 30)), max_size=6)
# One less than the number of setbacks that end a listing.
BETWEEN = 9


@pytest.mark.parametrize("most_per_page", [5, 1000])
@given(ages=ages, happenings=st.lists(happenings, max_size=BETWEEN), per_page=st.integers(1, 5))
@example(ages=[0] * 6, happenings=[[("leaves", 5)]] * 2, per_page=5)
@example(ages=[3] * 6, happenings=[[], [("leaves", 5)]], per_page=5)
@example(ages=[3] * 6, happenings=[[], [("leaves", 5)], [("comes back", 5)], [("leaves", 5)]], per_page=5)
def test_changes_between_pages_neither_repeat_nor_hide_other_messages(
    most_per_page: int, ages: list[int], happenings: list[list[tuple[str, int]]], per_page: int
):
    with mailbox() as emulator, pytest.MonkeyPatch.context() as patch:
        patch.setattr(paging, "LIMITS", replace(paging.LIMITS, records_per_page=most_per_page))
        at_first = [arrive(emulator, age) for age in ages]
        came, left = list(at_first), set[str]()

        def happens(request: int) -> None:
            for what, number in happenings[request - 1] if request <= len(happenings) else ():
                if what == "arrives":
                    came.append(arrive(emulator, number % 8))
                elif number < len(came):
                    left.add(came[number])
                    (remove if what == "leaves" else bring_back)(emulator, came[number])

        async def go() -> list[str]:
            async with client(emulator, BetweenRequests(emulator, happens)) as store:
                return await all_ids(store, per_page=per_page)

        found = anyio.run(go)
    assert len(found) == len(set(found))
    assert set(found) >= set(at_first) - left


@pytest.mark.anyio
async def test_a_second_with_more_messages_than_a_page_holds_is_read_completely():
    with mailbox() as emulator:
        at_first = [arrive(emulator, 5) for _ in range(1100)] + [arrive(emulator, age) for age in (1, 9)]
        newest = max(at_first[:1100], key=int)

        def happens(request: int) -> None:
            if request == 2:
                remove(emulator, newest)

        async with client(emulator, BetweenRequests(emulator, happens)) as store:
            found = await all_ids(store)
    assert sorted(found) == sorted(at_first)


@pytest.mark.anyio
async def test_a_second_with_more_messages_than_a_page_holds_is_read_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "LIMITS", replace(paging.LIMITS, records_per_page=50))
    with mailbox() as emulator:
        at_first = [arrive(emulator, 5) for _ in range(120)]
        transport = BetweenRequests(emulator, lambda _: None)
        async with client(emulator, transport) as store:
            found = await all_ids(store, per_page=50)
    assert sorted(found) == sorted(at_first)
    # The first has no end; each of the others begins before the end of the one before.
    pages = [(url.params.get("page"), url.params["perPage"]) for url in transport.requests]
    assert pages == [("1", "50"), ("1", "50"), ("2", "49"), ("3", "48")]


@pytest.mark.anyio
async def test_pages_are_requested_only_on_demand():
    with mailbox() as emulator:
        for age in range(30):
            arrive(emulator, age)
        transport = BetweenRequests(emulator, lambda _: None)
        async with client(emulator, transport) as store:
            messages = store.iter_messages(per_page=10, date_from=NOW - timedelta(hours=1))
            for _ in range(10):
                await anext(messages)
            assert len(transport.requests) == 1
            await anext(messages)
            assert len(transport.requests) == 2
            await messages.aclose()


@pytest.mark.anyio
async def test_messages_marked_as_read_in_the_meantime_hide_no_unread_one():
    with mailbox() as emulator:
        ids = [arrive(emulator, age) for age in range(30)]
        async with client(emulator) as store:
            found: list[Message] = []
            async for message in store.iter_messages(
                date_from=NOW - timedelta(days=1), read_status=["Unread"], per_page=7
            ):
                await store.update_message(message.id, "Read")
                found.append(message)
    assert [message.id for message in found] == ids


@pytest.mark.anyio
async def test_the_latest_message_of_each_conversation_is_listed_once_over_all_pages():
    with mailbox() as emulator:
        ids = [arrive(emulator, age, conversation=str(age % 5)) for age in range(20)]
        async with client(emulator) as store:
            assert await all_ids(store, distinct_conversations=True, per_page=2) == ids[:5]


@pytest.mark.anyio
async def test_every_page_uses_the_same_default_window_of_a_day():
    with mailbox() as emulator:
        ids = [arrive(emulator, hours * 3600) for hours in (1, 3, 20, 26, 30)]
        async with client(emulator) as store:
            window = store.iter_messages(date_to=NOW - timedelta(hours=2), per_page=1)
            assert [message.id async for message in window] == ids[1:4]


def answering(*pages: Sequence[dict[str, Any]]) -> MessageStoreClient:
    left = list(pages)

    def handle(_: httpx.Request) -> httpx.Response:
        more = {"nextPage": {"uri": "there"}} if len(left) > 1 else {}
        return httpx.Response(200, json={"records": left.pop(0), "navigation": more})

    return MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(handle))


def record(message_id: int, second: int) -> dict[str, Any]:
    return {"id": message_id, "creationTime": f"2026-05-04T11:00:{second:02}.000Z"}


@pytest.mark.anyio
async def test_an_unreadable_message_is_reported_after_all_others():
    found: list[str] = []
    async with answering([record(3, 30), {"subject": "no id"}], [record(2, 20)]) as store:
        with pytest.raises(RecordsUnreadable) as caught:  # noqa: PT012  the error comes at the end
            async for message in store.iter_messages():
                found.append(message.id)  # noqa: PERF401  a list made in one go would be lost with the error
    assert (found, caught.value.count) == (["3", "2"], 1)


@pytest.mark.anyio
async def test_pages_in_another_order_are_refused():
    async with answering([record(1, 10), record(2, 20)]) as store:
        with pytest.raises(UnexpectedAnswer):
            _ = [message async for message in store.iter_messages()]


@pytest.mark.anyio
@pytest.mark.parametrize("records", [[], [record(2, 20), record(1, 20)]])
async def test_pages_without_new_messages_end_the_listing(records: list[dict[str, Any]]):
    async with answering(*[records] * 99) as store:
        with pytest.raises(UnexpectedAnswer):
            _ = [message async for message in store.iter_messages()]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong",
    [
        {"per_page": 0},
        {"per_page": 1001},
        {"date_to": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"date_to": datetime(1, 1, 1, 23, tzinfo=UTC)},
    ],
)
async def test_invalid_arguments_are_refused_before_anything_is_sent(wrong: dict[str, Any]):
    async with answering() as store:
        with pytest.raises(InvalidRequest):
            await anext(store.iter_messages(**wrong))
