"""listMessages: dates, filters, pages, and how an answer describes them."""

from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.emulator.mailbox.new_message import File
from tests.emulator.conftest import BEN

pytestmark = pytest.mark.anyio

ANA = Party(name="Ana", phone_number="+15035550111")


def text(words: str, sender: Party = ANA, **more: Any) -> Draft:
    return Draft(type="SMS", sender=sender, text=words, **more)


async def listed(mailbox: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await mailbox.get(f"message-store?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def subjects(mailbox: httpx.AsyncClient, query: str = "") -> list[str]:
    return [record["subject"] for record in (await listed(mailbox, query))["records"]]


async def refused(mailbox: httpx.AsyncClient, query: str) -> str:
    answer = await mailbox.get(f"message-store?{query}")
    body = answer.json()
    assert (answer.status_code, body["errorCode"]) == (400, "CMN-101")
    assert body["errors"][0]["parameterName"] == body["parameterName"]
    return body["parameterName"]


async def test_a_text_that_looks_like_the_address_of_an_attachment_is_sent_as_written(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    lookalike = '"uri":"/1" \\"uri\\":\\"/2 {"uri":"/3'
    for words in (lookalike, f"half an emoji \ud83d {lookalike}"):
        emulator.store.add(
            text(words, Party(name=lookalike, phone_number=lookalike), media=(File(name=lookalike, data=b"x"),))
        )
    everywhere = [
        (await listed(mailbox))["records"],
        (await mailbox.get("message-sync?syncType=FSync")).json()["records"],
    ]
    everywhere.append([(await mailbox.get(f"message-store/{record['id']}")).json() for record in everywhere[0]])
    assert everywhere == [emulator.store.messages()] * 3
    assert {record["subject"] for record in everywhere[0]} == {lookalike, f"half an emoji \ud83d {lookalike}"}
    for record in everywhere[0]:
        assert record["from"] == {"phoneNumber": lookalike, "name": lookalike}
        media = f"{emulator.media_url}{emulator.store.addresses.path}/message-store/{record['id']}/content"
        assert [item["uri"] for item in record["attachments"]] == [f"{media}/{i['id']}" for i in record["attachments"]]
        assert record["attachments"][1]["fileName"] == lookalike


async def test_messages_come_newest_first(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    for hours in (3, 1, 2):
        emulator.store.add(text(f"{hours} hours", created=clock[0] - timedelta(hours=hours)))
    assert await subjects(mailbox) == ["1 hours", "2 hours", "3 hours"]


async def test_without_dates_only_the_last_day_is_shown(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    emulator.store.add(text("yesterday", created=clock[0] - timedelta(hours=25)))
    emulator.store.add(text("today", created=clock[0] - timedelta(hours=23)))
    assert await subjects(mailbox) == ["today"]
    assert await subjects(mailbox, "dateFrom=2026-03-01") == ["today", "yesterday"]


async def test_the_default_start_is_a_day_before_the_given_end(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    for days in (1, 2, 3):
        emulator.store.add(text(f"{days} days", created=clock[0] - timedelta(days=days)))
    assert await subjects(mailbox, "dateTo=2026-03-03T16:00:00Z") == ["2 days"]


async def test_the_uri_includes_the_defaults_with_the_start_at_the_next_minute(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    uri = (await listed(mailbox, "messageType=Fax"))["uri"]
    owned = f"account/{emulator.account_id}/extension/{emulator.extension_id}/message-store"
    query = "messageType=Fax&availability=Alive&dateFrom=2026-03-04T15:31:00.000Z&page=1&perPage=100"
    assert uri == f"{emulator.server_url}/restapi/v1.0/{owned}?{query}"


@pytest.mark.parametrize(
    "given",
    ["2026", "2026-03", "2026-03-05", "2026-03-05T12:00", "2026-03-05T12:00:00", "2026-03-05T12:00:00.999Z"],
)
async def test_dates_are_taken_in_every_documented_form(mailbox: httpx.AsyncClient, given: str) -> None:
    assert "dateFrom=2026-0" in (await listed(mailbox, f"dateFrom={given}"))["uri"]


async def test_an_offset_is_converted_and_fractions_are_cut(mailbox: httpx.AsyncClient) -> None:
    uri = (await listed(mailbox, "dateFrom=2026-03-05T12:00:00.999%2B04:30"))["uri"]
    assert "dateFrom=2026-03-05T07:30:00.000Z" in uri


@pytest.mark.parametrize(
    "given",
    ["", "yesterday", "2026-13", "2026-02-30", "2026-03-05T25:00", "2026-03-05T12:00:00+04:00", "20260305", "7d"],
)
async def test_any_other_date_is_refused(mailbox: httpx.AsyncClient, given: str) -> None:
    assert await refused(mailbox, f"dateFrom={given}") == "dateFrom"


@pytest.mark.parametrize("path", ["message-store?", "message-sync?syncType=FSync&"])
async def test_an_end_whose_default_start_is_before_year_one_is_refused(mailbox: httpx.AsyncClient, path: str) -> None:
    answer = await mailbox.get(f"{path}dateTo=0001")
    body = answer.json()
    assert (answer.status_code, body["errorCode"], body["parameterName"]) == (400, "CMN-101", "dateTo")
    assert (await mailbox.get(f"{path}dateTo=0001&dateFrom=0001")).status_code == 200


async def test_both_ends_of_the_window_are_included(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    emulator.store.add(text("on the second", created=clock[0].replace(hour=12, minute=0, second=0)))
    noon = "2026-03-05T12:00:00Z"
    assert await subjects(mailbox, f"dateFrom={noon}&dateTo={noon}") == ["on the second"]


async def test_a_start_after_the_end_finds_nothing(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(text("here"))
    assert await subjects(mailbox, "dateFrom=2026-03-05&dateTo=2026-03-01") == []


async def test_deleted_and_purged_messages_are_hidden_unless_requested(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    emulator.store.add(text("alive"))
    emulator.store.add(text("deleted", availability="Deleted"))
    emulator.store.add(text("purged", availability="Purged"))
    assert await subjects(mailbox) == ["alive"]
    assert await subjects(mailbox, "availability=Deleted") == ["deleted"]
    both = await listed(mailbox, "availability=Deleted&availability=Purged")
    assert [record["availability"] for record in both["records"]] == ["Purged", "Deleted"]


async def test_repeated_keys_widen_a_filter(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(text("text"))
    emulator.store.add(Draft(type="VoiceMail", sender=ANA))
    emulator.store.add(Draft(type="Fax", sender=ANA))
    page = await listed(mailbox, "messageType=VoiceMail&messageType=Fax")
    assert {record["type"] for record in page["records"]} == {"VoiceMail", "Fax"}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("messageType=SMS,Fax", "messageType"),
        ("messageType=sms", "messageType"),
        ("messageType=Text", "messageType"),
        ("messageType=", "messageType"),
        ("readStatus=Seen", "readStatus"),
        ("availability=Gone", "availability"),
        ("direction=In", "direction"),
        ("distinctConversations=yes", "distinctConversations"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=one", "page"),
        ("page=99999999999", "page"),
        ("perPage=-1", "perPage"),
        ("conversationId=abc", "conversationId"),
        ("owner=Other", "owner"),
        ("ownerExtensionType=Robot", "ownerExtensionType"),
    ],
)
async def test_an_error_names_the_parameter_with_the_wrong_value(
    mailbox: httpx.AsyncClient, query: str, parameter: str
) -> None:
    assert await refused(mailbox, query) == parameter


async def test_unknown_parameters_are_ignored(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(text("one"))
    emulator.store.add(text("two"))
    page = await listed(mailbox, "per_page=1&pageToken=x")
    assert len(page["records"]) == 2


async def test_filters_by_read_status_direction_and_conversation(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    first = emulator.store.add(text("read", read=True, conversation="a"))
    emulator.store.add(text("unread", conversation="b"))
    emulator.store.add(Draft(type="SMS", direction="Outbound", recipients=(ANA,), text="sent", conversation="b"))
    assert await subjects(mailbox, "readStatus=Read") == ["read"]
    assert await subjects(mailbox, "direction=Outbound") == ["sent"]
    assert await subjects(mailbox, f"conversationId={first['conversation']['id']}") == ["read"]


async def test_a_phone_number_is_found_on_either_side(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(text("from Ana"))
    emulator.store.add(Draft(type="SMS", direction="Outbound", recipients=(ANA,), text="to Ana"))
    emulator.store.add(text("from Ben", sender=BEN))
    assert await subjects(mailbox, "phoneNumber=%2B15035550111") == ["to Ana", "from Ana"]
    assert await subjects(mailbox, "phoneNumber=1 (503) 555-0122") == ["from Ben"]


async def test_distinct_conversations_shows_the_latest_of_each(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    for words, sender in (("Ana 1", ANA), ("Ben 1", BEN), ("Ana 2", ANA)):
        clock[0] += timedelta(seconds=1)
        emulator.store.add(text(words, sender=sender))
    emulator.store.add(Draft(type="VoiceMail", sender=ANA))
    page = await listed(mailbox, "distinctConversations=true")
    assert [record["subject"] for record in page["records"]] == ["Ana 2", "Ben 1"]
    assert page["paging"]["totalElements"] == 2


async def test_the_mailbox_holds_no_shared_messages(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(text("mine"))
    assert await subjects(mailbox, "owner=Shared") == []
    assert await subjects(mailbox, "owner=Any") == ["mine"]
    assert await subjects(mailbox, f"owner={emulator.extension_id}") == ["mine"]
    assert await subjects(mailbox, "voicemailOwner=Shared") == ["mine"]


async def test_pages_are_counted_and_linked(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    for number in range(5):
        emulator.store.add(text(str(number)))
    page = await listed(mailbox, "perPage=2&page=2")
    expected = {"page": 2, "perPage": 2, "pageStart": 2, "pageEnd": 3, "totalPages": 3, "totalElements": 5}
    assert page["paging"] == expected
    assert set(page["navigation"]) == {"firstPage", "previousPage", "nextPage", "lastPage"}
    following = (await mailbox.get(page["navigation"]["nextPage"]["uri"])).json()
    assert [record["subject"] for record in following["records"]] == ["0"]
    assert set(following["navigation"]) == {"firstPage", "previousPage", "lastPage"}


async def test_a_single_page_links_only_to_itself(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(text("only"))
    page = await listed(mailbox)
    assert set(page["navigation"]) == {"firstPage", "lastPage"}
    expected = {"page": 1, "perPage": 100, "pageStart": 0, "pageEnd": 0, "totalPages": 1, "totalElements": 1}
    assert page["paging"] == expected


async def test_an_empty_result_is_one_empty_page(mailbox: httpx.AsyncClient) -> None:
    page = await listed(mailbox)
    assert page["records"] == []
    assert page["paging"] == {"page": 1, "perPage": 100, "totalPages": 1, "totalElements": 0}
    first, last = page["navigation"]["firstPage"]["uri"], page["navigation"]["lastPage"]["uri"]
    assert set(page["navigation"]) == {"firstPage", "lastPage"}
    assert first == last == page["uri"]


@pytest.mark.parametrize("query", ["perPage=0", "page=9"])
async def test_an_empty_page_has_no_number(mailbox: httpx.AsyncClient, emulator: Emulator, query: str) -> None:
    emulator.store.add(text("there"))
    page = await listed(mailbox, query)
    assert page["records"] == []
    assert not {"page", "pageStart", "pageEnd"} & set(page["paging"])
    assert page["paging"]["totalElements"] == 1


async def test_a_page_size_over_the_maximum_is_reduced(mailbox: httpx.AsyncClient) -> None:
    page = await listed(mailbox, "perPage=5000")
    assert page["paging"]["perPage"] == 1000
    assert "perPage=1000" in page["uri"]


async def test_a_text_has_the_format_of_the_wire(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    added = emulator.store.add(text("Is anyone there?"))
    record = (await listed(mailbox))["records"][0]
    assert record == added
    owned = f"/restapi/v1.0/account/{emulator.account_id}/extension/{emulator.extension_id}/message-store"
    assert record["uri"] == f"{emulator.server_url}{owned}/{record['id']}"
    assert isinstance(record["id"], int)
    assert record["creationTime"] == "2026-03-05T15:30:20.000Z"
    assert record["lastModifiedTime"] == "2026-03-05T15:30:20.250Z"
    assert record["conversationId"] > 2**53
    assert record["conversation"]["id"] == str(record["conversationId"])
    assert record["from"] == {"phoneNumber": "+15035550111", "name": "Ana"}
    assert record["attachments"] == [
        {
            "id": record["id"],
            "uri": f"{emulator.media_url}{owned}/{record['id']}/content/{record['id']}",
            "type": "Text",
            "contentType": "text/plain",
        }
    ]


async def test_the_total_follows_every_change_and_the_clock(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    async def totals() -> list[int]:
        queries = ("", "availability=Deleted", "readStatus=Read", "phoneNumber=%2B15035550111")
        return [(await listed(mailbox, f"dateFrom=2026&{query}"))["paging"]["totalElements"] for query in queries]

    assert await totals() == [0, 0, 0, 0]
    message_id = emulator.store.add(text("now"))["id"]
    emulator.store.add(text("to come", sender=BEN, created=clock[0] + timedelta(minutes=1)))
    assert await totals() == await totals() == [1, 0, 0, 1]
    await mailbox.put(f"message-store/{message_id}", json={"readStatus": "Read"})
    assert await totals() == [1, 0, 1, 1]
    await mailbox.delete(f"message-store/{message_id}")
    assert await totals() == [0, 1, 0, 0]
    clock[0] += timedelta(minutes=1)
    assert await totals() == [1, 1, 0, 0]
