"""Tests of digests: counts of all messages that a search matches, by day and by person."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.mirror.search import MOST_COUNTED
from rc_mcp.ringcentral import Message
from rc_mcp.tools import SEARCH
from rc_mcp.views.digest import MOST_PERSONS, digest
from rc_mcp.views.summary import is_unread
from tests.desk import Clock, Desk, Era, Faults, call, refused
from tests.mirror.messages import START, fax, text_message
from tests.searching import searching
from tests.tokens import tokens
from tests.views.hostile_texts import TEXTS
from tests.views.test_hostile_texts import MARK, marked, trusted

pytestmark = pytest.mark.anyio

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
NOW = START + timedelta(days=400)
A_YEAR_IN_TOKENS = 5_000


async def test_a_digest_counts_what_the_search_finds(desk: Desk, era: Era) -> None:
    for query in ("newer_than:30d", "type:voicemail newer_than:30d", "is:unread", "from:maria", "is:deleted"):
        async with searching(desk, era) as (client, _):
            before = len(desk.emulator.requests)
            answer = await call(client, SEARCH, query=query, digest=True)
            rows = await call(client, SEARCH, query=query, limit=50)
            assert len(desk.emulator.requests) == before
        assert "messages" not in answer
        assert "by_day" not in rows
        assert answer["total"] == rows["total"] > 0
        assert sum(n for day in answer["by_day"].values() for n in day.values()) == answer["total"]
        assert answer["coverage"] == rows["coverage"]
    assert rows["messages"]


async def test_days_are_the_user_s_and_the_newest_comes_first(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        answer = await call(client, SEARCH, query="newer_than:30d", digest=True)
    expected: dict[str, Counter[str]] = {}
    since = desk.clock.time - timedelta(days=30)
    for message in desk.emulator.store.messages():
        at = datetime.fromisoformat(message["creationTime"])
        if message["availability"] == "Alive" and at >= since:
            expected.setdefault(f"{at.astimezone(LOS_ANGELES):%m-%d}", Counter())[message["type"]] += 1
    assert answer["by_day"] == expected
    assert [*answer["by_day"]] == [*expected]


async def test_more_than_a_thousand_matches_are_all_counted(tmp_path: Path) -> None:
    clock = Clock()
    with Emulator(rate_limits=False, now=clock, messages=1_500) as emulator:
        desk = Desk(emulator, tmp_path, clock, Faults(emulator))
        async with searching(desk) as (client, _):
            answer = await call(client, SEARCH, query="newer_than:999d", digest=True)
        there = sum(m["availability"] == "Alive" for m in emulator.store.messages())
    assert answer["total"] == there > MOST_COUNTED
    assert "total_is_at_least" not in answer
    assert len(answer["by_person"]) <= MOST_PERSONS
    assert tokens(answer) < A_YEAR_IN_TOKENS


async def test_a_digest_has_no_pages(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        assert "cursor" in await refused(client, SEARCH, query="referral", digest=True, cursor="x")
        assert "fron" in await refused(client, SEARCH, query="fron:maria", digest=True)


async def test_a_digest_of_nothing_says_so(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        answer = await call(client, SEARCH, query="xylophone", digest="true")
    assert (answer["total"], answer["by_day"], answer["by_person"]) == (0, {}, [])
    assert answer["next"]


async def test_spellings_of_one_number_are_one_person() -> None:
    numbers = ["+16505550118", "(650) 555-0118", "16505550118", "+1 650 555 0118"]
    messages = [text_message(n, "hi", minutes=-n, sender={"phoneNumber": number}) for n, number in enumerate(numbers)]
    sent: dict[str, Any] = {
        "direction": "Outbound",
        "from": {"phoneNumber": "+15035550110"},
        "to": [{"phoneNumber": "650-555-0118"}],
    }
    found = digest([*messages, text_message(9, "hi", minutes=-9, **sent)], NOW, LOS_ANGELES)
    assert [(person.messages, person.unread) for person in found.by_person] == [(5, 4)]
    assert found.persons == 1


async def test_the_partition_is_that_of_summaries_for_any_messages() -> None:
    from rc_mcp.views.partners import by_partner

    chance = random.Random(5)  # noqa: S311
    callers = [
        {"phoneNumber": "+16505550118", "name": "Ada"},
        {"phoneNumber": "6505550118"},
        {"phoneNumber": "+442071838750", "name": "Bo"},
        {"phoneNumber": "anonymous"},
        {"extensionNumber": "101", "name": "Cy"},
        {"name": "Dee"},
        {},
    ]
    for _ in range(60):
        messages = list[Message]()
        for n in range(chance.randrange(1, 40)):
            given: dict[str, Any] = {"to": chance.choices(callers, k=chance.randrange(1, 3))}
            given |= chance.choice([{}, {"direction": "Outbound"}])
            given |= chance.choice([{}, {"conversation": {"id": str(chance.randrange(3))}}])
            kind = chance.choice(["SMS", "Fax", "VoiceMail"])
            messages.append(text_message(n, "hi", minutes=-n, sender=chance.choice(callers), type=kind, **given))
        theirs = sorted(((len(group), sum(map(is_unread, group))) for group in by_partner(messages)), reverse=True)
        found = digest(messages, NOW, LOS_ANGELES)
        assert found.persons == len(theirs)
        shown = [(person.messages, person.unread or 0) for person in found.by_person]
        assert [n for n, _ in shown] == [n for n, _ in theirs][:MOST_PERSONS]
        assert sum(n for _, n in shown) == sum(n for _, n in theirs) or found.persons > MOST_PERSONS


async def test_a_message_without_a_time_is_counted_and_days_of_other_years_have_their_year() -> None:
    messages = [text_message(1, "hi"), text_message(2, "hi", creationTime="soon"), fax(3)]
    found = digest(messages, NOW, LOS_ANGELES)
    assert found.by_day == {f"{START:%Y-%m-%d}": {"SMS": 1, "Fax": 1}, "unknown": {"SMS": 1}}
    assert found.messages == 3


async def test_hostile_names_stay_in_their_fields(tmp_path: Path) -> None:
    clock = Clock()
    with Emulator(rate_limits=False, scenario="empty", now=clock) as emulator:
        for n in range(len(TEXTS)):
            sender = Party(phone_number=f"+1650555{n:04d}", name=marked(n)[:60])
            emulator.store.add(Draft(type="SMS", sender=sender, text="x"))
        async with searching(Desk(emulator, tmp_path, clock, Faults(emulator))) as (client, _):
            answer = await call(client, SEARCH, query="type:sms", digest=True)
    assert not [text for text in trusted(answer) if MARK.search(text)]
    assert [person for person in answer["by_person"] if MARK.search(person["untrusted_who"])]
    assert str(len(TEXTS) - MOST_PERSONS) in answer["next"]


async def test_a_long_year_is_cut_to_the_newest_days_and_says_so(tmp_path: Path) -> None:
    clock = Clock()
    kinds = ("SMS", "Fax", "VoiceMail", "Pager")
    with Emulator(rate_limits=False, scenario="empty", now=clock) as emulator:
        emulator.store.add_all(
            Draft(
                type=kind,
                created=clock.time - timedelta(days=day, minutes=1),
                text="" if kind in {"Fax", "VoiceMail"} else "x",
                sender=Party(phone_number=f"+1650555{day:04d}", name=f"Patient Number {day}"),
            )
            for day in range(365)
            for kind in kinds
            if day < 25 or kind in {"SMS", "Pager"}
        )
        there = [m for m in emulator.store.messages() if m["availability"] == "Alive"]
        async with searching(Desk(emulator, tmp_path, clock, Faults(emulator))) as (client, _):
            answer = await call(client, SEARCH, query="newer_than:999d", digest=True)
    days = {datetime.fromisoformat(m["creationTime"]).astimezone(LOS_ANGELES).date() for m in there}
    assert answer["total"] == len(there)
    assert 150 < len(answer["by_day"]) < len(days)
    assert next(iter(answer["by_day"])) == f"{(clock.time - timedelta(minutes=1)).astimezone(LOS_ANGELES):%m-%d}"
    assert str(len(days) - len(answer["by_day"])) in answer["next"]
    assert tokens(answer) < A_YEAR_IN_TOKENS


def test_days_of_two_years_with_the_same_date_are_counted_apart() -> None:
    now = datetime(2027, 1, 10, 12, tzinfo=UTC)
    times = ("2027-11-30T09:00:00Z", "2026-11-30T09:00:00Z", "2026-11-30T08:00:00Z")
    messages = [Message({"id": n, "type": "SMS", "creationTime": time}) for n, time in enumerate(times)]
    made = digest(messages, now, UTC)
    assert list(made.by_day) == ["11-30", "2026-11-30"]
    assert [sum(kinds.values()) for kinds in made.by_day.values()] == [1, 2]
