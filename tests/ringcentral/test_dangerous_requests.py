"""Tests that no arguments lead to a request that would delete a whole mailbox."""

import re
from collections import UserString
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import anyio
import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.ringcentral import InvalidRequest, MessageStoreClient, RingCentralError, TokenAuth
from rc_mcp.ringcentral.calls import Call

WHEN = datetime(2026, 3, 1, tzinfo=UTC)
NAMED_IN_PATH = re.compile(r"/restapi/v1\.0/account/(~|\d+)/extension/(~|\d+)/message-store/\d{1,20}(,\d{1,20}){0,49}")
STORE = re.compile(r"/restapi/v1\.0/account/(~|\d+)/extension/(~|\d+)/message-store")

Act = Callable[[MessageStoreClient], Awaitable[object]]

digits = st.integers(0, 10**20 - 1).map(str)
nearly_ids = st.sampled_from(
    ["", " ", "*", "~", "1\n", "1,2", "1/2", "..", "%2A", "١٢", "²", "1" * 21, "-1", "1.0", "All"]
)
anything = st.one_of(st.none(), st.booleans(), st.integers(), st.binary(), st.text(), nearly_ids, digits)
ids = st.one_of(
    anything,
    st.lists(anything, max_size=4),
    st.lists(digits, max_size=120),
    st.sets(digits),
    st.dictionaries(digits, digits),
)
owners = st.one_of(st.just("~"), anything)
kinds = st.one_of(st.sampled_from(["All", "Fax", "SMS", ""]), anything)
moments = st.one_of(st.datetimes(), st.datetimes(timezones=st.just(UTC)), anything)


async def everything_sent(act: Act) -> list[httpx.Request]:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    async with MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(handler), assume_limits=False) as store:
        with suppress(RingCentralError):
            await act(store)
    return seen


def sent(act: Act) -> list[httpx.Request]:
    return anyio.run(everything_sent, act)


def path_of(request: httpx.Request) -> str:
    return request.url.raw_path.decode().partition("?")[0]


@given(message_id=ids, purge=st.one_of(st.booleans(), anything), kind=kinds, account=owners, extension=owners)
def test_with_any_arguments_a_delete_by_ids_names_only_given_ids(
    message_id: Any, purge: Any, kind: Any, account: Any, extension: Any
):
    requests = sent(
        lambda store: store.delete_message(
            message_id, purge=purge, message_type=kind, account_id=account, extension_id=extension
        )
    )
    given_ids = {message_id} if isinstance(message_id, str) else set(message_id) if requests else set[str]()
    named: list[str] = []
    for request in requests:
        assert NAMED_IN_PATH.fullmatch(path_of(request))
        named += path_of(request).rpartition("/")[2].split(",")
    assert set(named) <= given_ids
    assert len({int(id_) for id_ in named}) == len(named)


@given(conversation_id=ids, date_to=moments, purge=st.one_of(st.booleans(), anything), kind=kinds)
def test_whatever_the_arguments_a_delete_by_filter_names_conversations_and_a_moment(
    conversation_id: Any, date_to: Any, purge: Any, kind: Any
):
    requests = sent(
        lambda store: store.delete_message_by_filter(conversation_id, date_to=date_to, purge=purge, message_type=kind)
    )
    for request in requests:
        query = request.url.params
        assert STORE.fullmatch(path_of(request))
        assert 1 <= len(query.get_list("conversationId")) <= 50
        assert all(
            re.fullmatch("[0-9]{1,20}", id_) and id_ in conversation_id for id_ in query.get_list("conversationId")
        )
        assert len(query.get_list("dateTo")) == 1


@given(message_id=ids, value=anything)
def test_the_asterisk_is_only_for_changes_with_ids_in_the_body(message_id: Any, value: Any):
    requests = [
        *sent(lambda store: store.update_message(message_id, value)),
        *sent(lambda store: store.update_message(message_id, "Read")),
        *sent(lambda store: store.patch_message(message_id, availability=value)),
        *sent(lambda store: store.read_messages(message_id)),
        *sent(lambda store: store.read_message(message_id)),
    ]
    for request in requests:
        last = path_of(request).rpartition("/")[2]
        if last == "*":
            assert request.method in ("PUT", "PATCH")
            assert request.content.count(b'"resourceId"') > 50
        else:
            assert re.fullmatch("[0-9]{1,20}(,[0-9]{1,20}){0,49}", last)


@given(path=st.text(), query=st.lists(st.tuples(st.just("type"), st.text())))
def test_a_delete_without_ids_cannot_be_created(path: str, query: list[tuple[str, str]]):
    store = "/restapi/v1.0/account/~/extension/~/message-store"
    for address in (path, store, f"{store}/", f"{store}/*", f"{store}/,", f"{store}/1,*", f"{store}/1/content/2"):
        with pytest.raises(InvalidRequest):
            Call("DELETE", address, query)


@pytest.mark.parametrize("twice", [["7", "7"], ["7", "007"], ["7", *map(str, range(100, 170)), "07"]])
def test_an_id_given_twice_is_deleted_once_because_a_second_delete_purges(twice: list[str]):
    paths = [path_of(request) for request in sent(lambda store: store.delete_message(twice))]
    named = ",".join(path.rpartition("/")[2] for path in paths).split(",")
    assert [int(id_) for id_ in named].count(7) == 1


@pytest.mark.parametrize("value", ["Deleted", "Purged", "alive", "", True, ["Alive"]])
def test_a_patch_accepts_only_the_availability_alive(value: Any):
    assert sent(lambda store: store.patch_message("7", availability=value)) == []


@pytest.mark.parametrize("value", ["false", "true", 1, 0, None])
def test_purge_must_be_true_or_false(value: Any):
    assert sent(lambda store: store.delete_message("7", purge=value)) == []


@pytest.mark.parametrize("value", [6, 91, 0, -7, True, "30", 30.0, None])
def test_a_retention_outside_seven_to_ninety_days_is_not_sent(value: Any):
    assert sent(lambda store: store.update_message_store_configuration(value)) == []


def test_a_subclass_of_str_is_not_an_id():
    class Sly(str):
        __slots__ = ()

        def __format__(self, spec: str) -> str:
            return "*"

    for value in (Sly("7"), UserString("7")):
        assert sent(lambda store, value=value: store.delete_message([cast("str", value)])) == []
