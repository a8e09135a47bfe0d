"""Mailboxes to search: those of the emulator, and generated messages in many scripts."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.scenarios.scenarios import Scenario
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import Message
from tests.mirror.oracle import Entry

NOW = datetime(2026, 11, 26, 17, tzinfo=UTC)
_FIRST = ["Zoë", "Łukasz", "José", "Anaïs", "Søren", "Иван", "山田太郎", "김철수", "สมชาย", "Ann", "Maria", "Mary-Jane"]
_LAST = ["O'Brien", "Núñez", "Ångström", "Петров", "佐藤", "박", "Costa", "Costello", "Müller", "Strauß"]
_TEXTS = [
    "Please call me back about the référence number {n}.",
    "Die Straße ist gesperrt, wir kommen später. Grüße {n}",
    "予約を変更したいのですが、{n}日の午後は空いていますか。",
    "东京都的发票已经寄出,请查收。编号{n}",
    "예약을 {n}일로 바꾸고 싶습니다. 감사합니다",
    "ขอเลื่อนนัดหมายเป็นวันที่ {n} ได้ไหม",
    "Я приду в {n} часов, ёлка уже стоит",
    "re\u00adferral {n} is READY — see https://example.com/a?b={n} 👍🏽",
    "ﬁnal invoice №{n}, total €{n}50 at 10:30",
    "कृपया मुझे {n} बजे फ़ोन करें",
    'NOT "quoted" AND OR NEAR(a b, {n}) * ^x {{}} text: -y',
]


def emulated(scenario: Scenario) -> tuple[list[Entry], datetime]:
    """Return a mailbox of the emulator with all texts that it has."""
    with Emulator(rate_limits=False, scenario=scenario, now=lambda: NOW) as emulator:
        store = emulator.store
        entries = [Entry(record) for record in store.messages()]
        for entry in entries:
            for attachment in entry.record.get("attachments", []):
                if attachment["type"] == "AudioTranscription":
                    content = store.content(entry.id, attachment["id"])
                    assert content is not None
                    entry.contents.append(content.decode())
        return entries, NOW


def generated(count: int, seed: int = 1) -> tuple[list[Entry], datetime]:
    """Return messages with names, texts and numbers of many scripts and forms; several of the same millisecond."""
    chance = random.Random(seed)  # noqa: S311
    people = [(f"{chance.choice(_FIRST)} {chance.choice(_LAST)}", f"+1212555{n:04d}") for n in range(120)]
    return [Entry(_record(chance, n, people)) for n in range(count)], NOW


def _record(chance: random.Random, n: int, people: Sequence[tuple[str, str]]) -> dict[str, Any]:
    name, number = chance.choice(people)
    other = {"name": name, "phoneNumber": number}
    if chance.random() < 0.2:
        del other["name"]
    me = {"phoneNumber": "+12125559999", "name": "Front Desk", "extensionNumber": "101"}
    inbound = chance.random() < 0.6
    created = NOW - timedelta(seconds=chance.randrange(40) * 86_400 // 2)
    return {
        "id": 5_000_000 + n,
        "type": chance.choice(["SMS", "SMS", "Pager"]),
        "direction": "Inbound" if inbound else "Outbound",
        "from": other if inbound else me,
        "to": [me] if inbound else [other],
        "creationTime": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "readStatus": chance.choice(["Read", "Unread"]),
        "availability": "Deleted" if chance.random() < 0.05 else "Alive",
        "subject": " ".join(chance.sample(_TEXTS, chance.choice([1, 2]))).format(n=chance.randrange(200)),
        "attachments": [],
    }


def filled(folder: Path, entries: Sequence[Entry], *, page: int = 250) -> tuple[Mirror, int]:
    """Return a copy with these messages, put as a feed would: pages from the newest to the oldest, then texts."""
    mirror = Mirror(folder)
    mailbox = mirror.mailbox("~", "~")
    newest_first = sorted(entries, key=lambda e: (e.created, int(e.id)), reverse=True)
    for at in range(0, len(newest_first), page):
        mirror.put(mailbox, [Message(e.record) for e in newest_first[at : at + page]])
    for entry in entries:
        transcripts = [a for a in entry.record.get("attachments", []) if a.get("type") == "AudioTranscription"]
        for attachment, text in zip(transcripts, entry.contents, strict=True):
            assert mirror.put_text(mailbox, entry.id, str(attachment["id"]), text)
    return mirror, mailbox
