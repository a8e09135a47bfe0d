"""Tests of syncs: all messages once, then only changes; all again only if the token is no longer valid."""

from datetime import timedelta

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import Forbidden, MessageStoreClient, TokenAuth, UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from tests.ringcentral.test_paging import NOW, BetweenRequests, arrive, client, mailbox, remove

pytestmark = pytest.mark.anyio

LONG_AGO = NOW - timedelta(days=30)


async def test_a_full_sync_goes_back_to_the_beginning_of_its_frame():
    with mailbox() as emulator:
        ids = [arrive(emulator, age) for age in range(25)]
        arrive(emulator, 40 * 86_400)
        async with client(emulator) as store:
            changes = await store.changes(date_from=LONG_AGO, record_count=4)
    assert [message.id for message in changes.messages] == ids
    assert (changes.removed, changes.is_full, changes.unreadable) == ({}, True, 0)


async def test_changes_during_a_full_sync_are_in_the_next_changes():
    with mailbox() as emulator:
        ids = [arrive(emulator, age) for age in range(1, 12)]
        news: list[str] = []

        def happens(request: int) -> None:
            if request == 2:
                remove(emulator, ids[0])
                news.append(arrive(emulator, 0))

        async with client(emulator, BetweenRequests(emulator, happens)) as store:
            full = await store.changes(date_from=LONG_AGO, record_count=4)
            since = await store.changes(full.sync_token)
    assert {message.id for message in full.messages} >= set(ids)
    assert since.removed == {ids[0]: "Deleted"}
    assert news[0] in {message.id for message in since.messages}
    assert not since.is_full


async def test_messages_of_the_same_second_are_not_lost_between_two_syncs():
    with mailbox() as emulator:
        ids = [arrive(emulator, 5) for _ in range(20)]
        async with client(emulator) as store:
            changes = await store.changes(date_from=LONG_AGO, record_count=3)
    assert {message.id for message in changes.messages} == set(ids)


def rejecting(emulator: Emulator, status: int, code: str, parameter: str = "syncToken") -> MessageStoreClient:
    """Return a client that gets a refusal to every ISync."""
    inner = httpx.ASGITransport(app=emulator.app)

    class Refuses(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.params.get("syncType") != "ISync":
                return await inner.handle_async_request(request)
            return httpx.Response(status, json={"errorCode": code, "parameterName": parameter})

    return client(emulator, Refuses())


@pytest.mark.parametrize("code", ["CMN-101", "MSG-333", "MSG-411"])
async def test_a_rejected_token_leads_to_a_full_sync(code: str):
    with mailbox() as emulator:
        arrived = arrive(emulator, 5)
        async with rejecting(emulator, 400, code) as store:
            changes = await store.changes("old", date_from=LONG_AGO)
    assert ([message.id for message in changes.messages], changes.is_full) == ([arrived], True)


async def test_no_other_refusal_leads_to_a_full_sync():
    with mailbox() as emulator:
        async with rejecting(emulator, 403, "CMN-408") as store:
            with pytest.raises(Forbidden):
                await store.changes("good", date_from=LONG_AGO)
        assert not [request for request in emulator.requests if "message-sync" in request.path]


async def test_more_messages_in_one_second_than_a_sync_returns_are_an_error():
    record = {"id": 1, "creationTime": "2026-05-04T12:00:00Z"}

    def always_full(request: httpx.Request) -> httpx.Response:
        most = int(request.url.params["recordCount"])
        records = [record | {"id": n} for n in range(most)]
        return httpx.Response(200, json={"records": records, "syncInfo": {"syncToken": "t", "olderRecordsExist": True}})

    async with MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(always_full)) as store:
        with pytest.raises(UnexpectedAnswer, match=f"{LIMITS.records_per_page:,}"):
            await store.changes()


async def test_a_sync_without_a_token_for_the_next_one_is_an_error():
    answer = httpx.Response(200, json={"records": [], "syncInfo": {}})
    async with MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(lambda _: answer)) as store:
        with pytest.raises(UnexpectedAnswer):
            await store.changes()
