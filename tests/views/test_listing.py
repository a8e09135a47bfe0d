"""Summaries: senders of open messages, failures and messages that will soon be erased."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2 as httpx
import pytest

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.ringcentral import Message
from rc_mcp.views.delivery_failures import NO_REASON
from rc_mcp.views.summary import RetentionFacts, summarize
from rc_mcp.views.syncs import NEW_UNKNOWN, UNKNOWN_FILTERS
from tests.desk import Clock, Desk, Era, Faults, call

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
NOW = datetime(2026, 3, 5, 17, tzinfo=LOS_ANGELES).astimezone(UTC)
MARIA, HAROLD = "+15035550134", "+15035550147"


def text(hours_ago: float, **fields: object) -> Message:
    return message(hours_ago, type="SMS", conversation={"id": "7"}, **fields)


def message(hours_ago: float, **fields: object) -> Message:
    at = (NOW - timedelta(hours=hours_ago)).astimezone(UTC).isoformat().replace("+00:00", "Z")
    record = {"id": int(hours_ago * 100), "availability": "Alive", "creationTime": at, "readStatus": "Read", **fields}
    return Message.model_validate(record)


def theirs(who: str = MARIA, **fields: object) -> dict[str, object]:
    return {"direction": "Inbound", "from": {"phoneNumber": who}, "to": [{"phoneNumber": "+15035550110"}], **fields}


def ours(who: str = MARIA, **fields: object) -> dict[str, object]:
    return {"direction": "Outbound", "to": [{"phoneNumber": who}], "messageStatus": "Delivered", **fields}


def senders(*messages: Message) -> list[dict[str, object]]:
    """Return the senders of open messages, each with only the fields that are set."""
    found = summarize(messages, NOW, LOS_ANGELES).open or []
    return [each.model_dump(exclude_none=True, exclude={"conversation_id"}) for each in found]


def numbers_in(lines: list[str] | None) -> list[list[str]]:
    return [re.findall("[0-9]+", line) for line in lines or []]


def test_a_read_text_is_unanswered_since_the_first_one_after_our_reply() -> None:
    assert senders(text(1, **theirs()), text(2, **theirs()), text(3, **ours()), text(4, **theirs())) == [
        {"untrusted_who": MARIA, "unanswered_since": "03-05 15:00"}
    ]


def test_a_sender_with_a_reply_has_nothing_open() -> None:
    assert senders(text(1, **ours()), text(2, **theirs())) == []


def test_a_reply_that_was_not_delivered_does_not_count() -> None:
    assert senders(text(1, **ours(messageStatus="SendingFailed")), text(2, **theirs())) == [
        {"untrusted_who": MARIA, "unanswered_since": "03-05 15:00"}
    ]


def test_senders_of_unread_messages_come_first_and_then_the_oldest_message() -> None:
    unread = theirs(HAROLD, readStatus="Unread")
    assert senders(message(1, type="VoiceMail", **unread), text(9, **theirs())) == [
        {"untrusted_who": HAROLD, "unread_since": "03-05 16:00"},
        {"untrusted_who": MARIA, "unanswered_since": "03-05 08:00"},
    ]


def test_unread_messages_before_a_reply_are_unread_and_not_called_unanswered() -> None:
    assert senders(text(1, **ours()), text(2, **theirs(readStatus="Unread")), text(3, **theirs())) == [
        {"untrusted_who": MARIA, "unread_since": "03-05 15:00"}
    ]


def test_a_sender_whose_oldest_open_text_is_read_has_a_count_of_the_unread_ones() -> None:
    assert senders(text(1, **theirs(readStatus="Unread")), text(2, **theirs())) == [
        {"untrusted_who": MARIA, "unanswered_since": "03-05 15:00", "unread": 1}
    ]


def test_a_sender_of_texts_and_voicemails_is_named_once() -> None:
    unread = theirs(readStatus="Unread")
    assert senders(message(1, type="VoiceMail", **unread), text(2, **unread)) == [
        {"untrusted_who": MARIA, "unread_since": "03-05 15:00", "unread": 2}
    ]


def test_a_group_conversation_is_named_once() -> None:
    group = [{"phoneNumber": "+15035550110"}, {"phoneNumber": HAROLD}]
    assert len(senders(text(1, **theirs(MARIA, to=group)), text(2, **theirs(HAROLD, to=group)))) == 1


def test_a_heard_voicemail_is_not_open() -> None:
    assert senders(message(1, type="VoiceMail", **theirs())) == []


@pytest.mark.parametrize("availability", ["Deleted", "Purged"])
@pytest.mark.parametrize("kind", ["VoiceMail", "Fax", "SMS", "Pager"])
@pytest.mark.parametrize("read_status", ["Read", "Unread"])
def test_a_deleted_message_is_not_open(availability: str, kind: str, read_status: str) -> None:
    assert senders(message(1, type=kind, **theirs(readStatus=read_status, availability=availability))) == []


def test_a_deleted_message_hides_no_older_one_that_is_open() -> None:
    thanks = theirs(availability="Deleted", readStatus="Unread")
    assert senders(text(1, **thanks), text(2, **theirs())) == [
        {"untrusted_who": MARIA, "unanswered_since": "03-05 15:00"}
    ]


def test_a_deleted_reply_was_sent_and_counts() -> None:
    assert senders(text(1, **ours(availability="Deleted")), text(2, **theirs())) == []


@pytest.mark.anyio
async def test_no_deleted_voicemail_of_the_office_is_listed_as_open(desk: Desk, era: Era) -> None:
    desk.emulator.store.add(Draft(type="VoiceMail", sender=Party(phone_number=MARIA), availability="Deleted"))
    async with desk.client(era) as client:
        listing = await call(client, "list_messages", date_from="30d", availability=["Deleted"])
    assert len(rows(listing["messages"])) == len(desk.ids(availability="Deleted"))
    assert listing["summary"]["unread"] == {"VoiceMail": 1}  # as its row says
    assert "open" not in listing["summary"]


def test_unheard_voicemails_are_counted_by_transcript_state() -> None:
    transcript = [{"id": 5, "type": "AudioTranscription", "contentType": "text/plain"}]
    states = {
        "Completed": transcript,
        "Unknown": transcript,
        "CompletedPartially": transcript,
        "InProgress": [],
        "": [],
    }
    unheard = [
        message(n + 1, type="VoiceMail", vmTranscriptionStatus=s, attachments=a, **theirs(readStatus="Unread"))
        for n, (s, a) in enumerate(states.items())
    ]
    counted = {"with_transcript": 2, "partial_transcript": 1, "transcript_in_progress": 1, "no_transcript": 1}
    assert summarize(unheard, NOW).unheard == counted


def test_a_failure_without_a_code_says_that_no_reason_is_known() -> None:
    failed = summarize([message(1, type="Fax", **ours(messageStatus="SendingFailed"))], NOW).failed
    assert failed
    assert failed[0].why == NO_REASON


def test_a_summary_counts_messages_that_the_known_retention_period_erases_within_a_week() -> None:
    old, new = message(24 * 25, type="Fax", **theirs()), message(24 * 3, type="Fax", **theirs())
    known = summarize([new, old, text(24 * 25, **theirs())], NOW, keeping=RetentionFacts(retention_days=30))
    assert numbers_in(known.soon_lost) == [["1", "7", "30"]]
    assert summarize([new, old], NOW).soon_lost is None


def test_rare_types_beyond_the_limit_are_counted_together() -> None:
    messages = [message(n + 1, type=f"Type{n}") for n in range(30)]
    by_type = summarize([*messages, message(40, type="SMS"), message(41, type="SMS")], NOW).by_type
    assert len(by_type) == 21
    assert (by_type["SMS"], by_type["others"], sum(by_type.values())) == (2, 11, 32)


def test_a_mailbox_near_its_cap_is_reported() -> None:
    assert numbers_in(summarize([], NOW, keeping=RetentionFacts(received_in_all=199)).soon_lost) == [["199", "200"]]
    assert summarize([], NOW, keeping=RetentionFacts(received_in_all=20)).soon_lost is None


@pytest.mark.anyio
async def test_a_full_mailbox_is_reported_and_a_known_retention_period_is_used(tmp_path: Path) -> None:
    clock = Clock()
    with Emulator(rate_limits=False, now=clock, scenario="full") as emulator:
        desk = Desk(emulator, tmp_path, clock, Faults(emulator))
        clock.time += timedelta(days=3)
        async with desk.client() as client:
            before = await call(client, "list_messages", message_type="VoiceMail", date_from="90d")
            await call(client, "read_message_store_configuration")
            after = await call(client, "list_messages", message_type="VoiceMail", date_from="90d", detail="summary")
    assert any("200" in line for line in before["summary"]["soon_lost"])
    assert any("7 days" in line for line in after["summary"]["soon_lost"])
    assert "messages" not in after


@pytest.mark.anyio
async def test_deleted_voicemails_do_not_count_towards_the_cap(desk: Desk) -> None:
    created = desk.clock() - timedelta(hours=1)
    gone = Draft(type="VoiceMail", sender=Party(phone_number=MARIA), created=created, availability="Deleted")
    desk.emulator.store.add_all([gone] * 190)
    async with desk.client() as client:
        listing = await call(client, "list_messages", message_type="VoiceMail", availability=["Alive", "Deleted"])
    assert listing["page"]["total_messages"] >= 190
    assert "soon_lost" not in listing["summary"]


@pytest.mark.anyio
@pytest.mark.parametrize("days", [10**12, 36_501, 0, -1])
async def test_an_invalid_retention_period_is_not_remembered(desk: Desk, days: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        is_asked = request.url.path.endswith("/message-store-configuration")
        return httpx.Response(200, json={"retentionPeriod": days}) if is_asked else None

    desk.faults.before(answer)
    async with desk.client() as client:
        said = await call(client, "read_message_store_configuration")
        listing = await call(client, "list_messages", message_type="VoiceMail", date_from="90d")
        synced = await call(client, "sync_messages", message_type="VoiceMail", date_from="90d")
    assert said["retention_period"] == days
    assert not [line for a in (listing, synced) for line in a["summary"].get("soon_lost", []) if "7 days" in line]


@pytest.mark.anyio
async def test_times_are_in_the_users_zone_and_can_be_sent_back_unchanged(desk: Desk) -> None:
    created = desk.clock() - timedelta(hours=30)
    desk.emulator.store.add(Draft(type="SMS", text="Here", sender=Party(phone_number=MARIA), created=created))
    async with desk.client(RC_MCP_TIMEZONE="Asia/Kolkata") as client:
        first = await call(client, "list_messages", date_from="2d")
        row = next(r for r in rows(first["messages"]) if r.get("untrusted_text") == "Here")
        again = await call(client, "list_messages", date_from=row["at"])
    local = created.astimezone(ZoneInfo("Asia/Kolkata"))
    assert row["at"] == f"{local:%m-%d %H:%M}"
    assert first["window"]["timezone"] == "Asia/Kolkata"
    assert again["window"]["date_from"] == f"{local:%Y-%m-%dT%H:%M}:00+05:30"
    assert "Here" in [r.get("untrusted_text") for r in rows(again["messages"])]


@pytest.mark.anyio
async def test_a_sync_with_an_unknown_token_does_not_say_which_messages_are_new(desk: Desk) -> None:
    async with desk.client() as client:
        token = (await call(client, "sync_messages"))["sync_token"]
    desk.clock.time += timedelta(minutes=1)
    desk.emulator.store.add(Draft(type="SMS", text="Later"))
    async with desk.client() as another:
        changes = await call(another, "sync_messages", sync_token=token)
    assert "new" not in changes
    assert len(rows(changes["changed"])) == 1
    assert NEW_UNKNOWN in changes["next"]


@pytest.mark.anyio
async def test_a_sync_with_an_unknown_token_says_that_its_filters_are_unknown(desk: Desk) -> None:
    async with desk.client() as client:
        token = (await call(client, "sync_messages", message_type="Fax"))["sync_token"]
    async with desk.client() as another:
        same = await call(another, "sync_messages", sync_token=token, message_type="Fax", date_from="2h")
        again = await call(another, "sync_messages", sync_token=same["sync_token"], message_type="Fax")
    for changes in (same, again):
        assert changes["next"].startswith(UNKNOWN_FILTERS)
        assert "message_type" not in changes["next"]
        assert "filters" not in changes
    assert same["window"]["date_from"] < same["window"]["date_to"]
    assert "window" not in again
