"""syncMessages: full and incremental syncs, their records and their tokens."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from tests.emulator.conftest import ANA, BEN, HELLO, log_in, mailbox_of

pytestmark = pytest.mark.anyio

OVERLAP = timedelta(seconds=6)


def add(emulator: Emulator, words: str = "Hello", **more: Any) -> int:
    return emulator.store.add(replace(HELLO, text=words, **more))["id"]


async def sync(mailbox: httpx.AsyncClient, query: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    answer = await mailbox.get(f"message-sync?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["records"], answer.json()["syncInfo"]


async def full(mailbox: httpx.AsyncClient, query: str = "") -> tuple[list[dict[str, Any]], str]:
    records, info = await sync(mailbox, f"syncType=FSync&{query}")
    return records, info["syncToken"]


async def changes(mailbox: httpx.AsyncClient, token: str, query: str = "") -> tuple[list[dict[str, Any]], str]:
    records, info = await sync(mailbox, f"syncType=ISync&syncToken={token}&{query}")
    assert info["syncType"] == "ISync"
    return records, info["syncToken"]


def ids(records: list[dict[str, Any]]) -> list[int]:
    return [record["id"] for record in records]


async def test_a_full_sync_returns_the_last_day_without_removed_messages(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    alive = add(emulator)
    add(emulator, availability="Deleted")
    add(emulator, availability="Purged")
    add(emulator, created=clock[0] - timedelta(days=2))
    records, info = await sync(mailbox, "syncType=FSync")
    assert records == [emulator.store.message(str(alive))]
    assert (info["syncType"], info["olderRecordsExist"]) == ("FSync", False)
    assert info["syncTime"] == "2026-03-05T15:30:20.250Z"


async def test_an_incremental_sync_returns_new_and_changed_messages(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    old, untouched = add(emulator), add(emulator)
    clock[0] += OVERLAP
    _, token = await full(mailbox)
    clock[0] += OVERLAP
    assert (await changes(mailbox, token))[0] == []
    await mailbox.put(f"message-store/{old}", json={"readStatus": "Read"})
    new = add(emulator)
    records, _ = await changes(mailbox, token)
    assert ids(records) == [new, old]
    assert records[1]["readStatus"] == "Read"
    assert untouched not in ids(records)


async def test_a_removed_message_has_only_its_id_and_availability(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    first, second = add(emulator), add(emulator)
    _, token = await full(mailbox)
    clock[0] += OVERLAP
    await mailbox.delete(f"message-store/{first}")
    await mailbox.delete(f"message-store/{second}?purge=true")
    records, _ = await changes(mailbox, token)
    assert records == [{"id": second, "availability": "Purged"}, {"id": first, "availability": "Deleted"}]


async def test_a_restored_message_is_returned_in_full(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    message_id = add(emulator, availability="Deleted")
    _, token = await full(mailbox)
    clock[0] += OVERLAP
    await mailbox.patch(f"message-store/{message_id}", json={"availability": "Alive"})
    records, _ = await changes(mailbox, token)
    assert records == [emulator.store.message(str(message_id))]


async def test_changes_of_the_last_five_seconds_are_repeated(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    message_id = add(emulator)
    clock[0] += timedelta(seconds=5)
    _, token = await full(mailbox)
    records, token = await changes(mailbox, token)
    assert ids(records) == [message_id]
    clock[0] += timedelta(milliseconds=1)
    _, token = await changes(mailbox, token)
    assert (await changes(mailbox, token))[0] == []


async def test_a_token_keeps_its_filters(mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]) -> None:
    _, token = await full(mailbox, "messageType=Fax&messageType=VoiceMail&direction=Inbound")
    clock[0] += OVERLAP
    fax = add(emulator, type="Fax")
    add(emulator)
    add(emulator, type="Fax", direction="Outbound", recipients=(ANA,))
    records, token = await changes(mailbox, token, "messageType=SMS")
    assert ids(records) == [fax]
    assert ids((await changes(mailbox, token))[0]) == [fax]


async def test_a_token_keeps_its_conversation(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    first = add(emulator)
    record = emulator.store.message(str(first))
    assert record is not None
    clock[0] += OVERLAP
    _, token = await full(mailbox, f"conversationId={record['conversation']['id']}")
    clock[0] += OVERLAP
    add(emulator, sender=BEN)
    second = add(emulator)
    assert ids((await changes(mailbox, token))[0]) == [second]


async def test_a_token_keeps_its_original_dates(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    inside, outside = add(emulator), add(emulator, created=clock[0] - timedelta(days=3))
    _, token = await full(mailbox)
    clock[0] += timedelta(days=2)
    await log_in(mailbox, emulator)
    for message_id in (inside, outside):
        await mailbox.put(f"message-store/{message_id}", json={"readStatus": "Read"})
    assert ids((await changes(mailbox, token))[0]) == [inside]


async def test_a_sync_with_an_end_date_returns_no_later_messages(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    _, token = await full(mailbox, "dateFrom=2026-03-01&dateTo=2026-03-05T15:30:25Z")
    clock[0] += timedelta(seconds=10)
    add(emulator)
    assert (await changes(mailbox, token))[0] == []


async def test_an_earlier_start_date_returns_the_older_messages(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    add(emulator)
    older = add(emulator, created=clock[0] - timedelta(days=3))
    clock[0] += OVERLAP
    _, token = await full(mailbox)
    clock[0] += OVERLAP
    records, token = await changes(mailbox, token, "dateFrom=2026-03-01")
    assert ids(records) == [older]
    await mailbox.put(f"message-store/{older}", json={"readStatus": "Read"})
    assert ids((await changes(mailbox, token))[0]) == [older]


async def test_a_record_count_limits_a_full_sync_and_reports_older_records(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    for number in range(3):
        add(emulator, str(number), created=clock[0] - timedelta(hours=number))
    records, info = await sync(mailbox, "syncType=FSync&recordCount=2")
    assert [record["subject"] for record in records] == ["0", "1"]
    assert info["olderRecordsExist"] is True
    older, info = await sync(mailbox, f"syncType=FSync&dateTo={records[-1]['creationTime']}")
    assert [record["subject"] for record in older] == ["1", "2"]
    assert info["olderRecordsExist"] is False


async def test_a_record_count_never_limits_changes(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    _, token = await full(mailbox)
    clock[0] += OVERLAP
    added = [add(emulator) for _ in range(3)]
    records, _ = await changes(mailbox, token, "recordCount=1")
    assert sorted(ids(records)) == added


async def test_distinct_conversations_shows_one_of_each(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    add(emulator)
    latest, other = add(emulator), add(emulator, sender=BEN)
    clock[0] += OVERLAP
    records, token = await full(mailbox, "distinctConversations=true")
    assert ids(records) == [other, latest]
    clock[0] += OVERLAP
    add(emulator)
    newest = add(emulator)
    assert ids((await changes(mailbox, token))[0]) == [newest]


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ("", "CMN-101", "syncType"),
        ("syncType=Sync", "CMN-101", "syncType"),
        ("syncType=ISync", "CMN-101", "syncToken"),
        ("syncType=ISync&syncToken=AAAA", "CMN-101", "syncToken"),
        ("syncType=ISync&syncToken=%C3%A9%00", "CMN-101", "syncToken"),
        ("syncType=FSync&messageType=Text", "CMN-101", "messageType"),
        ("syncType=FSync&recordCount=0", "CMN-101", "recordCount"),
    ],
)
async def test_a_wrong_request_is_refused(mailbox: httpx.AsyncClient, query: str, code: str, parameter: str) -> None:
    answer = await mailbox.get(f"message-sync?{query}")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert answer.json()["parameterName"] == parameter


async def test_a_modified_token_is_a_wrong_parameter(mailbox: httpx.AsyncClient) -> None:
    _, token = await full(mailbox)
    for at in (0, len(token) // 2, len(token) - 4):
        other = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        answer = await mailbox.get(f"message-sync?syncType=ISync&syncToken={other}")
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-101")


async def test_a_token_expires(mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]) -> None:
    _, token = await full(mailbox)
    clock[0] += timedelta(minutes=50)
    _, renewed = await changes(mailbox, token)
    clock[0] += timedelta(days=5)
    await log_in(mailbox, emulator)
    answer = await mailbox.get(f"message-sync?syncType=ISync&syncToken={token}")
    assert (answer.status_code, answer.json()["errors"][0]["errorCode"]) == (400, "MSG-333")
    assert (await changes(mailbox, renewed))[0] == []


async def test_a_token_of_another_emulator_is_refused(mailbox: httpx.AsyncClient) -> None:
    with Emulator(scenario="empty", rate_limits=False) as other:
        async with mailbox_of(other) as client:
            _, foreign = await full(client)
    answer = await mailbox.get(f"message-sync?syncType=ISync&syncToken={foreign}")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "MSG-333")


async def test_a_full_sync_can_be_limited_to_the_newest_of_each_conversation(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    moments = [clock[0] - timedelta(minutes=at) for at in range(6, 0, -1)]
    from_ana = [add(emulator, created=moment) for moment in moments[:3]]
    voicemails = [add(emulator, type="VoiceMail", created=moment) for moment in moments[:3]]
    from_ben = [add(emulator, sender=BEN, created=moment) for moment in moments[3:]]
    records, _ = await full(mailbox, "recordCountPerConversation=2")
    assert set(ids(records)) == {*from_ana[1:], *from_ben[1:], *voicemails}
    assert ids(records)[0] == from_ben[-1]
    records, info = await sync(mailbox, "syncType=FSync&recordCountPerConversation=1&recordCount=2")
    assert ids(records)[0] == from_ben[-1]
    assert (len(records), info["olderRecordsExist"]) == (2, True)
    records, _ = await full(mailbox, "recordCountPerConversation=2&distinctConversations=true")
    assert ids(records) == [from_ben[-1], from_ana[-1]]


async def test_an_incremental_sync_after_a_limited_one_is_not_limited(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    _, token = await full(mailbox, "recordCountPerConversation=1")
    clock[0] += OVERLAP
    new = [add(emulator), add(emulator)]
    records, _ = await changes(mailbox, token, "recordCountPerConversation=1")
    assert sorted(ids(records)) == new


@pytest.mark.parametrize("count", ["0", "-1", "x", ""])
async def test_a_wrong_count_per_conversation_is_refused(mailbox: httpx.AsyncClient, count: str) -> None:
    answer = await mailbox.get(f"message-sync?syncType=FSync&recordCountPerConversation={count}")
    assert answer.status_code == 400
    assert answer.json()["parameterName"] == "recordCountPerConversation"
