"""The stored mailbox: seeded, generated, and read and extended by a test."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rc_mcp.emulator import Draft, Emulator
from rc_mcp.emulator.scenarios.office import age
from tests.emulator.conftest import ANA

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


def messages(*, now: datetime = NOON, **options: Any) -> list[dict[str, Any]]:
    with Emulator(now=lambda: now, **options) as emulator:
        return emulator.store.messages()


def test_the_office_holds_messages_of_all_types_and_states() -> None:
    office = messages()
    assert {record["type"] for record in office} == {"VoiceMail", "Fax", "SMS", "Pager"}
    assert {"Alive", "Deleted"} <= {record["availability"] for record in office}
    assert {record["direction"] for record in office} == {"Inbound", "Outbound"}
    assert all(record["creationTime"] < "2026-03-05T12:00:00" for record in office)


def test_ids_grow_with_time_and_are_the_same_at_each_start() -> None:
    office = messages()
    ids = [record["id"] for record in office]
    assert ids == sorted(ids, reverse=True)
    assert all(10**9 <= message_id < 10**13 for message_id in ids)
    later = messages(now=NOON + timedelta(days=30))
    assert [record["id"] for record in later] == ids
    assert [record["id"] for record in messages(seed=2)] != ids


def test_only_the_pictures_of_texts_state_their_size_and_it_is_true() -> None:
    with Emulator(now=lambda: NOON) as emulator:
        for record in emulator.store.messages():
            for attachment in record["attachments"]:
                assert ("size" in attachment) == (attachment["type"] == "MmsAttachment")
                data = emulator.store.content(record["id"], attachment["id"])
                assert data is not None
                assert attachment.get("size", len(data)) == len(data)


def test_a_conversation_has_one_id_for_both_directions() -> None:
    with Emulator(scenario="empty", now=lambda: NOON) as emulator:
        inbound = emulator.store.add(Draft(type="SMS", sender=ANA, text="Hi"))
        outbound = emulator.store.add(Draft(type="SMS", direction="Outbound", recipients=(ANA,), text="Hello"))
        voicemail = emulator.store.add(Draft(type="VoiceMail", sender=ANA))
    assert inbound["conversationId"] == outbound["conversationId"]
    assert len(inbound["conversation"]["id"]) == 19
    assert "conversation" not in voicemail


def test_a_failed_fax_has_an_error_code_by_recipient() -> None:
    failed = [record for record in messages() if record["type"] == "Fax" and record["direction"] == "Outbound"]
    errors = [party["faxErrorCode"] for record in failed for party in record["to"] if "faxErrorCode" in party]
    assert errors
    assert all(record["from"]["phoneNumber"] for record in failed)


def test_generated_messages_are_of_all_types_and_depend_on_the_seed() -> None:
    generated = messages(scenario="empty", messages=300)
    assert len(generated) == 300
    assert {record["type"] for record in generated} == {"VoiceMail", "Fax", "SMS", "Pager"}
    assert generated == messages(scenario="empty", messages=300)
    assert generated != messages(scenario="empty", messages=300, seed=7)


def test_an_unknown_message_is_none() -> None:
    with Emulator(scenario="empty") as emulator:
        assert emulator.store.message("111") is None
        assert emulator.store.message("not an id") is None
        assert emulator.store.messages() == []


def test_a_draft_that_cannot_be_stored_leaves_the_mailbox_unchanged() -> None:
    with Emulator(scenario="empty") as emulator:
        with pytest.raises(FileNotFoundError):
            emulator.store.add(Draft(type="Fax", sender=ANA, media=("nowhere.pdf",)))
        assert emulator.store.messages() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("40m", timedelta(minutes=40)), ("3h20m", timedelta(hours=3, minutes=20)), ("2d4h", timedelta(days=2, hours=4))],
)
def test_ages_are_read(text: str, expected: timedelta) -> None:
    assert age(text) == expected


@pytest.mark.parametrize("text", ["", "3", "3w", "h", "4h2d", "-1h"])
def test_other_ages_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        age(text)
