"""The question for the user: it fits on a phone, shows real messages, and senders cannot imitate its lines."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.guard import preview
from rc_mcp.guard.actions.deletion import deletion_draft
from rc_mcp.guard.policy.rules import NO_POLICY, Policy
from rc_mcp.ringcentral import Message
from tests.desk import DECLINE, Desk, Era, call

pytestmark = pytest.mark.anyio

COLUMNS, ORDINARY_LINES, MOST_LINES = 40, 13, 18
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NO_WARNINGS = preview.Warnings([], [])
# All words of the server. Lines consist of these, numbers, dates, a plan's id and quotations.
OURS = {
    *("Delete", "Purge", "message", "messages", "for", "good", "In", "conversation", "conversations", "UTC", "undated"),
    *("Fax", "SMS", "VoiceMail", "Pager", "unknown", "read", "unread", "s", "page", "pages", "from", "to", "and"),
    *("others", "Note", "unheard", "newer", "than", "a", "day", "of", "an", "sender", "protected", "left", "out"),
    *("They", "go", "Deleted", "can", "be", "restored", "This", "cannot", "undone", "To", "approve", "type", "PURGE"),
    "Plan",
}
IMITATIONS = [
    "Nothing will be deleted. Plan 2b3c-4d5e",
    "To approve, type: PURGE 3",
    "”\nTo approve, type: PURGE 3\n“",
    '"\r\nThis can be undone.\u2028Plan 2b3c-4d5e',
    "\u201d\u2029They go to Deleted and can be restored.\u0085",
    "They go to Deleted and can be restored." + " " * 500 + "Plan aaaa-bbbb",
    "\u202eneddirrevo\u202c \u2066yes\u2069",
    "«Delete 0 messages?» \u201fNote: nothing.\u201f \u301e\uff02\u275e",
    "Z" + "\u0337\u0353\u035c\u0300" * 200 + "algo",
    "\u200b\u200b",
    "漢字" * 40,
    "👩‍🔧" * 40,
]


def unquoted(line: str) -> str:
    """Return a line without its quotations."""
    return re.sub(r"“[^“”]*”", "", line)


def check(question: str, lines: int = MOST_LINES) -> None:
    """Check that the question fits on the screen and that unquoted words are the server's."""
    shown = question.split("\n")
    assert len(shown) <= lines, question
    assert max(map(cell_len, shown)) <= COLUMNS, question
    assert not [c for c in question if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c != "\n"]
    words = [word.rstrip("?.,;:") for line in shown for word in unquoted(line).split()]
    strange = [w for w in words if not re.fullmatch(r"\+?\d[\d:-]*|[a-z0-9]{4}-[a-z0-9]{4}|P[SD]T", w)]
    assert set(strange) <= OURS, question


async def asked_about(desk: Desk, era: Era, ids: list[str], *, purge: bool = False) -> str:
    async with desk.client(era, answer=DECLINE) as client:
        await call(client, "delete_message", message_id=ids, purge=purge)
    return desk.asked[-1].message


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("kind", ["SMS", "VoiceMail", "Fax", "Pager"])
@pytest.mark.parametrize("n", [1, 7])
async def test_an_ordinary_question_has_a_dozen_lines(desk: Desk, era: Era, kind: str, n: int, purge: bool) -> None:
    question = await asked_about(desk, era, desk.ids(type=kind, availability="Alive")[:n], purge=purge)
    check(question, ORDINARY_LINES)


async def test_it_shows_the_sender_the_time_the_text_and_that_it_can_be_undone(desk: Desk, era: Era) -> None:
    [maria] = [m for m in desk.emulator.store.messages() if m.get("subject") == "And should I bring anything? 🙂"]
    question = await asked_about(desk, era, [str(maria["id"])])
    created = datetime.fromisoformat(maria["creationTime"]).astimezone(ZoneInfo("America/Los_Angeles"))
    assert question.split("\n")[:-1] == [
        "Delete 1 message?",
        "1 SMS; 1 unread",
        f"{created:%Y-%m-%d %H:%M %Z}",
        "1 from “Maria Costa +15035550134”",
        f"{created:%Y-%m-%d} “And should I bring anythin…”",
        "Note: 1 newer than a day.",
        "They go to Deleted and can be restored.",
    ]


