"""Tests of the HTTP request of each operation."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.ringcentral import MessageStoreClient, TokenAuth

pytestmark = pytest.mark.anyio

MAILBOX = "/restapi/v1.0/account/~/extension/~"
MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"
EMPTY_PAGE: dict[str, Any] = {"records": [], "paging": {}, "navigation": {}}
EMPTY_SYNC: dict[str, Any] = {"records": [], "syncInfo": {"syncToken": "next"}}
WHEN = datetime(2026, 3, 1, 9, 30, 0, 123_999, tzinfo=timezone(timedelta(hours=-5)))


async def sent_by(act: Callable[[MessageStoreClient], Awaitable[Any]], answer: httpx.Response) -> httpx.Request:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    async with MessageStoreClient(TokenAuth("a-token"), transport=httpx.MockTransport(handler)) as store:
        await act(store)
    assert len(seen) == 1
    return seen[0]


def address(request: httpx.Request) -> str:
    return request.url.raw_path.decode().partition("?")[0]


def query(request: httpx.Request) -> list[tuple[str, str]]:
    return request.url.params.multi_items()


def multi(*ids: str) -> httpx.Response:
    parts = [{"resourceId": id_, "status": 200, "body": {"id": int(id_)}} for id_ in ids]
    return httpx.Response(207, json=parts, headers={"content-type": MULTIPART_JSON})


async def test_a_list_without_arguments_has_no_query():
    request = await sent_by(lambda store: store.list_messages(), httpx.Response(200, json=EMPTY_PAGE))
    assert (request.method, str(request.url)) == ("GET", f"https://platform.ringcentral.com{MAILBOX}/message-store")
    assert request.headers["authorization"] == "Bearer a-token"
    assert request.headers["accept"] == "application/json"


async def test_a_list_sends_every_filter_under_the_apis_own_name_and_repeats_keys():
    request = await sent_by(
        lambda store: store.list_messages(
            availability=["Alive", "Deleted"],
            conversation_id="8031152018338945839",
            date_from=WHEN,
            date_to=WHEN + timedelta(days=1),
            direction=["Inbound"],
            distinct_conversations=True,
            message_type=["SMS", "Fax"],
            read_status=["Unread"],
            page=2,
            per_page=1000,
            phone_number="+1 (650) 555-0100",
            owner=["11", "12"],
            owner_extension_type=["Department"],
            voicemail_owner=["13"],
        ),
        httpx.Response(200, json=EMPTY_PAGE),
    )
    assert query(request) == [
        ("availability", "Alive"),
        ("availability", "Deleted"),
        ("conversationId", "8031152018338945839"),
        ("dateFrom", "2026-03-01T14:30:00.123Z"),
        ("dateTo", "2026-03-02T14:30:00.123Z"),
        ("direction", "Inbound"),
        ("distinctConversations", "true"),
        ("messageType", "SMS"),
        ("messageType", "Fax"),
        ("readStatus", "Unread"),
        ("page", "2"),
        ("perPage", "1000"),
        ("phoneNumber", "+1 (650) 555-0100"),
        ("owner", "11"),
        ("owner", "12"),
        ("ownerExtensionType", "Department"),
        ("voicemailOwner", "13"),
    ]
    assert b"phoneNumber=%2B1" in request.url.query


async def test_a_word_given_twice_is_sent_once():
    request = await sent_by(
        lambda store: store.list_messages(message_type=["SMS", "Fax", "SMS"]), httpx.Response(200, json=EMPTY_PAGE)
    )
    assert query(request) == [("messageType", "SMS"), ("messageType", "Fax")]


async def test_an_fsync_is_the_default_and_contains_its_frame():
    request = await sent_by(
        lambda store: store.sync_messages(record_count=1000, message_type=["Pager"], owner="Any"),
        httpx.Response(200, json=EMPTY_SYNC),
    )
    assert address(request) == f"{MAILBOX}/message-sync"
    assert query(request) == [
        ("syncType", "FSync"),
        ("recordCount", "1000"),
        ("messageType", "Pager"),
        ("owner", "Any"),
    ]


async def test_with_a_token_it_is_an_isync_that_sends_nothing_else():
    request = await sent_by(
        lambda store: store.sync_messages(sync_token="AAAA_-=="), httpx.Response(200, json=EMPTY_SYNC)
    )
    assert query(request) == [("syncType", "ISync"), ("syncToken", "AAAA_-==")]


async def test_one_message_is_read_in_the_plain_form():
    request = await sent_by(lambda store: store.read_message("7"), httpx.Response(200, json={"id": 7}))
    assert (request.method, address(request)) == ("GET", f"{MAILBOX}/message-store/7")
    assert request.headers["accept"] == "application/json"


async def test_many_messages_are_read_by_a_path_joined_with_commas():
    request = await sent_by(lambda store: store.read_messages(["7", "8"]), multi("7", "8"))
    assert address(request) == f"{MAILBOX}/message-store/7,8"
    assert request.headers["accept"] == MULTIPART_JSON


async def test_content_comes_from_the_media_host_with_range_and_disposition():
    async def act(store: MessageStoreClient) -> None:
        async with store.read_message_content(
            "7", "9", content_disposition="Attachment", content_disposition_filename="a fax.pdf", byte_range=(2, None)
        ):
            pass

    request = await sent_by(act, httpx.Response(206, headers={"content-range": "bytes 2-4/5"}, content=b"cde"))
    assert request.url.host == "media.ringcentral.com"
    assert address(request) == f"{MAILBOX}/message-store/7/content/9"
    assert query(request) == [("contentDisposition", "Attachment"), ("contentDispositionFilename", "a fax.pdf")]
    assert request.headers["range"] == "bytes=2-"
    assert request.headers["accept-encoding"] == "identity"


async def test_one_message_is_updated_in_the_plain_form():
    request = await sent_by(lambda store: store.update_message("7", "Read"), httpx.Response(200, json={"id": 7}))
    assert (request.method, address(request)) == ("PUT", f"{MAILBOX}/message-store/7")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {"readStatus": "Read"}


async def test_up_to_fifty_are_updated_by_a_path_with_one_body_per_position():
    ids = [str(n) for n in range(1, 51)]
    request = await sent_by(lambda store: store.update_message(ids, "Unread"), multi(*ids))
    assert address(request) == f"{MAILBOX}/message-store/{','.join(ids)}"
    assert request.headers["content-type"] == MULTIPART_JSON
    assert json.loads(request.content) == [{"body": {"readStatus": "Unread"}}] * 50


async def test_more_than_fifty_are_updated_through_the_asterisk_each_with_its_id():
    ids = [str(n) for n in range(1, 52)]
    request = await sent_by(lambda store: store.update_message(ids, "Read"), multi(*ids))
    assert address(request) == f"{MAILBOX}/message-store/*"
    assert json.loads(request.content) == [{"resourceId": id_, "body": {"readStatus": "Read"}} for id_ in ids]


async def test_a_patch_contains_only_the_given_fields():
    request = await sent_by(
        lambda store: store.patch_message("7", availability="Alive"), httpx.Response(200, json={"id": 7})
    )
    assert request.method == "PATCH"
    assert json.loads(request.content) == {"availability": "Alive"}


async def test_a_delete_names_its_ids_in_the_path_and_has_no_body():
    request = await sent_by(lambda store: store.delete_message(["7", "8"]), httpx.Response(204))
    assert (request.method, request.url.raw_path) == ("DELETE", f"{MAILBOX}/message-store/7,8".encode())
    assert request.content == b""
    assert "content-type" not in request.headers


async def test_a_purge_by_type_says_so_in_the_query():
    request = await sent_by(
        lambda store: store.delete_message("7", purge=True, message_type="Fax"), httpx.Response(204)
    )
    assert query(request) == [("purge", "true"), ("type", "Fax")]


async def test_conversations_are_deleted_by_query_up_to_a_time():
    request = await sent_by(
        lambda store: store.delete_message_by_filter(["5", "6"], date_to=WHEN, message_type="SMS", purge=True),
        httpx.Response(204),
    )
    assert (request.method, address(request)) == ("DELETE", f"{MAILBOX}/message-store")
    assert query(request) == [
        ("conversationId", "5"),
        ("conversationId", "6"),
        ("dateTo", "2026-03-01T14:30:00.123Z"),
        ("purge", "true"),
        ("type", "SMS"),
    ]


async def test_the_configuration_belongs_to_the_account():
    answer = httpx.Response(200, json={"retentionPeriod": 30})
    read = await sent_by(lambda store: store.read_message_store_configuration(), answer)
    written = await sent_by(lambda store: store.update_message_store_configuration(7, account_id="99"), answer)
    assert address(read) == "/restapi/v1.0/account/~/message-store-configuration"
    assert (written.method, address(written)) == ("PUT", "/restapi/v1.0/account/99/message-store-configuration")
    assert json.loads(written.content) == {"retentionPeriod": 7}


async def test_another_account_and_extension_are_in_the_path():
    request = await sent_by(
        lambda store: store.list_messages(account_id="11", extension_id="22"), httpx.Response(200, json=EMPTY_PAGE)
    )
    assert address(request) == "/restapi/v1.0/account/11/extension/22/message-store"


async def test_a_time_is_truncated_to_the_millisecond():
    last = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    request = await sent_by(lambda store: store.list_messages(date_to=last), httpx.Response(200, json=EMPTY_PAGE))
    assert query(request) == [("dateTo", "2026-12-31T23:59:59.999Z")]
