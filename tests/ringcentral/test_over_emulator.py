"""Tests of every operation against the emulator, which has the API's rules and shares no code with the client."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator
from rc_mcp.ringcentral import (
    BadRequest,
    Forbidden,
    JWTAuth,
    LoginFailed,
    Message,
    MessageStoreClient,
    NotFound,
    RangeNotSatisfiable,
    SyncTokenRejected,
    Unauthorized,
)

pytestmark = pytest.mark.anyio

LONG_AGO = datetime.now(UTC) - timedelta(days=3650)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(rate_limits=False) as service:
        yield service


def client(emulator: Emulator, transport: httpx.AsyncBaseTransport | None = None) -> MessageStoreClient:
    return MessageStoreClient(
        JWTAuth(emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt),
        server_url=emulator.server_url,
        media_url=emulator.media_url,
        transport=transport or httpx.ASGITransport(app=emulator.app),
        max_wait_s=0,
        assume_limits=False,
    )


def stored_availability(emulator: Emulator, message_id: str) -> str:
    stored = emulator.store.message(message_id)
    return str(stored["availability"]) if stored else "gone"


async def alive(store: MessageStoreClient) -> list[Message]:
    return (await store.list_messages(date_from=LONG_AGO, per_page=1000)).records


def add_many(emulator: Emulator, count: int) -> list[str]:
    return [str(emulator.store.add(Draft(type="SMS", text=f"text {n}"))["id"]) for n in range(count)]


class DropsAnswers(httpx.AsyncBaseTransport):
    """A transport that loses the answers to requests with one method."""

    def __init__(self, emulator: Emulator, method: str) -> None:
        self._inner = httpx.ASGITransport(app=emulator.app)
        self._method = method

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        if request.method == self._method:
            raise httpx.ReadError("the answer was lost")
        return answer


async def test_pages_and_filters(emulator: Emulator):
    async with client(emulator) as store:
        everything = await alive(store)
        first = await store.list_messages(date_from=LONG_AGO, per_page=10, page=1)
        faxes = await store.list_messages(date_from=LONG_AGO, message_type=["Fax"], direction=["Inbound"])
    assert [m.id for m in first.records] == [m.id for m in everything[:10]]
    assert first.paging.total_elements == len(everything)
    assert first.navigation.next_page is not None
    assert {(m.type, m.direction) for m in faxes.records} == {("Fax", "Inbound")}
    assert [m.creation_time for m in everything if m.creation_time] == sorted(
        (m.creation_time for m in everything if m.creation_time), reverse=True
    )


async def test_a_sync_reports_new_and_removed_messages(emulator: Emulator):
    async with client(emulator) as store:
        whole = await store.sync_messages(sync_type="FSync", date_from=LONG_AGO, record_count=1000)
        gone = whole.records[0].id
        arrived = add_many(emulator, 1)
        await store.delete_message(gone)
        since = await store.sync_messages(sync_token=whole.sync_info.sync_token)
        seen = {message.id: message.availability for message in since.records}
        assert (seen[gone], seen[arrived[0]]) == ("Deleted", "Alive")
        with pytest.raises(SyncTokenRejected):
            await store.sync_messages(sync_token="AAAAnot-a-token")


async def test_one_and_many_messages_are_read(emulator: Emulator):
    async with client(emulator) as store:
        ids = [message.id for message in await alive(store)]
        assert (await store.read_message(ids[0])).id == ids[0]
        outcomes = await store.read_messages([*ids[:51], "404404"])
        with pytest.raises(NotFound):
            await store.read_message("404404")
    assert [outcome.id for outcome in outcomes] == [*ids[:51], "404404"]
    assert all(outcome.ok and outcome.message for outcome in outcomes[:-1])
    assert isinstance(outcomes[-1].error, NotFound)


async def test_whole_and_partial_content_is_read(emulator: Emulator):
    async with client(emulator) as store:
        voicemails = await store.list_messages(date_from=LONG_AGO, message_type=["VoiceMail"])
        message, attachment = next(
            (message.id, attachment)
            for message in voicemails.records
            for attachment in message.attachments
            if attachment.type == "AudioRecording"
        )
        async with store.read_message_content(message, attachment.id) as content:
            whole = await content.read(10_000_000)
            assert (content.status, content.content_type) == (200, attachment.content_type)
            assert content.size == len(whole)
            assert whole == emulator.store.content(message, attachment.id)
        async with store.read_message_content(message, attachment.id, byte_range=(10, 19)) as content:
            assert (content.status, content.size) == (206, len(whole))
            assert await content.read(100) == whole[10:20]
        async with store.read_message_content(
            message, attachment.id, content_disposition="Attachment", content_disposition_filename="a call.wav"
        ) as content:
            assert content.file_name == "a call.wav"
        with pytest.raises(RangeNotSatisfiable):
            async with store.read_message_content(message, attachment.id, byte_range=(len(whole), None)):
                pass
        with pytest.raises(NotFound):
            async with store.read_message_content(message, "1"):
                pass


@pytest.mark.parametrize("count", [1, 2, 50, 51, 120])
async def test_updates_of_every_size_reach_every_message(emulator: Emulator, count: int):
    ids = add_many(emulator, count)
    async with client(emulator) as store:
        outcomes = await store.update_message(ids, "Read")
        assert [(o.id, o.ok, o.message and o.message.read_status) for o in outcomes] == [(i, True, "Read") for i in ids]
        patched = await store.patch_message(ids, read_status="Unread")
        assert all(o.ok and o.message and o.message.read_status == "Unread" for o in patched)


@pytest.mark.parametrize("count", [3, 60])
async def test_one_bad_id_among_good_ones_has_its_own_outcome(emulator: Emulator, count: int):
    ids = [*add_many(emulator, count), "404404"]
    async with client(emulator) as store:
        outcomes = await store.update_message(ids, "Read")
    assert all(outcome.ok for outcome in outcomes[:-1])
    assert isinstance(outcomes[-1].error, NotFound)


async def test_delete_restore_and_purge(emulator: Emulator):
    ids = add_many(emulator, 60)
    async with client(emulator) as store:
        assert all(outcome.ok for outcome in await store.delete_message(ids))
        assert {stored_availability(emulator, id_) for id_ in ids} == {"Deleted"}
        restored = await store.patch_message(ids, availability="Alive")
        assert all(outcome.message and outcome.message.availability == "Alive" for outcome in restored)
        assert [outcome.ok for outcome in await store.delete_message(ids[0], purge=True)] == [True]
        assert stored_availability(emulator, ids[0]) == "Purged"
        mixed = await store.delete_message([ids[1], "404404", ids[1]])
        assert [(outcome.id, outcome.ok) for outcome in mixed] == [(ids[1], True), ("404404", False)]
        assert stored_availability(emulator, ids[1]) == "Deleted"


async def test_conversations_are_deleted_up_to_a_moment(emulator: Emulator):
    async with client(emulator) as store:
        conversation = next(m.conversation_id for m in await alive(store) if m.conversation_id)
        in_it = [m.id for m in await alive(store) if m.conversation_id == conversation]
        before = len(await alive(store))
        await store.delete_message_by_filter([conversation], date_to=LONG_AGO)
        assert len(await alive(store)) == before
        await store.delete_message_by_filter([conversation], date_to=datetime.now(UTC))
        assert {m.id for m in await alive(store)}.isdisjoint(in_it)
        assert len(await alive(store)) == before - len(in_it)


async def test_the_retention_period_is_read_and_set(emulator: Emulator):
    async with client(emulator) as store:
        assert (await store.update_message_store_configuration(42)).retention_period == 42
        assert (await store.read_message_store_configuration()).retention_period == 42


async def test_a_delete_with_a_lost_answer_is_unknown_and_was_carried_out(emulator: Emulator):
    ids = add_many(emulator, 60)
    async with client(emulator, DropsAnswers(emulator, "DELETE")) as store:
        outcomes = await store.delete_message(ids)
    assert [outcome.unknown for outcome in outcomes] == [True] * 50 + [False] * 10
    assert [stored_availability(emulator, id_) for id_ in ids] == ["Deleted"] * 50 + ["Alive"] * 10


class AsksForPlainJson(httpx.AsyncBaseTransport):
    """Remove the Accept header, so that a 207 is sent as multipart/mixed."""

    def __init__(self, emulator: Emulator) -> None:
        self._inner = httpx.ASGITransport(app=emulator.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept"] = "application/json"
        return await self._inner.handle_async_request(request)


async def test_a_207_as_multipart_mixed_gives_the_same_outcomes(emulator: Emulator):
    ids = [*add_many(emulator, 2), "404404"]
    expected = [(ids[0], True), (ids[1], True), ("404404", False)]
    async with client(emulator, AsksForPlainJson(emulator)) as store:
        assert [(o.id, o.ok) for o in await store.read_messages(ids)] == expected
        assert [(o.id, o.ok) for o in await store.patch_message(ids, read_status="Read")] == expected
        assert [(o.id, o.ok, o.unknown) for o in await store.delete_message(ids)] == [
            (i, ok, False) for i, ok in expected
        ]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # uvicorn, which serves the emulator here, needs it
async def test_the_same_over_real_http():
    with Emulator(rate_limits=False) as emulator:
        with anyio.fail_after(20):
            async with emulator.serve(), client(emulator, httpx.AsyncHTTPTransport(trust_env=False)) as store:
                ids = [message.id for message in await alive(store)]
                assert all(outcome.ok for outcome in await store.update_message(ids, "Read"))
                fax = (await store.list_messages(date_from=LONG_AGO, message_type=["Fax"])).records[0]
                async with store.read_message_content(fax.id, fax.attachments[0].id) as content:
                    whole = emulator.store.content(fax.id, fax.attachments[0].id)
                    assert await content.read(1_000_000) == whole


async def test_a_session_that_ends_early_is_renewed(emulator: Emulator):
    async with client(emulator) as store:
        ids = add_many(emulator, 1)
        await store.read_message(ids[0])
        emulator.sessions.end_all()
        assert (await store.read_message(ids[0])).availability == "Alive"


async def test_a_delete_that_got_a_401_can_be_sent_again_by_the_caller(emulator: Emulator):
    async with client(emulator) as store:
        ids = add_many(emulator, 1)
        await store.read_message(ids[0])
        emulator.sessions.end_all()
        with pytest.raises(Unauthorized):
            await store.delete_message(ids)
        assert [request.method for request in emulator.requests].count("DELETE") == 1
        assert (await store.read_message(ids[0])).availability == "Alive"
        assert [outcome.ok for outcome in await store.delete_message(ids)] == [True]
    assert stored_availability(emulator, ids[0]) == "Deleted"


async def test_a_wrong_secret_is_a_failed_login(emulator: Emulator):
    auth = JWTAuth(emulator.server_url, emulator.client_id, "wrong", emulator.jwt)
    transport = httpx.ASGITransport(app=emulator.app)
    async with MessageStoreClient(auth, server_url=emulator.server_url, transport=transport) as store:
        with pytest.raises(LoginFailed):
            await store.list_messages()


async def test_a_missing_permission_is_named():
    with Emulator(rate_limits=False, permissions=["ReadMessages"]) as emulator:
        async with client(emulator) as store:
            with pytest.raises(Forbidden) as caught:
                await store.update_message("7", "Read")
    assert "EditMessages" in str(caught.value)


async def test_a_parameter_the_service_refuses_is_named(emulator: Emulator):
    async with client(emulator) as store:
        with pytest.raises(BadRequest) as caught:
            await store.list_messages(owner="Nobody")
    assert caught.value.parameter == "owner"