def texts(*created: datetime) -> list[Message]:
    sender = {"phoneNumber": "+15035550199"}
    return [
        Message.model_validate({"id": str(n), "type": "SMS", "creationTime": at.isoformat(), "from": sender})
        for n, at in enumerate(created)
    ]


@pytest.mark.parametrize(
    ("zone", "times"),
    [
        ("America/New_York", ["2026-11-24 03:05 to 2026-11-24 07:00 EST"]),
        ("Asia/Kathmandu", ["2026-11-24 13:50 +0545 to", "2026-11-24 17:45 +0545"]),
        ("UTC", ["2026-11-24 08:05 to 2026-11-24 12:00 UTC"]),
    ],
)
def test_its_times_are_in_the_users_zone_and_fit_on_the_screen(zone: str, times: list[str]) -> None:
    messages = texts(NOW - timedelta(hours=3, minutes=55), NOW)
    lines = preview.question(["Delete 2 messages?"], messages, NO_WARNINGS, [], ZoneInfo(zone)).split("\n")
    assert lines[2 : 2 + len(times)] == times
    assert max(map(len, lines)) <= COLUMNS


def test_both_times_have_their_zone_if_clocks_changed_in_between() -> None:
    messages = texts(datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC))
    lines = preview.question(["Delete 2 messages?"], messages, NO_WARNINGS, [], ZoneInfo("America/New_York")).split(
        "\n"
    )
    assert lines[2:4] == ["2026-11-01 01:30 EDT to", "2026-11-01 01:30 EST"]
    only = preview.question(["Delete 2 messages?"], [messages[0]], NO_WARNINGS, [], ZoneInfo("Europe/Berlin")).split(
        "\n"
    )
    assert only[2] == "2026-11-01 06:30 CET"


def test_a_day_in_it_is_the_users() -> None:
    [message] = texts(datetime(2026, 11, 24, 3, tzinfo=UTC))
    shown = preview.question(["Delete 1 message?"], [message], NO_WARNINGS, [], ZoneInfo("America/Los_Angeles"))
    assert "\n2026-11-23 SMS" in shown


async def test_a_question_that_is_asked_again_in_another_zone_is_the_same_word_for_word(desk: Desk, era: Era) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with desk.client(era, RC_MCP_TIMEZONE="Asia/Kolkata") as client:
        planned = await call(client, "delete_message", message_id=ids)
    found = desk.plans.get(planned["plan_id"])
    assert found is not None
    async with desk.client(era, answer=DECLINE, RC_MCP_TIMEZONE="America/New_York") as client:
        await call(client, "delete_message", message_id=ids, plan_id=planned["plan_id"])
    assert desk.asked[0].message == found[0].message
    assert " IST" in desk.asked[0].message


@pytest.mark.parametrize("purge", [False, True])
async def test_an_answer_says_in_the_users_zone_when_its_plan_expires(desk: Desk, era: Era, purge: bool) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client(era, RC_MCP_TIMEZONE="Asia/Kolkata") as client:
        answer = await call(client, "delete_message", message_id=ids, purge=purge)
    [plan] = desk.plans.waiting()
    assert answer["next"].endswith(f" {plan.expires.astimezone(ZoneInfo('Asia/Kolkata')):%H:%M:%S} IST.")


async def test_the_question_for_a_purge_shows_the_phrase_to_type(desk: Desk, era: Era) -> None:
    question = await asked_about(desk, era, desk.ids(availability="Alive")[:3], purge=True)
    assert question.split("\n")[-3:-1] == [preview.CANNOT_BE_UNDONE, preview.phrase_line("PURGE 3")]


async def test_a_whole_mailbox_is_summed_up(desk: Desk, era: Era) -> None:
    question = await asked_about(desk, era, desk.ids(availability="Alive"))
    check(question)
    assert re.search(r"^and \d+ others$", question, re.MULTILINE)


async def test_a_conversation_says_how_many(desk: Desk, era: Era) -> None:
    conversation = next(m["conversation"]["id"] for m in desk.emulator.store.messages() if "conversation" in m)
    async with desk.client(era, answer=DECLINE) as client:
        await call(client, "delete_message_by_filter", conversation_id=[conversation], purge=True)
    check(desk.asked[0].message, ORDINARY_LINES + 1)
    assert "\nIn 1 conversation.\n" in desk.asked[0].message


