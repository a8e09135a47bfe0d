"""Bad arguments are refused by name, before anything is sent."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, cast

import httpx2 as httpx
import pytest

from rc_mcp.ringcentral import InvalidRequest, MessageStoreClient, TokenAuth

pytestmark = pytest.mark.anyio

NAIVE = datetime(2026, 3, 1)  # noqa: DTZ001  must be refused
BEFORE_TIME = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def unreachable(_: httpx.Request) -> httpx.Response:
    raise AssertionError("something was sent")


async def refused(act: Callable[[Any], Awaitable[object]], name: str) -> None:
    async with MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(unreachable)) as store:
        with pytest.raises(InvalidRequest, match=f"^{name}") as caught:
            await act(store)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("availability", "Alive"),
        ("availability", []),
        ("availability", ["alive"]),
        ("conversation_id", "abc"),
        ("conversation_id", 5),
        ("date_from", NAIVE),
        ("date_from", "2026-03-01"),
        ("date_to", date(2026, 3, 1)),
        ("date_to", BEFORE_TIME),
        ("direction", ["Both"]),
        ("distinct_conversations", "false"),
        ("message_type", ["Text"]),
        ("message_type", ["SMS,Fax"]),
        ("read_status", {"Read": 1}),
        ("page", 0),
        ("page", True),
        ("page", 2**31),
        ("per_page", -1),
        ("per_page", 1001),
        ("phone_number", ""),
        ("phone_number", "+1\r\n"),
        ("phone_number", "1" * 1025),
        ("owner", []),
        ("owner", ["11"] * 51),
        ("message_type", ["SMS"] * 3000),
        ("owner_extension_type", "User"),
        ("voicemail_owner", [""]),
        ("account_id", ""),
        ("account_id", "~~"),
        ("extension_id", "101/../102"),
        ("extension_id", "7\n"),
    ],
)
async def test_a_list_refuses(name: str, value: object):
    await refused(lambda store: store.list_messages(**{name: value}), name)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"sync_type": "ISync"}, "sync_token"),
        ({"sync_type": "FSync", "sync_token": "AAA"}, "sync_token"),
        ({"sync_type": "Full"}, "sync_type"),
        ({"sync_token": ""}, "sync_token"),
        ({"record_count": 0}, "record_count"),
    ],
)
async def test_a_sync_refuses(arguments: dict[str, object], name: str):
    await refused(lambda store: store.sync_messages(**arguments), name)


@pytest.mark.parametrize("act", ["list_messages", "sync_messages", "changes"])
async def test_a_filter_that_does_not_exist_is_refused(act: str):
    async with MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(unreachable)) as store:
        with pytest.raises(TypeError, match="sender"):
            await getattr(store, act)(sender="+16505550100")


async def test_a_url_that_would_be_too_long_is_refused():
    await refused(lambda store: store.list_messages(owner=["é" * 1024] * 50), "The address of this GET")


@pytest.mark.parametrize("byte_range", [(-1, 5), (5, 4), (0.0, 1), (1,), [0, 1], "01", (None, 5)])
async def test_content_refuses_an_invalid_range(byte_range: object):
    async def act(store: MessageStoreClient) -> None:
        async with store.read_message_content("7", "8", byte_range=cast("Any", byte_range)):
            raise AssertionError

    await refused(act, "byte_range")


async def test_content_refuses_a_file_name_with_a_line_break():
    async def act(store: MessageStoreClient) -> None:
        async with store.read_message_content("7", "8", content_disposition_filename="a\nb"):
            raise AssertionError

    await refused(act, "content_disposition_filename")


async def test_a_patch_without_anything_to_change_is_refused():
    await refused(lambda store: store.patch_message("7"), "read_status or availability")


async def test_a_conversation_delete_refuses_a_string_and_a_naive_datetime():
    await refused(lambda store: store.delete_message_by_filter("56", date_to=NOW), "conversation_id")
    await refused(lambda store: store.delete_message_by_filter(["56"], date_to=NAIVE), "date_to")
    await refused(lambda store: store.delete_message_by_filter(["56"], date_to=None), "date_to")


async def test_a_delete_refuses_a_type_it_does_not_know():
    await refused(lambda store: store.delete_message("7", message_type="Voicemail"), "message_type")


async def test_one_message_is_read_by_one_id():
    await refused(lambda store: store.read_message(["7"]), "message_id")
