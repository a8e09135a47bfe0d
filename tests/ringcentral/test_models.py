"""Tests of records: documented fields are read exactly, all others leniently."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from rc_mcp.ringcentral import Message, MessageList, MessageStoreConfiguration, MessageSync
from rc_mcp.ringcentral.models import Field
from rc_mcp.ringcentral.transport.responses import parsed

FAX: dict[str, Any] = {
    "id": 1724099032020,
    "uri": "https://platform.ringcentral.com/restapi/v1.0/account/1/extension/2/message-store/1724099032020",
    "type": "Fax",
    "from": {"phoneNumber": "+16505550100", "phoneNumberInfo": {"countryCode": "1"}},
    "to": [{"phoneNumber": "+16505550111", "messageStatus": "SendingFailed", "faxErrorCode": "LineBusy"}],
    "creationTime": "2026-03-01T17:07:28.000Z",
    "faxPageCount": 3,
    "attachments": [{"id": 9, "contentType": "application/pdf", "size": 1024}],
}


def test_a_record_is_typed_and_its_ids_are_strings():
    fax = Message.model_validate(FAX)
    assert (fax.id, fax.type, fax.fax_page_count) == ("1724099032020", "Fax", 3)
    assert fax.from_ is not None
    assert fax.from_.phone_number == "+16505550100"
    assert (fax.to[0].message_status, fax.to[0].fax_error_code) == ("SendingFailed", "LineBusy")
    assert fax.creation_time == datetime(2026, 3, 1, 17, 7, 28, tzinfo=UTC)
    assert (fax.attachments[0].id, fax.attachments[0].content_type, fax.attachments[0].size) == (
        "9",
        "application/pdf",
        1024,
    )


def test_a_conversation_id_keeps_every_digit():
    rounded = {"id": 1, "conversationId": 8234962969801172000, "conversation": {"id": "8234962969801171948"}}
    assert Message.model_validate(rounded).conversation_id == "8234962969801171948"
    alone = parsed(b'{"id": 1, "conversationId": 8031152018338945839}')
    assert Message.model_validate(alone).conversation_id == "8031152018338945839"


def test_unknown_fields_are_kept_and_unknown_enum_values_are_read():
    message = Message.model_validate({"id": 1, "type": "Hologram", "availability": "Frozen", "mood": "good"})
    assert (message.type, message.availability) == ("Hologram", "Frozen")
    assert message.sent["mood"] == "good"


@pytest.mark.parametrize(
    ("wire_name", "value", "attribute"),
    [
        ("creationTime", "yesterday", "creation_time"),
        ("creationTime", "2026-03-01T17:07:28", "creation_time"),
        ("creationTime", "0001-01-01T00:00:00+01:00", "creation_time"),
        ("creationTime", "9999-12-31T23:59:59-01:00", "creation_time"),
        ("lastModifiedTime", 1e308, "last_modified_time"),
        ("faxPageCount", "many", "fax_page_count"),
        ("faxPageCount", "9" * 5000, "fax_page_count"),
        ("faxPageCount", 2**63, "fax_page_count"),
        ("from", "someone", "from_"),
        ("subject", {"text": "hi"}, "subject"),
        ("private", "perhaps", "private"),
        ("conversation", 5, "conversation"),
        ("owner", [], "owner"),
    ],
)
def test_a_field_of_an_unexpected_type_reads_as_absent(wire_name: str, value: object, attribute: str):
    message = Message.model_validate({**FAX, wire_name: value})
    assert getattr(message, attribute) is None
    assert message.type == "Fax"


@pytest.mark.parametrize("given", [{"phoneNumber": "+1"}, [{"phoneNumber": "+1"}]])
def test_a_party_can_be_given_alone_or_in_a_list(given: object):
    message = Message.model_validate({"id": 1, "direction": "Inbound", "from": given, "to": given})
    assert message.from_ == message.senders[0] == message.to[0]
    assert message.other_side == message.senders


def test_every_sender_of_a_list_is_on_the_other_side():
    message = Message.model_validate({"id": 1, "from": [{"phoneNumber": "+1"}, None, {"phoneNumber": "+2"}]})
    assert [caller.phone_number for caller in message.other_side] == ["+1", "+2"]
    assert message.from_ == message.senders[0]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"contact": {"name": "Ana"}}, "Ana"),
        ({"name": "Bo", "contact": {"name": "Ana"}}, "Bo"),
        ({"contact": {}}, None),
        ({"contact": "Ana"}, None),
    ],
)
def test_a_caller_without_a_name_has_that_of_the_contact(sent: dict[str, object], name: str | None):
    assert Message.model_validate({"id": 1, "to": [sent]}).to[0].name == name


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (2406007735008.0, "2406007735008"),
        (6.0158232507782e18, None),
        (float(2**53), None),
        (float(2**53 - 1), "9007199254740991"),
        (2**53 + 1, "9007199254740993"),
        (float("inf"), None),
        (float("nan"), None),
        ({"id": 6.0158232507782e18}, None),
    ],
)
def test_a_rounded_number_is_no_id(sent: object, shown: str | None):
    assert Message.model_validate({"id": 1, "conversationId": sent}).conversation_id == shown
    assert Message.model_validate({"id": 1, "conversation": sent}).conversation_id is None
    whole = [message.id for message in MessageList.model_validate({"records": [{"id": sent}]}).records]
    assert whole == ([] if shown is None else [shown])


@pytest.mark.parametrize("value", ["3", 3.0, 3])
def test_a_number_can_have_other_json_types(value: object):
    assert Message.model_validate({**FAX, "faxPageCount": value}).fax_page_count == 3


def test_a_list_omits_only_unreadable_entries():
    page = MessageList.model_validate({"records": [{"id": 1}, "garbage", {"subject": "no id"}, {"id": "2"}]})
    assert [message.id for message in page.records] == ["1", "2"]
    message = Message.model_validate({"id": 1, "attachments": [None, {"id": 5}], "to": "nobody"})
    assert [attachment.id for attachment in message.attachments] == ["5"]
    assert message.to == []


@pytest.mark.parametrize("kind", [MessageList, MessageSync])
def test_a_page_counts_unreadable_messages(kind: type[MessageList | MessageSync]):
    whole: dict[str, Any] = {"records": [{"id": 1}, {"id": 2}], "unreadable": 7}
    in_part: dict[str, Any] = {"records": [{"id": 1}, "garbage", {"subject": "no id"}, {"id": "2"}, None]}
    assert kind.model_validate(whole).unreadable == 0
    assert kind.model_validate(in_part).unreadable == 3
    assert kind.model_validate(parsed(json.dumps(in_part).encode())).unreadable == 3


def test_a_page_without_records_is_refused():
    for text in (b"{}", b'{"records": null}', b'{"records": {"id": 1}}', b"[]", b"null"):
        with pytest.raises(ValueError, match="MessageList"):
            MessageList.model_validate(parsed(text))


def test_paging_and_navigation_may_be_missing_in_part():
    page = MessageList.model_validate(
        {"records": [], "paging": {"perPage": 0}, "navigation": {"nextPage": {"uri": "https://x"}}}
    )
    assert (page.paging.page, page.paging.per_page, page.navigation.previous_page) == (None, 0, None)
    assert page.navigation.next_page is not None


def test_a_removal_in_a_sync_has_only_id_and_availability():
    sync = MessageSync.model_validate(
        {"records": [{"id": 4, "availability": "Deleted"}], "syncInfo": {"syncToken": "abc", "olderRecordsExist": True}}
    )
    assert (sync.records[0].availability, sync.records[0].type) == ("Deleted", None)
    assert (sync.sync_info.sync_token, sync.sync_info.older_records_exist) == ("abc", True)


def test_records_are_frozen():
    with pytest.raises(AttributeError):
        MessageStoreConfiguration({"retentionPeriod": 30}).retention_period = 7  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError):
        MessageStoreConfiguration().sent = {}  # pyright: ignore[reportAttributeAccessIssue]


def test_a_text_cut_inside_an_emoji_is_still_read():
    message = Message.model_validate(parsed(rb'{"id": 1, "subject": "see you \ud83d"}'))
    assert message.subject == "see you ?"


@pytest.mark.parametrize(
    ("direction", "sender", "numbers"),
    [
        ("Outbound", "+1", ["+2", "+3"]),
        ("Inbound", "+1", ["+1"]),
        (None, "+1", ["+1"]),
        ("Inbound", None, []),
    ],
)
def test_the_other_side_is_the_sender_unless_the_mailbox_sent_the_message(
    direction: str | None, sender: str | None, numbers: list[str]
):
    record = {"id": 1, "direction": direction, "to": [{"phoneNumber": "+2"}, {"phoneNumber": "+3"}]}
    message = Message.model_validate(record | ({"from": {"phoneNumber": sender}} if sender else {}))
    assert [caller.phone_number for caller in message.other_side] == numbers


FIELDS = [name for name in dir(Message) if isinstance(getattr(Message, name), Field)] + ["conversation_id"]
names = st.sampled_from([*map(to_camel, FIELDS), "from", "unknown"])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(names, values, max_size=5), max_size=4))
def test_no_field_of_a_record_breaks_the_page_it_is_on(records: list[dict[str, Any]]):
    page = MessageList.model_validate({"records": [*records, {"id": 77}]})
    assert page.records[-1].id == "77"
    assert len(page.records) + page.unreadable == len(records) + 1
    for message in page.records:
        assert isinstance(message.id, str)
        for name in FIELDS:
            getattr(message, name)


@given(st.datetimes(timezones=st.timezones()).map(datetime.isoformat))
def test_a_time_can_be_converted_to_any_time_zone(moment: str):
    created = Message.model_validate({"id": 1, "creationTime": moment}).creation_time
    if created:
        for hours in (-14, 0, 14):
            created.astimezone(timezone(timedelta(hours=hours)))
