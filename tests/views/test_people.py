"""People: whole names with number and extension, one person under two spellings, owners, forwarders, each recipient."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Party
from rc_mcp.ringcentral import Message
from rc_mcp.views.messages import MOST_SHOWN, Detail, detail
from rc_mcp.views.partners import by_partner
from rc_mcp.views.rows import row
from rc_mcp.views.summary import summarize
from rc_mcp.views.untrusted_text import NAME_CHARS
from tests.desk import Desk, Era, call

NOW = datetime(2026, 3, 5, 17, tzinfo=UTC)
NAMES = (
    "Владимир Константинович Преображенский",
    "محمد عبد الرحمن الشريف",
    "St. Mary's Hospital - Radiology Dept. - Building 4",
    "+1 (650) 555-0118 ext. 4417",
    "(650) 555-0142 * 3610 (Ada Example)",
    "欧" * NAME_CHARS,
)


def message(hours_ago: float = 1, **fields: Any) -> Message:
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    return Message.model_validate({"id": 1, "availability": "Alive", "creationTime": at, **fields})


def whole(**fields: Any) -> Detail:
    return detail(message(**fields), "~", "~")


@pytest.mark.anyio
async def test_a_whole_message_has_whole_names(desk: Desk, era: Era) -> None:
    senders = {n: Party(name=n, phone_number="+16505550118") for n in NAMES}
    ids = {str(desk.emulator.store.add(Draft(type="SMS", text="Hi", sender=p))["id"]): n for n, p in senders.items()}
    async with desk.client(era) as client:
        messages = (await call(client, "read_message", message_id=list(ids)))["messages"]
    assert {m["id"]: m["untrusted"]["sender"] for m in messages} == {i: f"{n} +16505550118" for i, n in ids.items()}


def test_a_name_over_the_limit_is_cut_and_says_so() -> None:
    sender = whole(**{"from": {"name": "x" * (NAME_CHARS + 1)}}).untrusted.sender
    assert sender == "x" * (NAME_CHARS - 1) + "…"


def test_the_names_of_many_recipients_are_cut_and_say_so_but_keep_their_numbers() -> None:
    to = [{"name": "欧" * NAME_CHARS, "phoneNumber": f"+1650555{n:04d}"} for n in range(MOST_SHOWN)]
    shown = whole(direction="Outbound", to=to).untrusted.recipients or []
    assert [name.rpartition("… ")[2] for name in shown] == [party["phoneNumber"] for party in to]


def test_a_name_cut_in_a_row_says_so_and_keeps_number_and_extension() -> None:
    caller: Any = {
        "name": "(650) 555-0142 * 3610 (Ada Example)",
        "phoneNumber": "+16505555352",
        "extensionNumber": "3610",
    }
    shown = str(row(message(direction="Inbound", **{"from": caller}), NOW, UTC)["untrusted_who"])
    assert shown.endswith("… +16505555352 ext. 3610")


def test_a_whole_message_has_number_and_extension() -> None:
    caller: Any = {"name": "Ada Example", "phoneNumber": "+16505555352", "extensionNumber": "3610"}
    shown = whole(to=[caller, {"contact": {"name": "Bo"}}], **{"from": [caller, {"extensionNumber": "7"}]}).untrusted
    assert shown.sender == (shown.recipients or [])[0] == "Ada Example +16505555352 ext. 3610"
    assert (shown.recipients or [])[1] == "Bo"
    assert shown.other_senders == ["ext. 7"]


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ({"extensionId": "2002", "extensionNumber": "102", "location": "San Carlos, CA"}, "ext. 102"),
        ({"extensionId": 2002, "location": "San Carlos, CA"}, "extension id 2002"),
        ({"location": "San Carlos, CA"}, "San Carlos, CA"),
        ({}, "unknown"),
    ],
)
def test_someone_without_name_and_number_is_shown_by_what_else_is_known(known: object, shown: str) -> None:
    untrusted = whole(to=[known], **{"from": known}).untrusted
    assert (untrusted.sender, untrusted.recipients) == (shown, [shown])


def test_two_colleagues_in_one_place_are_two_persons() -> None:
    both = [
        message(1, direction="Inbound", **{"from": {"extensionId": id_, "location": "San Carlos, CA"}})
        for id_ in ("2002", "2003")
    ]
    assert len(by_partner(both)) == 2


SAME = [
    ("(650) 555-0118", "+16505550118"),
    ("16505550118", "+1 650-555-0118"),
    ("650.555.0118", "1 (650) 555 0118"),
    ("tel:+1-650-555-0118", "+16505550118;ext=3"),
    ("020 7946 0000", "+44 (0)20 7946 0000"),
    ("011 44 20 7946 0000", "+442079460000"),
    ("00442079460000", "+44\u00a020\u20117946\u20110000"),
    ("+1\u202a6505550118\u202c", "٦٥٠٥٥٥٠١١٨"),
    ("555-0118", "+16505550118"),
    ("BankPL", "BANKPL"),
    ("sip:+16505550118@example.com", "650·555·0118"),
    ("+ 1 650 555 0118", "001 650 555 0118"),
    ("06 1234 5678", "+39 06 1234 5678"),
    ("0011 61 2 5550 0118", "+61255500118"),
    ("(650) 555-0118 * 3610", "+16505550118 ext. 3610"),
]
DIFFERENT = [
    ("16505550118", "+4916505550118"),
    ("79460000", "+442079460000"),
    ("5550118", "+496505550118"),
    ("+16505550118 x101", "+1 (650) 555-0118 ext. 102"),
    ("0611", "611"),
    ("Anonymous", "anonymous"),
    ("0113 496 0000", "+34960000"),
    ("+16505550118", "+15035550118"),
    ("+16505550118", "+6505550118"),
    ("550118", "+16505550118"),
    ("BANKPL", "BANKUS"),
    ("72345", "272345"),
]


def texts(theirs: str, answered_to: str, **conversation: Any) -> list[Message]:
    answer = message(1, direction="Outbound", messageStatus="Sent", to=[{"phoneNumber": answered_to}], **conversation)
    asked = message(
        2, direction="Inbound", to=[{"phoneNumber": "+1"}], **{"from": {"phoneNumber": theirs}}, **conversation
    )
    return [answer, asked]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_person_under_two_spellings_is_one(one: str, other: str) -> None:
    for theirs, ours in ((one, other), (other, one)):
        assert summarize(texts(theirs, ours), NOW).open is None
        assert len(by_partner(texts(theirs, ours))) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_persons_stay_two(one: str, other: str) -> None:
    for theirs, ours in ((one, other), (other, one)):
        assert len(summarize(texts(theirs, ours), NOW).open or []) == 1


def test_a_number_that_fits_two_persons_is_neither() -> None:
    two = [*texts("+16505550118", "+15035550118"), message(3, **{"from": {"phoneNumber": "555-0118"}})]
    assert len(by_partner(two)) == 3


def test_a_number_that_only_a_read_fax_has_makes_a_short_one_that_of_two_persons() -> None:
    answered = texts("+16505550118", "555-0118")
    read_fax = message(
        3, type="Fax", readStatus="Read", direction="Inbound", **{"from": {"phoneNumber": "+14155550118"}}
    )
    assert summarize(answered, NOW).open is None
    assert len(summarize([*answered, read_fax], NOW).open or []) == 1


def test_two_extensions_of_one_number_are_two_persons_and_the_number_is_neither() -> None:
    number = "+16505550118"
    callers: list[Any] = [
        {"phoneNumber": number, "extensionNumber": "101"},
        {"phoneNumber": f"{number} x102"},
        {"phoneNumber": "650 555 0118", "extensionNumber": "101"},
    ]
    inbound = [message(n, direction="Inbound", **{"from": caller}) for n, caller in enumerate(callers, 1)]
    assert [len(theirs) for theirs in by_partner(inbound)] == [2, 1]
    both = [*inbound, message(4, direction="Inbound", **{"from": {"phoneNumber": number}})]
    assert [len(theirs) for theirs in by_partner(both)] == [2, 1, 1]
    assert len(by_partner([both[0], both[3]])) == 1


def test_an_extension_is_not_the_short_code_with_its_digits() -> None:
    callers: list[Any] = [{"extensionNumber": "22000"}, {"phoneNumber": "22000"}]
    assert len(by_partner([message(direction="Inbound", **{"from": caller}) for caller in callers])) == 2


def test_callers_who_hide_their_number_are_not_one_person_in_two_conversations() -> None:
    hidden = [texts("Anonymous", "+16505550118", conversation={"id": id_})[1] for id_ in ("7", "8")]
    assert len(by_partner(hidden)) == 2


def test_an_answer_in_the_same_conversation_is_an_answer_however_the_number_is_spelled() -> None:
    assert summarize(texts("anonymous", "+16505550118", conversation={"id": "7"}), NOW).open is None


def test_a_conversation_joins_what_its_person_left_as_voicemail() -> None:
    voicemail = message(3, type="VoiceMail", direction="Inbound", **{"from": {"phoneNumber": "650 555 0118"}})
    assert len(by_partner([*texts("(650) 555-0118", "+16505550118", conversation={"id": "7"}), voicemail])) == 1


FAX: dict[str, Any] = {
    "type": "Fax",
    "direction": "Outbound",
    "messageStatus": "SendingFailed",
    "to": [
        {"phoneNumber": "+16505550110", "messageStatus": "Sent"},
        {"phoneNumber": "+16505550111", "messageStatus": "SendingFailed", "faxErrorCode": "LineBusy"},
        {"phoneNumber": "+16505550112", "messageStatus": "Queued"},
    ],
}


@pytest.mark.anyio
async def test_each_recipient_of_a_fax_has_its_own_status_and_reason(desk: Desk, era: Era) -> None:
    send(desk, {"id": 1, "availability": "Alive", "creationTime": desk.clock().isoformat(), **FAX})
    async with desk.client(era) as client:
        listing = await call(client, "list_messages", detail="summary")
        rows = (await call(client, "list_messages"))["messages"]["Fax"]
        read = (await call(client, "read_message", message_id="1"))["messages"][0]
    found = {n: (d["status"], d.get("problem")) for d in read["deliveries"] for n in d["untrusted_recipients"]}
    assert {number: status for number, (status, _) in found.items()} == {
        party["phoneNumber"]: party["messageStatus"] for party in FAX["to"]
    }
    assert [number for number, (_, problem) in found.items() if problem] == ["+16505550111"]
    assert "LineBusy" in str(found["+16505550111"][1])
    assert "1 of 3" in rows["untrusted_rows"][0]
    assert "1 of 3" in listing["summary"]["failed"][0]["why"]
    assert listing["summary"]["failed"][0]["untrusted_who"] == "+16505550111"


def test_recipients_with_the_status_of_the_message_are_not_repeated() -> None:
    same = [{"phoneNumber": f"+165055501{n}", "messageStatus": "Sent"} for n in range(10, 13)]
    assert whole(type="Fax", direction="Outbound", messageStatus="Sent", to=same).deliveries is None
    one = [{"phoneNumber": "+16505550110", "messageStatus": "SendingFailed", "faxErrorCode": "LineBusy"}]
    assert whole(type="Fax", direction="Outbound", messageStatus="SendingFailed", to=one).deliveries is None


def test_a_message_that_reached_nobody_names_no_share() -> None:
    failed = [{"phoneNumber": "+1", "messageStatus": "SendingFailed"}] * 2
    shown = message(type="SMS", direction="Outbound", messageStatus="SendingFailed", to=failed)
    assert row(shown, NOW, UTC)["undelivered"] is None


def test_more_kinds_of_deliveries_than_are_shown_are_counted() -> None:
    to = [{"phoneNumber": f"+{n}", "faxErrorCode": f"Code{n}"} for n in range(15)]
    shown = whole(type="Fax", direction="Outbound", to=to)
    assert len(shown.deliveries or []) == 10
    assert (shown.left_out or "").startswith("5 ")


QUEUE = {"extensionId": "2002", "extensionType": "Department", "name": "Sales queue"}
ME = {"extensionId": "101", "extensionType": "User", "name": "Me"}
MY_URI = "https://platform.ringcentral.com/restapi/v1.0/account/1/extension/101/message-store/1"


@pytest.mark.parametrize(
    ("owner", "asked", "fields", "shown"),
    [
        (QUEUE, "~", {}, "Sales queue (Department)"),
        (QUEUE, "~", {"uri": MY_URI.replace("101", "2002")}, "Sales queue (Department)"),
        (QUEUE, "2002", {}, None),
        (ME, "~", {"uri": MY_URI}, None),
        (ME, "~", {"extensionId": 101}, None),
        (ME, "101", {}, None),
        (ME, "102", {}, "Me (User)"),
        (ME, "~", {"uri": MY_URI.replace("101", "102")}, "Me (User)"),
        ({"extensionId": "2002", "extensionType": "Department"}, "~", {}, "extension id 2002 (Department)"),
        ({"name": "Sales"}, "~", {"uri": MY_URI}, "Sales"),
        ({}, "~", {"uri": MY_URI}, None),
    ],
)
def test_a_row_names_the_owner_only_of_messages_that_are_not_ones_own(
    owner: object, asked: str, fields: dict[str, Any], shown: str | None
) -> None:
    assert row(message(owner=owner, **fields), NOW, UTC, asked)["untrusted_owner"] == shown


@pytest.mark.anyio
async def test_the_owner_of_a_shared_voicemail_is_shown_in_rows_and_whole_messages(desk: Desk, era: Era) -> None:
    send(desk, record(desk, owner=QUEUE), record(desk, id=2, owner={"extensionId": OWN, "extensionType": "User"}))
    async with desk.client(era) as client:
        listing = await call(client, "list_messages", owner=["Any"])
        full = await call(client, "list_messages", detail="full")
        read = (await call(client, "read_message", message_id="1"))["messages"][0]
    table = listing["messages"]["VoiceMail"]
    place = table["columns"].index("untrusted_owner")
    assert [cells[place:] for cells in table["untrusted_rows"]] == [["Sales queue (Department)"], []]
    assert [m.get("owner") for m in full["messages"]["VoiceMail"]] == [read["owner"], None]
    assert read["owner"] == {"extension_id": "2002", "extension_type": "Department", "untrusted_name": "Sales queue"}


@pytest.mark.anyio
async def test_a_forwarded_voicemail_names_who_left_it_and_when(desk: Desk, era: Era) -> None:
    origin = {"name": "Ana Costa", "phoneNumber": "+15035550134"}
    forwarding = {"originalSender": origin, "originalCreationTime": "2026-03-01T17:07:28Z"}
    side = [{"name": "Bo", "extensionNumber": "103"}]
    send(desk, record(desk, forwarding=forwarding, private=True, vmSideRecipients=side))
    async with desk.client(era) as client:
        table = (await call(client, "list_messages"))["messages"]["VoiceMail"]
        read = (await call(client, "read_message", message_id="1"))["messages"][0]
    cells = dict(zip(table["columns"], table["untrusted_rows"][0], strict=False))
    assert cells["untrusted_original_sender"] == read["untrusted"]["original_sender"] == "Ana Costa +15035550134"
    assert cells["untrusted_who"] == read["untrusted"]["sender"] == "Colleague ext. 102"
    assert read["original_creation_time"] == "2026-03-01T09:07:28-08:00"
    assert read["private"] is True
    assert read["untrusted"]["side_recipients"] == ["Bo ext. 103"]


@pytest.mark.parametrize(
    ("status", "to", "missed"),
    [
        ("SendingFailed", [("Sent", "Undefined"), ("SendingFailed", "LineBusy")], [1]),
        ("SendingFailed", [("Sent", None), (None, None)], [1]),
        ("SendingFailed", [(None, None), (None, "LineBusy")], [1]),
        ("Sent", [(None, "LineBusy"), (None, None)], None),
        ("Sent", [("Sent", None), ("SendingFailed", "LineBusy")], [1]),
        ("SendingFailed", [(None, None), (None, None)], [0, 1]),
        ("SendingFailed", [("SendingFailed", "LineBusy"), ("SendingFailed", "LineBusy")], [0, 1]),
    ],
)
def test_rows_summaries_and_reasons_agree_on_who_was_not_reached(
    status: str, to: list[tuple[str | None, str | None]], missed: list[int] | None
) -> None:
    numbers = ["+16505550110", "+16505550111"]
    recipients = [
        {"phoneNumber": number, "messageStatus": own, "faxErrorCode": code}
        for number, (own, code) in zip(numbers, to, strict=True)
    ]
    sent = message(type="Fax", direction="Outbound", messageStatus=status, to=recipients)
    failed = summarize([sent], NOW).failed
    assert row(sent, NOW, UTC)["undelivered"] == ("1 of 2" if missed == [1] else None)
    assert (failed and failed[0].untrusted_who) == (missed and ", ".join(numbers[n] for n in missed))
    assert not failed or "Undefined" not in failed[0].why


@pytest.mark.parametrize(
    ("subject", "sender", "to_number", "label"),
    [
        ("+16505550667", "+16505556999", "+16505550667", None),
        ("(650) 555-0667", "+16505556999", "(650) 555-0667", None),
        ("+16505556999", "+16505556999", None, None),
        ("(650) 555-6999", "+16505556999", None, None),
        ("16505556999", "(650) 555-6999", None, None),
        ("(+1) 650-555-0667", None, "(+1) 650-555-0667", None),
        ("Fax from a friend", "+16505556999", None, "Fax from a friend"),
        (None, "+16505556999", None, None),
    ],
)
def test_the_subject_of_a_received_fax_is_the_number_it_came_in_on(
    subject: str | None, sender: str | None, to_number: str | None, label: str | None
) -> None:
    shown = whole(type="Fax", direction="Inbound", subject=subject, **{"from": {"phoneNumber": sender}}).untrusted
    assert (shown.to_number, shown.subject, shown.text) == (to_number, label, None)


def test_the_label_of_a_voicemail_is_not_its_text() -> None:
    shown = whole(type="VoiceMail", subject="Message").untrusted
    assert (shown.subject, shown.text) == ("Message", None)


def test_a_group_text_says_which_member_is_the_mailbox() -> None:
    group = [{"phoneNumber": "+16505550110"}, {"phoneNumber": "+16505550111", "target": True}]
    assert whole(type="SMS", direction="Inbound", subject="Hi", to=group).untrusted.to_number == "+16505550111"
    assert whole(type="SMS", direction="Inbound", subject="Hi", to=group[1:]).untrusted.to_number is None


@pytest.mark.anyio
async def test_a_rounded_conversation_id_is_left_out(desk: Desk) -> None:
    rounded = record(desk, type="SMS", direction="Inbound", conversationId=6.0158232507782e18)
    send(desk, rounded)
    async with desk.client() as client:
        answers = [
            await call(client, "list_messages"),
            await call(client, "list_messages", detail="summary"),
            await call(client, "read_message", message_id="1"),
        ]
    assert "6.0158" not in json.dumps(answers)


OWN = "400001"


def record(desk: Desk, **fields: object) -> dict[str, Any]:
    return {
        "id": 1,
        "extensionId": OWN,
        "type": "VoiceMail",
        "direction": "Inbound",
        "availability": "Alive",
        "creationTime": desk.clock().isoformat(),
        "from": {"name": "Colleague", "extensionNumber": "102"},
        **fields,
    }


def send(desk: Desk, *records: dict[str, Any]) -> None:
    """RingCentral sends these messages in a list, and the first when it is read by id."""

    def act(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/message-store"):
            return httpx.Response(200, json={"records": list(records), "paging": {}, "navigation": {}})
        return httpx.Response(200, json=records[0]) if request.url.path.endswith("/message-store/1") else None

    desk.faults.before(act)
