"""readMessage, updateMessage and patchMessage, for one message and for many."""

import base64
import email
import json
from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from tests.emulator.conftest import add, code

pytestmark = pytest.mark.anyio

MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"
AS_JSON = {"Accept": MULTIPART_JSON}
BULK = {"Accept": MULTIPART_JSON, "Content-Type": MULTIPART_JSON}

MISMATCHED_BODIES: list[tuple[Any, str]] = [
    ([{"body": {"readStatus": "Read"}}], "CMN-104"),
    ({"readStatus": "Read"}, "CMN-104"),
    ([1, 2], "CMN-104"),
    ([], "CMN-104"),
    ([{"resourceId": "1", "body": {}}, {"resourceId": "2", "body": {}}], "CMN-108"),
]


def stored(emulator: Emulator, message_id: str) -> dict[str, Any]:
    record = emulator.store.message(message_id)
    assert record is not None
    return record


async def test_a_message_is_read_as_it_is_stored(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator)
    answer = await mailbox.get(f"message-store/{message_id}")
    assert answer.status_code == 200
    assert answer.json() == emulator.store.message(message_id)


@pytest.mark.parametrize("message_id", ["1", "abc", "99999999999999999999", "%2A"])
async def test_a_message_that_does_not_exist_is_not_found(mailbox: httpx.AsyncClient, message_id: str) -> None:
    answer = await mailbox.get(f"message-store/{message_id}")
    assert code(answer) == (404, "CMN-102")
    assert answer.json()["parameterName"] == "messageId"


