"""The emulator answers in the forms that the real service was recorded to send."""

import re
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, File, Owner, Party
from tests.emulator.conftest import ANA, BEN, code, mailbox_of

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
QUEUE = Owner(extension_number="201", name="New clients", phone_number="+15035550133")
ADA = Party(name="Ada Example", phone_number="+16505550142", extension_number="3610")


def voicemail(emulator: Emulator, **more: Any) -> Json:
    return emulator.store.add(replace(Draft(type="VoiceMail", sender=ANA, media=("hang-up.wav",)), **more))


def types_of(record: Json) -> list[tuple[str, str]]:
    return [(attachment["type"], attachment["contentType"]) for attachment in record["attachments"]]


# Messages


def test_a_voicemail_for_an_extension_behind_a_number_names_both(emulator: Emulator) -> None:
    [recipient] = voicemail(emulator, recipients=(ADA,))["to"]
    assert recipient == {
        "phoneNumber": "+16505550142",
        "extensionNumber": "3610",
        "name": "(650) 555-0142 * 3610 (Ada Example)",
    }


@pytest.mark.parametrize(
    ("party", "name"),
    [
        (Party(name="Ada Example"), "Ada Example"),
        (Party(name="Ada Example", extension_number="3610"), "Ada Example"),
        (Party(name="Ada Example", phone_number="+16505550142"), "Ada Example"),
        (Party(), ""),
    ],
)
def test_any_other_recipient_of_a_voicemail_is_a_name_only(emulator: Emulator, party: Party, name: str) -> None:
    assert voicemail(emulator, recipients=(party,))["to"] == [{"name": name}]


def test_a_number_outside_north_america_is_written_as_it_is(emulator: Emulator) -> None:
    party = Party(phone_number="+442071838750", extension_number="12")
    assert voicemail(emulator, recipients=(party,))["to"][0]["name"] == "+442071838750 * 12"


def test_a_colleague_who_leaves_a_voicemail_has_an_extension_and_no_number(emulator: Emulator) -> None:
    caller = Party(name="Priya Nair", extension_number="102")
    assert voicemail(emulator, sender=caller)["from"] == {"extensionNumber": "102", "name": "Priya Nair"}


@pytest.mark.parametrize(("seconds", "status"), [(60, "Completed"), (61, "CompletedPartially")])
def test_a_transcript_covers_the_first_minute_and_has_the_length_of_the_recording(
    emulator: Emulator, seconds: int, status: str
) -> None:
    record = voicemail(emulator, seconds=seconds, transcript="Hello")
    recording, transcript = record["attachments"]
    assert types_of(record) == [("AudioRecording", "audio/x-wav"), ("AudioTranscription", "text/plain")]
    assert (recording["vmDuration"], transcript["vmDuration"]) == (seconds, seconds)
    assert transcript["fileName"] == "transcription"
    assert record["vmTranscriptionStatus"] == status


def test_each_recipient_of_a_sent_fax_has_an_id_a_status_and_a_reason(emulator: Emulator) -> None:
    record = emulator.store.add(
        Draft(
            type="Fax",
            direction="Outbound",
            recipients=(ANA, BEN, ADA),
            status="SendingFailed",
            statuses=("Sent", "SendingFailed"),
            errors=(None, "LineBusy", None),
            media=("velmont-order.pdf",),
        )
    )
    outcomes = [(party["messageStatus"], party.get("faxErrorCode")) for party in record["to"]]
    assert outcomes == [("Sent", None), ("SendingFailed", "LineBusy"), ("SendingFailed", None)]
    assert len({party["recipientId"] for party in record["to"]}) == 3
    assert record["from"]["phoneNumber"]
    assert record["readStatus"] == "Unread"


def test_a_pager_message_is_sent_on_either_side(emulator: Emulator) -> None:
    assert emulator.store.add(Draft(type="Pager", sender=Party(extension_number="102")))["messageStatus"] == "Sent"
    with Emulator(rate_limits=False) as office:
        pagers = [each for store in office.mailboxes.values() for each in store.messages() if each["type"] == "Pager"]
    assert {each["messageStatus"] for each in pagers} == {"Sent"}
    assert {each["direction"] for each in pagers} == {"Inbound", "Outbound"}