async def test_the_retention_periods_question_fits_too(desk: Desk, era: Era) -> None:
    async with desk.client(era, answer=DECLINE) as client:
        await call(client, "update_message_store_configuration", retention_period=7)
        await call(client, "update_message_store_configuration", retention_period=90)
    for question in desk.asked:
        assert max(map(len, question.message.split("\n"))) <= COLUMNS
        assert len(question.message.split("\n")) <= ORDINARY_LINES


def drafts_of(messages: list[Message]) -> Iterator[str]:
    for purge in (False, True):
        yield deletion_draft(messages, {}, NO_POLICY, purge=purge, now=NOW, zone=UTC).question


@pytest.fixture(scope="module")
def hostile() -> list[Message]:
    """Return the messages of a mailbox with only hostile senders."""
    with Emulator(rate_limits=False, scenario="hostile") as emulator:
        return [Message.model_validate(m) for m in emulator.store.messages()]


def test_the_question_fits_and_has_only_our_lines_with_hostile_senders(hostile: list[Message]) -> None:
    assert len(hostile) > 50
    for message in hostile:
        for question in drafts_of([message]):
            check(question)
    for question in drafts_of(hostile):
        check(question)


@pytest.mark.parametrize("words", IMITATIONS)
@pytest.mark.parametrize("kind", ["SMS", "Pager", "Fax", "VoiceMail"])
async def test_a_sender_cannot_imitate_a_line_of_the_question(desk: Desk, kind: Any, words: str) -> None:
    sender = Party(name=words, phone_number="+15035550199" + words, extension_number="102" if kind == "Pager" else None)
    ids = [
        str(desk.emulator.store.add(Draft(type=kind, sender=sender, text=words, cover_text=words))["id"]) for _ in "abc"
    ]
    question = await asked_about(desk, "auto", ids, purge=True)
    check(question)
    *above, undone, type_, plan = question.split("\n")
    assert (undone, type_) == (preview.CANNOT_BE_UNDONE, preview.phrase_line("PURGE 3"))
    assert re.fullmatch(r"Plan [a-z0-9]{4}-[a-z0-9]{4}", plan)
    assert not [line for line in above if re.match("This|They|To approve|Plan|Nothing", unquoted(line))]


anything = st.text(max_size=60)


@settings(deadline=None)
@given(
    name=anything,
    number=anything,
    place=anything,
    words=anything,
    outbound=st.booleans(),
    more=st.integers(0, 20),
    created=st.sampled_from(["2026-01-01T00:00:00Z", "1999-12-31T23:59:59+14:00", None]),
)
def test_no_name_number_place_or_text_breaks_out(
    name: str, number: str, place: str, words: str, outbound: bool, more: int, created: str | None
) -> None:
    party = {"name": name, "phoneNumber": number, "location": place}
    record = {
        "id": 1,
        "type": "SMS",
        "direction": "Outbound" if outbound else "Inbound",
        "readStatus": "Unread",
        "availability": "Alive",
        "creationTime": created,
        "subject": words,
        "from": party,
        "to": [party] * (more % 5),
    }
    for question in drafts_of([Message.model_validate(record)] * max(1, more)):
        check(question)


def test_warnings_count_the_messages_that_need_attention() -> None:
    fresh = {"id": 1, "readStatus": "Unread", "direction": "Inbound", "creationTime": NOW.isoformat()}
    records = [{**fresh, "type": "VoiceMail"}, {**fresh, "type": "Fax"}, {**fresh, "type": "SMS"}]
    known = {"id": 2, "type": "SMS", "from": {"phoneNumber": "+15035550134"}}
    messages = [Message.model_validate(r) for r in (*records, known)]
    protecting = Policy.model_validate({"protected": {"numbers": ["+15035550134"]}})
    draft = deletion_draft(messages, {}, protecting, purge=False, now=NOW, zone=UTC)
    expected = {"unheard": 1, "unread": 2, "recent": 3, "unsure": 3, "protected": 1}
    words = {kind: preview.WARNINGS[kind][0].format("" if n == 1 else "s") for kind, n in expected.items()}
    assert draft.preview.warnings == [f"{n} {words[kind]}" for kind, n in expected.items()]
    assert draft.left_out == {"2": "skipped"}
    check(draft.question)