async def test_deleted_and_purged_messages_can_be_read_by_id(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    deleted, purged = add(emulator, availability="Deleted"), add(emulator, availability="Purged")
    answer = (await mailbox.get(f"message-store/{deleted}")).json()
    assert (answer["availability"], answer["subject"]) == ("Deleted", "Hello")
    answer = (await mailbox.get(f"message-store/{purged}")).json()
    assert (answer["availability"], answer["attachments"]) == ("Purged", [])
    assert "subject" not in answer


async def test_several_messages_are_read_each_with_its_status(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    first, second = add(emulator), add(emulator)
    answer = await mailbox.get(f"message-store/{first},111,{second}", headers=AS_JSON)
    assert answer.status_code == 207
    assert answer.headers["content-type"].startswith(MULTIPART_JSON)
    parts = answer.json()
    assert [(part["resourceId"], part["status"]) for part in parts] == [(first, 200), ("111", 404), (second, 200)]
    assert parts[0]["body"] == emulator.store.message(first)
    assert parts[1]["body"]["errors"][0] == {
        "errorCode": "CMN-102",
        "message": "Resource for parameter [messageId] is not found",
        "parameterName": "messageId",
    }


async def test_several_messages_come_as_multipart_mixed_unless_the_client_asks_for_json(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    message_id = add(emulator)
    answer = await mailbox.get(f"message-store/{message_id},111", headers={"Accept": "application/json"})
    assert answer.status_code == 207
    whole = email.message_from_string(f"Content-Type: {answer.headers['content-type']}\r\n\r\n{answer.text}")
    parts = [json.loads(str(part.get_payload())) for part in whole.walk() if not part.is_multipart()]
    assert [(item["status"], item["responseDescription"]) for item in parts[0]["response"]] == [
        (200, "OK"),
        (404, "Not Found"),
    ]
    uri = stored(emulator, message_id)["uri"]
    first, second = (item["href"] for item in parts[0]["response"])
    assert first == uri.replace("/restapi/v1.0", "")
    assert second == uri.replace(message_id, "111")
    assert [parts[1]["id"], parts[2]["errors"][0]["errorCode"]] == [int(message_id), "CMN-102"]


async def test_more_than_fifty_ids_in_the_path_are_refused(mailbox: httpx.AsyncClient) -> None:
    ids = ",".join(str(number) for number in range(1, 52))
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await mailbox.request(method, f"message-store/{ids}", json={})
        assert code(answer) == (400, "CMN-106")


async def test_marking_read_changes_the_message_and_returns_it(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    message_id = add(emulator)
    before = stored(emulator, message_id)
    clock[0] += timedelta(seconds=7)
    answer = await mailbox.put(f"message-store/{message_id}", json={"readStatus": "Read"})
    assert answer.status_code == 200
    assert answer.json()["readStatus"] == "Read"
    assert answer.json() == stored(emulator, message_id)
    assert before["lastModifiedTime"] < answer.json()["lastModifiedTime"] == "2026-03-05T15:30:27.250Z"


async def test_every_change_is_later_than_the_last_even_if_the_clock_is_stopped(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    message_id = add(emulator)
    times = [stored(emulator, message_id)["lastModifiedTime"]]
    for status in ("Read", "Unread", "Read"):
        answer = await mailbox.put(f"message-store/{message_id}", json={"readStatus": status})
        times.append(answer.json()["lastModifiedTime"])
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("{}", "application/json", (400, "CMN-101")),
        ('{"readStatus": "Seen"}', "application/json", (400, "CMN-101")),
        ('{"readStatus": ["Read"]}', "application/json", (400, "CMN-101")),
        ('{"readStatus": "Read"', "application/json", (400, "CMN-103")),
        ("", "application/json", (400, "CMN-103")),
        ('["Read"]', "application/json", (400, "CMN-104")),
        ("readStatus=Read", "application/x-www-form-urlencoded", (415, "UnsupportedMediaType")),
        ('{"readStatus": "Read"}', "multipart/form-data; boundary=x", (415, "UnsupportedMediaType")),
    ],
)
async def test_an_invalid_update_changes_nothing(
    mailbox: httpx.AsyncClient, emulator: Emulator, body: str, content_type: str, expected: tuple[int, str]
) -> None:
    message_id = add(emulator)
    before = emulator.store.message(message_id)
    for method in ("PUT", "PATCH"):
        headers = {"Content-Type": content_type}
        answer = await mailbox.request(method, f"message-store/{message_id}", content=body, headers=headers)
        assert code(answer) == expected
    assert emulator.store.message(message_id) == before


async def test_several_ids_in_the_path_are_updated_by_position(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    first, second = add(emulator), add(emulator, read=True)
    body = [{"body": {"readStatus": "Read"}}, {"resourceId": second, "body": {"readStatus": "Unread"}}]
    answer = await mailbox.put(f"message-store/{first},{second}", json=body, headers=BULK)
    assert [part["status"] for part in answer.json()] == [200, 200]
    assert stored(emulator, first)["readStatus"] == "Read"
    assert stored(emulator, second)["readStatus"] == "Unread"


async def test_several_ids_in_the_path_are_updated_by_multipart_mixed_plain_or_in_base64(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    message_id = add(emulator)
    encoded = base64.b64encode(b'{"readStatus": "Read"}').decode()
    head = "Content-Type: application/json\r\nContent-Transfer-Encoding: base64"
    second = 'Content-Type: application/json\r\n\r\n{"readStatus": "Read"}'
    body = f"--b\r\n{head}\r\n\r\n{encoded}\r\n--b\r\n{second}\r\n--b--\r\n".encode()
    headers = {"Content-Type": "multipart/mixed; boundary=b", **AS_JSON}
    url = f"message-store/{message_id},{add(emulator)}"
    for send in (mailbox.put, mailbox.patch):
        answer = await send(url, content=body, headers=headers)
        assert [part["body"]["readStatus"] for part in answer.json()] == ["Read", "Read"]


@pytest.mark.parametrize(("body", "expected"), MISMATCHED_BODIES)
async def test_a_bulk_body_that_does_not_fit_the_path_is_refused(
    mailbox: httpx.AsyncClient, emulator: Emulator, body: Any, expected: str
) -> None:
    first, second = add(emulator), add(emulator)
    answer = await mailbox.put(f"message-store/{first},{second}", json=body, headers=BULK)
    assert code(answer) == (400, expected)
    assert stored(emulator, first)["readStatus"] == "Unread"


async def test_one_plain_object_for_many_messages_is_refused(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    ids = f"{add(emulator)},{add(emulator)}"
    answer = await mailbox.put(f"message-store/{ids}", json={"readStatus": "Read"})
    assert code(answer) == (400, "CMN-104")


async def test_a_star_takes_the_ids_from_the_body(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    first, second = add(emulator), add(emulator)
    ids = [first, "111", second]
    body = [{"resourceId": named, "body": {"readStatus": "Read"}} for named in ids]
    answer = await mailbox.put("message-store/*", json=body, headers=BULK)
    assert answer.status_code == 207
    assert [(part["resourceId"], part["status"]) for part in answer.json()] == [
        (first, 200),
        ("111", 404),
        (second, 200),
    ]
    assert stored(emulator, second)["readStatus"] == "Read"


async def test_a_star_accepts_at_most_a_thousand_ids(mailbox: httpx.AsyncClient) -> None:
    entry = {"resourceId": "111", "body": {"readStatus": "Read"}}
    assert (await mailbox.put("message-store/*", json=[entry] * 1000, headers=BULK)).status_code == 207
    assert code(await mailbox.put("message-store/*", json=[entry] * 1001, headers=BULK)) == (400, "CMN-106")


async def test_a_star_needs_every_entry_to_name_its_message(mailbox: httpx.AsyncClient) -> None:
    answer = await mailbox.put("message-store/*", json=[{"body": {"readStatus": "Read"}}], headers=BULK)
    assert code(answer) == (400, "CMN-101")
    assert answer.json()["parameterName"] == "resourceId"


async def test_an_invalid_part_does_not_affect_the_others(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    first, second = add(emulator), add(emulator)
    body = [{"body": {"readStatus": "Seen"}}, {"body": {"readStatus": "Read"}}]
    answer = await mailbox.put(f"message-store/{first},{second}", json=body, headers=BULK)
    assert [part["status"] for part in answer.json()] == [400, 200]


async def test_a_restored_message_has_its_content_again(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator, availability="Deleted")
    body = {"availability": "Alive", "readStatus": "Read"}
    answer = await mailbox.patch(f"message-store/{message_id}", json=body)
    assert answer.status_code == 200
    record = answer.json()
    assert (record["availability"], record["readStatus"], record["subject"]) == ("Alive", "Read", "Hello")
    content = await mailbox.get(record["attachments"][0]["uri"])
    assert content.text == "Hello"


async def test_restoring_a_message_that_is_alive_leaves_it_untouched(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    message_id = add(emulator)
    before = emulator.store.message(message_id)
    assert (await mailbox.patch(f"message-store/{message_id}", json={"availability": "Alive"})).status_code == 200
    assert emulator.store.message(message_id) == before


@pytest.mark.parametrize("body", [{"availability": "Alive"}, {"readStatus": "Read"}])
async def test_a_purged_message_cannot_be_changed(
    mailbox: httpx.AsyncClient, emulator: Emulator, body: dict[str, str]
) -> None:
    message_id = add(emulator, availability="Purged")
    assert code(await mailbox.patch(f"message-store/{message_id}", json=body)) == (404, "CMN-102")
    assert stored(emulator, message_id)["availability"] == "Purged"


async def test_a_patch_with_one_invalid_field_changes_nothing(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    message_id = add(emulator, availability="Deleted")
    body = {"availability": "Alive", "readStatus": "Seen"}
    assert code(await mailbox.patch(f"message-store/{message_id}", json=body)) == (400, "CMN-101")
    assert stored(emulator, message_id)["availability"] == "Deleted"


async def test_a_patch_can_delete_and_purge_as_its_schema_allows(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    message_id = add(emulator)
    for availability in ("Deleted", "Purged"):
        await mailbox.patch(f"message-store/{message_id}", json={"availability": availability})
        assert stored(emulator, message_id)["availability"] == availability


async def test_several_messages_are_restored_at_once(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    ids = [add(emulator, availability="Deleted") for _ in range(3)]
    body = [{"resourceId": named, "body": {"availability": "Alive"}} for named in ids]
    answer = await mailbox.patch("message-store/*", json=body, headers=BULK)
    assert [part["status"] for part in answer.json()] == [200, 200, 200]
    assert {record["availability"] for record in emulator.store.messages()} == {"Alive"}