def test_the_recorded_mailbox_has_every_rare_form() -> None:
    with Emulator(scenario="recorded", rate_limits=False) as emulator:
        records = emulator.store.messages()
    assert {"CompletedPartially", "TimedOut", "Unknown"} <= {each.get("vmTranscriptionStatus") for each in records}
    assert {"Queued", "SendingFailed"} <= {each["messageStatus"] for each in records if each["type"] == "Fax"}
    assert {each["owner"]["extensionType"] for each in records if "owner" in each} == {"Department"}
    assert {each["type"] for each in records if "owner" in each} == {"VoiceMail", "SMS"}
    assert not any("extensionId" in each for each in records)


# Shared messages


@pytest.fixture
def shared(emulator: Emulator) -> dict[str, int]:
    """A mailbox with a text and a voicemail of the user's own and of a queue's."""
    added = {
        "own text": emulator.store.add(Draft(type="SMS", sender=ANA, text="mine")),
        "own voicemail": voicemail(emulator),
        "queue text": emulator.store.add(Draft(type="SMS", sender=ANA, text="ours", owner=QUEUE)),
        "queue voicemail": voicemail(emulator, owner=QUEUE),
    }
    return {name: record["id"] for name, record in added.items()}


OWN, OF_THE_QUEUE = {"own text", "own voicemail"}, {"queue text", "queue voicemail"}
FILTERS = [
    ("", OWN),
    ("owner=Personal", OWN),
    ("owner=Any", OWN | OF_THE_QUEUE),
    ("owner=Shared", OF_THE_QUEUE),
    ("owner=Personal&owner=Shared", OWN | OF_THE_QUEUE),
    (f"owner={QUEUE.extension_id}", OF_THE_QUEUE),
    ("owner=1", set[str]()),
    ("owner=OWN", OWN),
    (f"owner=OWN&owner={QUEUE.extension_id}", OWN | OF_THE_QUEUE),
    ("voicemailOwner=Shared", {"own text", "queue voicemail"}),
    ("voicemailOwner=Any", OWN | {"queue voicemail"}),
    ("owner=Shared&voicemailOwner=Personal", {"queue text", "own voicemail"}),
    ("owner=Any&ownerExtensionType=Department", OWN | OF_THE_QUEUE),
    ("owner=Any&ownerExtensionType=User", OWN),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
async def test_a_list_has_the_messages_of_the_owners_asked_for(
    mailbox: httpx.AsyncClient, emulator: Emulator, shared: dict[str, int], query: str, expected: set[str]
) -> None:
    page = (await mailbox.get(f"message-store?{query.replace('OWN', emulator.extension_id)}")).json()
    assert {record["id"] for record in page["records"]} == {shared[name] for name in expected}
    assert page["paging"]["totalElements"] == len(expected)


@pytest.mark.parametrize(("query", "expected"), FILTERS)
async def test_a_chain_of_syncs_keeps_the_owners_it_began_with(
    mailbox: httpx.AsyncClient,
    emulator: Emulator,
    clock: list[datetime],
    shared: dict[str, int],
    query: str,
    expected: set[str],
) -> None:
    ids = {shared[name] for name in expected}
    query = query.replace("OWN", emulator.extension_id)
    full = (await mailbox.get(f"message-sync?syncType=FSync&{query}")).json()
    assert {record["id"] for record in full["records"]} == ids
    clock[0] += timedelta(minutes=1)
    for message_id in shared.values():
        await mailbox.put(f"message-store/{message_id}", json={"readStatus": "Read"})
    more = {"syncType": "ISync", "syncToken": full["syncInfo"]["syncToken"]}
    changed = (await mailbox.get("message-sync", params=more)).json()
    assert {record["id"] for record in changed["records"]} == ids


async def test_a_shared_message_says_whose_it_is_and_is_addressed_to_its_owner(
    mailbox: httpx.AsyncClient, shared: dict[str, int]
) -> None:
    text = (await mailbox.get(f"message-store/{shared['queue text']}")).json()
    assert text["owner"] == {
        "extensionId": QUEUE.extension_id,
        "extensionType": "Department",
        "name": "New clients",
    }
    assert text["to"] == [{"phoneNumber": "+15035550133", "name": "New clients"}]
    own = (await mailbox.get(f"message-store/{shared['own text']}")).json()
    assert "owner" not in own
    assert own["conversationId"] != text["conversationId"]


async def test_deleting_all_messages_leaves_the_shared_ones(
    mailbox: httpx.AsyncClient, emulator: Emulator, shared: dict[str, int]
) -> None:
    assert (await mailbox.delete("message-store")).status_code == 204
    states = {each["id"]: each["availability"] for each in emulator.store.messages()}
    assert {name for name, message_id in shared.items() if states[message_id] == "Deleted"} == OWN
    assert (await mailbox.delete("message-store?owner=Any&purge=true")).status_code == 204
    assert {each["availability"] for each in emulator.store.messages()} == {"Purged"}


# Syncs, headers, errors


@pytest.mark.parametrize("whole", [False, True])
async def test_removals_of_a_sync_are_short_or_whole_records(clock: list[datetime], whole: bool) -> None:
    with Emulator(scenario="empty", rate_limits=False, full_removals=whole, now=lambda: clock[0]) as emulator:
        async with mailbox_of(emulator) as mailbox:
            added = emulator.store.add(Draft(type="SMS", sender=ANA, text="Hello"))
            full = (await mailbox.get("message-sync?syncType=FSync")).json()
            await mailbox.delete(f"message-store/{added['id']}")
            more = {"syncType": "ISync", "syncToken": full["syncInfo"]["syncToken"]}
            [removed] = (await mailbox.get("message-sync", params=more)).json()["records"]
            stored = emulator.store.message(added["id"])
    assert removed == (stored if whole else {"id": added["id"], "availability": "Deleted"})


async def test_an_answer_has_the_headers_of_the_gateway(mailbox: httpx.AsyncClient) -> None:
    answers = [await mailbox.get("message-store"), await mailbox.get("nowhere")]
    for answer in answers:
        assert answer.headers["server"] == "nginx"
        assert re.fullmatch(r"[A-Z]{3}[0-9]{2}P[0-9]{2}", answer.headers["routingkey"])
        assert answer.headers["content-language"] == "en-US"
        assert answer.headers["vary"] == "Accept-Encoding, User-Agent"
        assert str(uuid.UUID(answer.headers["rcrequestid"])) == answer.headers["rcrequestid"]


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_error_says_when_to_come_back_if_it_is_told_to(
    mailbox: httpx.AsyncClient, emulator: Emulator, status: int
) -> None:
    emulator.faults.inject("server_error", status=status, retry_after_s=30)
    assert (await mailbox.get("message-store")).headers["retry-after"] == "30"
    emulator.faults.inject("server_error", status=status)
    assert "retry-after" not in (await mailbox.get("message-store")).headers


async def test_the_code_on_top_of_an_error_is_a_word_where_it_was_recorded(mailbox: httpx.AsyncClient) -> None:
    unknown = await mailbox.get("message-store/111")
    assert (unknown.json()["errorCode"], code(unknown)) == ("InvalidParameter", (404, "CMN-102"))
    with Emulator(user_permissions=["ReadMessages"], rate_limits=False) as emulator:
        async with mailbox_of(emulator) as reader:
            refused = await reader.delete("message-store/111")
    assert (refused.json()["errorCode"], code(refused)) == ("InsufficientPermissions", (403, "CMN-408"))


async def test_a_page_of_any_origin_may_use_the_api_but_not_read_the_passwords(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    page = {"Origin": "https://app.example"}
    asked = {**page, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    allowed = await mailbox.options("message-store/1", headers=asked)
    assert allowed.status_code == 200
    assert "PATCH" in allowed.headers["access-control-allow-methods"]
    assert allowed.headers["access-control-allow-headers"] == "authorization"
    answer = await mailbox.get("message-store", headers=page)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    for address in ("/", "/restapi/oauth/authorize"):
        shown = await mailbox.get(f"{emulator.server_url}{address}", headers=page)
        assert "access-control-allow-origin" not in shown.headers


# What clients look up first


async def test_the_versions_need_no_login(web: httpx.AsyncClient, emulator: Emulator) -> None:
    versions = (await web.get(f"{emulator.server_url}/restapi")).json()
    [version] = versions["apiVersions"]
    assert (await web.get(version["uri"])).json() == version
    assert {"uri", "serverVersion", "serverRevision"} < versions.keys()
    assert (await web.post(f"{emulator.server_url}/restapi")).status_code == 405
    assert (await web.get(f"{emulator.media_url}/restapi")).status_code == 404


async def test_the_account_and_its_users_can_be_looked_up(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    base = f"{emulator.server_url}/restapi/v1.0/account/~"
    account, own = (await mailbox.get(base)).json(), (await mailbox.get(f"{base}/extension/~")).json()
    assert str(account["id"]) == emulator.account_id
    assert account["operator"]["uri"] == own["uri"]
    assert (str(own["id"]), own["extensionNumber"]) == (emulator.extension_id, "101")
    directory = (await mailbox.get(f"{base}/directory/entries")).json()
    assert {entry["id"] for entry in directory["records"]} == {user.extension_id for user in emulator.users}
    for entry in directory["records"]:
        colleague = (await mailbox.get(f"{base}/extension/{entry['id']}")).json()
        assert colleague["contact"]["firstName"] == entry["firstName"]
    assert (await mailbox.get(f"{base}/extension/1")).status_code == 404


@pytest.mark.parametrize(
    ("query", "numbers", "pages"),
    [
        ("perPage=3", ["101", "102", "103"], 2),
        ("perPage=3&page=2", ["104"], 2),
        ("perPage=3&page=3", list[str](), 2),
        ("perPage=all", ["101", "102", "103", "104"], 1),
        ("perPage=max", ["101", "102", "103", "104"], 1),
    ],
)
async def test_the_directory_comes_in_pages(
    mailbox: httpx.AsyncClient, emulator: Emulator, query: str, numbers: list[str], pages: int
) -> None:
    url = f"{emulator.server_url}/restapi/v1.0/account/~/directory/entries?{query}"
    directory = (await mailbox.get(url)).json()
    assert [entry["extensionNumber"] for entry in directory["records"]] == numbers
    assert (directory["paging"]["totalElements"], directory["paging"]["totalPages"]) == (4, pages)


# Files of any kind


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7 is all of it", b"\xff\xd8\xff cut", bytes(range(256)) * 5_000])
@pytest.mark.parametrize("name", ["page.pdf", "picture.jpg", "picture.png", "sound.amr"])
async def test_an_attachment_may_have_any_bytes(
    mailbox: httpx.AsyncClient, emulator: Emulator, name: str, data: bytes
) -> None:
    record = emulator.store.add(Draft(type="SMS", sender=ANA, media=(File(name, data), "crushed-parcel.jpg")))
    _, odd, picture = record["attachments"]
    assert (odd["fileName"], odd["size"], "width" in odd) == (name, len(data), False)
    assert picture["width"] > 0
    answer = await mailbox.get(odd["uri"])
    assert (answer.content, answer.headers["content-type"]) == (data, odd["contentType"])
    await mailbox.delete(f"message-store/{record['id']}?purge=true")
    assert (await mailbox.get(odd["uri"])).status_code == 404
    assert emulator.store.content(record["id"], odd["id"]) is None
    assert emulator.store.content("111", odd["id"]) is None


def test_a_file_survives_in_the_database(tmp_path: Path) -> None:
    with Emulator(scenario="empty", db=tmp_path / "mailbox.db") as emulator:
        file = File("scan", b"\0\1", content_type="image/tiff")
        record = emulator.store.add(Draft(type="Fax", sender=ANA, media=(file,)))
    with Emulator(db=tmp_path / "mailbox.db") as emulator:
        [document] = emulator.store.messages()[0]["attachments"]
        assert document["contentType"] == "image/tiff"
        assert emulator.store.content(record["id"], document["id"]) == b"\0\1"
