"""deleteMessage and deleteMessageByFilter, including the ways in which they delete more than the caller meant."""

from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from tests.emulator.conftest import BEN, add, code

pytestmark = pytest.mark.anyio

AS_JSON = {"Accept": "application/vnd.ringcentral.multipart+json"}


def state(emulator: Emulator, *message_ids: str) -> list[str]:
    records = [emulator.store.message(message_id) for message_id in message_ids]
    return ["gone" if record is None else record["availability"] for record in records]


def conversation(emulator: Emulator, message_id: str) -> str:
    record = emulator.store.message(message_id)
    assert record is not None
    return record["conversation"]["id"]


async def delete(mailbox: httpx.AsyncClient, path: str, **more: Any) -> httpx.Response:
    return await mailbox.request("DELETE", path, **more)


async def test_a_first_delete_deletes_a_second_purges_a_third_changes_nothing(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    message_id = add(emulator)
    for expected in ("Deleted", "Purged", "Purged"):
        answer = await delete(mailbox, f"message-store/{message_id}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert state(emulator, message_id) == [expected]


@pytest.mark.parametrize("spelling", ["true", "True", "TRUE"])
async def test_purge_skips_the_deleted_state(mailbox: httpx.AsyncClient, emulator: Emulator, spelling: str) -> None:
    message_id = add(emulator)
    assert (await delete(mailbox, f"message-store/{message_id}?purge={spelling}")).status_code == 204
    assert state(emulator, message_id) == ["Purged"]


@pytest.mark.parametrize("query", ["purge=yes", "purge=", "purge=1", "type=Texts"])
async def test_a_wrong_parameter_deletes_nothing(mailbox: httpx.AsyncClient, emulator: Emulator, query: str) -> None:
    message_id = add(emulator)
    for path in (f"message-store/{message_id}", "message-store"):
        answer = await delete(mailbox, f"{path}?{query}")
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-101")
        assert answer.json()["parameterName"] == query.partition("=")[0]
    assert state(emulator, message_id) == ["Alive"]


async def test_deleting_an_unknown_message_is_not_found(mailbox: httpx.AsyncClient) -> None:
    answer = await delete(mailbox, "message-store/111")
    assert code(answer) == (404, "CMN-102")


async def test_a_bulk_delete_has_no_body_if_all_succeed(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    ids = [add(emulator) for _ in range(3)]
    assert (await delete(mailbox, f"message-store/{','.join(ids)}", headers=AS_JSON)).status_code == 204
    assert state(emulator, *ids) == ["Deleted"] * 3


async def test_a_bulk_delete_reports_each_message_if_one_fails(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    first, second = add(emulator), add(emulator)
    answer = await delete(mailbox, f"message-store/{first},111,{second}", headers=AS_JSON)
    assert answer.status_code == 207
    assert [(part["resourceId"], part["status"]) for part in answer.json()] == [
        (first, 204),
        ("111", 404),
        (second, 204),
    ]
    assert state(emulator, first, second) == ["Deleted", "Deleted"]


async def test_an_id_named_twice_is_deleted_twice(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    await delete(mailbox, f"message-store/{message_id},{message_id}")
    assert state(emulator, message_id) == ["Purged"]


async def test_a_type_silently_skips_messages_of_other_types(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    assert (await delete(mailbox, f"message-store/{message_id}?type=Fax")).status_code == 204
    assert state(emulator, message_id) == ["Alive"]


async def test_a_body_is_ignored_when_the_path_names_the_ids(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    first, second = add(emulator), add(emulator)
    assert (await delete(mailbox, f"message-store/{first}", json={})).status_code == 204
    assert state(emulator, first, second) == ["Deleted", "Alive"]


@pytest.mark.parametrize("star", ["*", "%2A"])
async def test_a_star_deletes_the_ids_in_the_body(mailbox: httpx.AsyncClient, emulator: Emulator, star: str) -> None:
    first, second, third = (add(emulator) for _ in range(3))
    answer = await delete(mailbox, f"message-store/{star}", json=[first, second])
    assert answer.status_code == 204
    assert state(emulator, first, second, third) == ["Deleted", "Deleted", "Alive"]


@pytest.mark.parametrize("body", ["", "[]", "null", " "])
async def test_a_star_without_ids_deletes_everything(mailbox: httpx.AsyncClient, emulator: Emulator, body: str) -> None:
    ids = [add(emulator), add(emulator, availability="Deleted"), add(emulator, type="Fax")]
    headers = {"Content-Type": "application/json"}
    assert (await delete(mailbox, "message-store/*", content=body, headers=headers)).status_code == 204
    assert state(emulator, *ids) == ["Deleted", "Purged", "Deleted"]


@pytest.mark.parametrize("body", ["{}", '"1"', "1"])
async def test_a_star_with_a_body_other_than_ids_is_refused(
    mailbox: httpx.AsyncClient, emulator: Emulator, body: str
) -> None:
    message_id = add(emulator)
    headers = {"Content-Type": "application/json"}
    answer = await delete(mailbox, "message-store/*", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-104")
    assert state(emulator, message_id) == ["Alive"]


@pytest.mark.parametrize(
    "path",
    ["message-store", "message-store/", "message-store/,", "message-store?conversationId=", "message-store/*"],
)
async def test_a_delete_that_names_nothing_deletes_everything(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str
) -> None:
    ids = [add(emulator), add(emulator, type="VoiceMail"), add(emulator, type="Fax"), add(emulator, type="Pager")]
    assert (await delete(mailbox, path)).status_code == 204
    assert state(emulator, *ids) == ["Deleted"] * 4


async def test_conversation_ids_in_a_body_do_not_protect_the_others(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    first, second = add(emulator), add(emulator, sender=BEN)
    await delete(mailbox, "message-store", json=[conversation(emulator, first)])
    assert state(emulator, first, second) == ["Deleted", "Deleted"]


async def test_deleting_a_conversation_deletes_all_of_it_and_nothing_else(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    first, second, other = add(emulator), add(emulator), add(emulator, sender=BEN)
    answer = await delete(mailbox, f"message-store?conversationId={conversation(emulator, first)}")
    assert answer.status_code == 204
    assert state(emulator, first, second, other) == ["Deleted", "Deleted", "Alive"]


async def test_deleting_a_conversation_purges_its_deleted_messages(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    first, second = add(emulator), add(emulator, availability="Deleted")
    await delete(mailbox, f"message-store?conversationId={conversation(emulator, first)}")
    assert state(emulator, first, second) == ["Deleted", "Purged"]


async def test_several_conversations_are_deleted_at_once(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    first, second = add(emulator), add(emulator, sender=BEN)
    ids = "&".join(f"conversationId={conversation(emulator, named)}" for named in (first, second))
    await delete(mailbox, f"message-store?{ids}&purge=true")
    assert state(emulator, first, second) == ["Purged", "Purged"]


async def test_only_messages_before_the_date_are_deleted(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    earlier = add(emulator, created=clock[0] - timedelta(seconds=1))
    that_second = add(emulator, created=clock[0])
    query = f"conversationId={conversation(emulator, earlier)}&dateTo=2026-03-05T15:30:20.900Z"
    await delete(mailbox, f"message-store?{query}")
    assert state(emulator, earlier, that_second) == ["Deleted", "Alive"]


async def test_a_type_limits_the_delete(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    fax, text, page = add(emulator, type="Fax"), add(emulator), add(emulator, type="Pager")
    await delete(mailbox, "message-store?type=Fax")
    assert state(emulator, fax, text, page) == ["Deleted", "Alive", "Alive"]
    await delete(mailbox, "message-store?type=Text")
    assert state(emulator, fax, text, page) == ["Deleted", "Deleted", "Deleted"]


async def test_an_unknown_conversation_deletes_nothing(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    assert (await delete(mailbox, "message-store?conversationId=111")).status_code == 204
    assert state(emulator, message_id) == ["Alive"]


async def test_there_are_no_shared_messages_to_delete(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    assert (await delete(mailbox, "message-store?owner=Shared")).status_code == 204
    assert state(emulator, message_id) == ["Alive"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("conversationId=abc", "CMN-101"),
        ("conversationId=*", "CMN-101"),
        ("dateTo=tomorrow", "CMN-101"),
        ("&".join(f"conversationId={number}" for number in range(1, 52)), "CMN-106"),
    ],
)
async def test_an_invalid_filter_deletes_nothing(
    mailbox: httpx.AsyncClient, emulator: Emulator, query: str, code: str
) -> None:
    message_id = add(emulator)
    answer = await delete(mailbox, f"message-store?{query}")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert state(emulator, message_id) == ["Alive"]


async def test_purging_erases_the_content(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    record = emulator.store.message(message_id)
    assert record is not None
    uri = record["attachments"][0]["uri"]
    await delete(mailbox, f"message-store/{message_id}")
    assert (await mailbox.get(uri)).text == "Hello"
    await delete(mailbox, f"message-store/{message_id}")
    answer = await mailbox.get(uri)
    assert code(answer) == (404, "CMN-102")
