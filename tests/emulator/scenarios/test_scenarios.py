"""The mailboxes to start with: the documented properties of each, which are the same at every start."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.emulator import Draft, Emulator
from rc_mcp.emulator.mailbox.lifecycle import pass_time
from rc_mcp.emulator.scenarios.hostile import spell_out
from rc_mcp.emulator.scenarios.scenarios import SCENARIOS, Scenario
from tests.emulator.conftest import mailbox_of

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
Record = dict[str, Any]


@cache
def records(scenario: Scenario, seed: int = 1) -> list[Record]:
    with Emulator(scenario=scenario, seed=seed, now=lambda: NOON) as emulator:
        return emulator.store.messages()


def age(record: Record) -> timedelta:
    return NOON - datetime.fromisoformat(record["creationTime"])


def strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():  # pyright: ignore[reportUnknownVariableType]
                yield from strings(item)  # pyright: ignore[reportUnknownArgumentType]
        case list():
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                yield from strings(item)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            pass


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_is_the_same_at_each_start_and_nothing_in_it_has_expired(scenario: Scenario) -> None:
    with Emulator(scenario=scenario, now=lambda: NOON) as emulator:
        assert emulator.scenario == scenario
        pass_time(emulator.store)
        assert emulator.store.messages() == records(scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_generated_messages_come_in_addition(scenario: Scenario) -> None:
    with Emulator(scenario=scenario, messages=20, now=lambda: NOON) as emulator:
        assert len(emulator.store.messages()) == len(records(scenario)) + 20


def test_a_busy_mailbox_covers_three_months_of_busy_and_quiet_days() -> None:
    busy = records("busy")
    assert len(busy) == 5_000
    assert {record["type"] for record in busy} == {"SMS", "VoiceMail", "Fax", "Pager"}
    assert timedelta(days=85) < max(age(record) for record in busy) < timedelta(days=90)
    by_day = Counter(age(record).days for record in busy)
    assert len(by_day) == 89
    assert sum(1 for count in by_day.values() if count < 30) > 15
    assert sum(1 for count in by_day.values() if count > 50) > 50
    assert records("busy", seed=2) != busy


def test_most_unread_messages_in_a_busy_mailbox_are_new() -> None:
    unread = [record for record in records("busy") if record["readStatus"] == "Unread"]
    new = sum(1 for record in unread if age(record) < timedelta(days=5))
    assert 100 < len(unread) < 400
    assert new > len(unread) / 2


def test_a_full_mailbox_has_200_unread_voicemails() -> None:
    full = records("full")
    assert len(full) == 200
    assert {(record["type"], record["direction"], record["readStatus"]) for record in full} == {
        ("VoiceMail", "Inbound", "Unread")
    }


def test_one_voicemail_more_pushes_the_oldest_out_of_a_full_mailbox() -> None:
    with Emulator(scenario="full", now=lambda: NOON) as emulator:
        oldest = emulator.store.messages()[-1]["id"]
        emulator.store.add(Draft(type="VoiceMail"))
        deleted = [record["id"] for record in emulator.store.messages() if record["availability"] == "Deleted"]
        assert deleted == [oldest]


def test_a_hostile_mailbox_attacks_through_every_type_and_every_text() -> None:
    hostile = records("hostile")
    assert 60 <= len(hostile) <= 80
    assert {record["type"] for record in hostile} == {"SMS", "VoiceMail", "Fax", "Pager"}
    assert {"Alive", "Deleted"} == {record["availability"] for record in hostile}
    assert sum(1 for record in hostile if age(record) < timedelta(hours=24)) > 50
    for find in (r"Plan [\w-]{9} approved", "status: done", "Nothing was deleted", "<script>", "Ignore all previous"):
        assert any(re.search(find, text) for record in hostile for text in strings(record)), find


@pytest.mark.parametrize(
    "attack",
    ["\x1b[2J", "\x1b]8;;", "\x1b]52;", "\x07", "\x08", "\x00", "\u202e", "\u200b", "\u2028", "\ud800",
     "\U000e0049", "\u0337\u0353", "../../", "C:\\", "| --- |", "```", "]]>", "DROP TABLE", "${jndi:", "x" * 1000],
)  # fmt: skip
def test_a_hostile_mailbox_has_every_kind_of_character(attack: str) -> None:
    assert any(attack in text for record in records("hostile") for text in strings(record))


def test_hostile_attachments_have_dangerous_file_names() -> None:
    named = [part["fileName"] for record in records("hostile") for part in record["attachments"] if "fileName" in part]
    assert {"..", "CON", "", "parcel.jpg\0.exe"} <= set(named)
    assert max(len(name) for name in named) > 1_000


def test_hostile_phone_numbers_are_reserved_for_fiction() -> None:
    text = (Path(__file__).parents[3] / "rc_mcp/emulator/scenarios/hostile.toml").read_text("utf-8")
    numbers = re.findall(r"\+1[\d ]{10,}", text)
    assert numbers
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", number.replace(" ", "")) for number in numbers)


async def test_every_hostile_message_and_attachment_can_be_fetched() -> None:
    with Emulator(scenario="hostile", rate_limits=False, now=lambda: NOON) as emulator:
        async with mailbox_of(emulator) as mailbox:
            answer = await mailbox.get("message-store?dateFrom=2026&availability=Alive&availability=Deleted")
            assert re.search(rb"\\ud[89a-f]", answer.content)  # half an emoji, which UTF-8 cannot hold
            assert len(answer.json()["records"]) == len(records("hostile"))
            parts = [(each["id"], part) for each in answer.json()["records"] for part in each["attachments"]]
            for message_id, part in parts:
                content = await mailbox.get(part["uri"])
                assert (content.status_code, content.content) == (200, emulator.store.content(message_id, part["id"]))
                assert all(" " <= char <= "~" for char in content.headers["content-disposition"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a {{U+D800}} b", "a \ud800 b"),
        ("{{3 * ab }}!", "ab ab ab !"),
        ("{{2 * {}}", "{{"),
        ("{{tags Hi}}", "\U000e0048\U000e0069"),
        ("{{U+007B}}{{U+007B}}7*7}}", "{{7*7}}"),
        ("{{nothing}}", "{{nothing}}"),
    ],
)
def test_escapes_for_characters_that_toml_cannot_hold_are_expanded(written: str, meant: str) -> None:
    assert spell_out(written) == meant


def test_a_text_that_cannot_be_encoded_is_still_json() -> None:
    broken = [record for record in records("hostile") if any(_lone(text) for text in strings(record))]
    assert len(broken) >= 5
    assert json.loads(json.dumps(broken)) == broken


def _lone(text: str) -> bool:
    return any(unicodedata.category(char) == "Cs" for char in text)
