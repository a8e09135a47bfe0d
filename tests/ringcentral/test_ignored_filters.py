"""Tests of a proxy that drops the query or answers for RingCentral: its answer is not passed on as RingCentral's."""

from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import (
    LoginEnded,
    LoginFailed,
    LoginUnavailable,
    Message,
    MessageStoreClient,
    TokenAuth,
    UnexpectedAnswer,
)
from rc_mcp.ringcentral.oauth.token_endpoint import TokenEndpoint
from rc_mcp.ringcentral.transport.responses import login_refusal
from tests.ringcentral.test_paging import NOW, arrive, client, mailbox, remove

pytestmark = pytest.mark.anyio

SINCE = NOW - timedelta(days=1)


class WithoutConversation(httpx.AsyncBaseTransport):
    """A transport that drops `conversationId`."""

    def __init__(self, emulator: Emulator) -> None:
        self._inner = httpx.ASGITransport(app=emulator.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "/message-" in request.url.path:
            request = httpx.Request(
                request.method, request.url.copy_remove_param("conversationId"), headers=request.headers
            )
        return await self._inner.handle_async_request(request)


def two_conversations(emulator: Emulator) -> list[list[str]]:
    """Add messages of two conversations in turns, and return the ids of each, newest first."""
    ids = [arrive(emulator, age, conversation=str(age % 2 + 1)) for age in range(1, 9)]
    return [ids[1::2], ids[::2]]


async def test_only_messages_of_the_requested_conversation_are_listed() -> None:
    with mailbox() as emulator:
        first, _ = two_conversations(emulator)
        conversation = emulator.store.messages()[-1]["conversation"]["id"]
        mine = [str(m["id"]) for m in emulator.store.messages() if m["conversation"]["id"] == conversation]
        assert len(mine) == len(first)
        async with client(emulator, WithoutConversation(emulator)) as store:
            page = await store.list_messages(conversation_id=conversation, date_from=SINCE)
            whole = await store.list_messages(date_from=SINCE)
            every = store.iter_messages(conversation_id=conversation, date_from=SINCE, per_page=2)
            walked = [message.id async for message in every]
            synced = await store.sync_messages(conversation_id=conversation, date_from=SINCE)
            complete = await store.changes(conversation_id=conversation, date_from=SINCE)
    assert [message.id for message in page.records] == mine
    assert page.paging.total_elements is None
    assert (len(whole.records), whole.paging.total_elements) == (8, 8)
    assert walked == mine
    assert [message.id for message in synced.records] == mine
    assert [message.id for message in complete.messages] == mine


async def test_a_removed_message_is_reported_although_its_conversation_is_not_given() -> None:
    with mailbox() as emulator:
        two_conversations(emulator)
        newest = emulator.store.messages()[0]
        conversation, target = newest["conversation"]["id"], str(newest["id"])
        async with client(emulator) as store:
            token = (await store.changes(conversation_id=conversation, date_from=SINCE)).sync_token
            remove(emulator, target)
            changes = await store.changes(token, conversation_id=conversation)
    assert changes.removed == {target: "Deleted"}


@pytest.mark.parametrize(
    ("sent", "is_of"),
    [
        ({"conversation": {"id": "6015823250778200123"}}, True),
        ({"conversation": {"id": 6015823250778200123}}, True),
        ({"conversation": {"id": "06015823250778200123"}}, True),
        ({"conversation": {"id": "6015823250778200124"}}, False),
        ({"conversation": {"id": "6015823250778200124"}, "conversationId": 6015823250778200123}, False),
        ({"conversationId": "6015823250778200123"}, True),
        ({"conversationId": 6.0158232507782e18}, True),
        ({"conversationId": 7.0158232507782e18}, False),
        ({"conversationId": "none"}, False),
        ({}, False),
    ],
)
def test_a_message_belongs_to_a_conversation_even_if_its_number_was_rounded(sent: dict[str, Any], is_of: bool) -> None:
    # JavaScript's form of the number: the nearest double, in its shortest form.
    asked = "6015823250778200064" if sent.get("conversationId") == 6.0158232507782e18 else "6015823250778200123"
    assert Message({"id": 1, **sent}).is_of(asked) == is_of


async def test_a_sync_without_a_token_does_not_mean_that_nothing_changed() -> None:
    bodies: list[dict[str, Any]] = [{}, {"syncInfo": {}}, {"syncInfo": {"syncToken": ""}}]
    for body in bodies:
        answer = httpx.Response(200, json={"records": [], **body})
        async with MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(lambda _, a=answer: a)) as store:
            with pytest.raises(UnexpectedAnswer):
                await store.sync_messages(sync_token="token")


@pytest.mark.parametrize("code", ["AGW-404", "CMN-120"])
def test_a_gateway_error_says_nothing_about_the_credentials(code: str) -> None:
    refused = login_refusal(404, {"errorCode": code, "errors": []}, {}, "/restapi/oauth/token")
    assert type(refused) is LoginUnavailable


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b"<html>", LoginFailed),
        (401, b"", LoginFailed),
        (400, b'{"message": "no route"}', LoginFailed),
        (400, b'{"error": "invalid_grant"}', LoginEnded),
        (401, b'{"errorCode": "OAU-213"}', LoginEnded),
    ],
)
def test_only_an_error_by_ringcentral_ends_a_users_login(status: int, body: bytes, kind: type[LoginFailed]) -> None:
    endpoint = TokenEndpoint("https://platform.ringcentral.com", "an-app", "")
    answer = httpx.Response(status, content=body)
    assert type(endpoint.refused_refresh(answer, endpoint.refusal(answer))) is kind
