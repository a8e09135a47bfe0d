"""After any changes the index has exactly what it would have if it were made again."""

# ruff: noqa: S311

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.mirror.database import FILE
from rc_mcp.mirror.folding import TAG
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import Message
from tests.mirror.conftest import MAILBOX
from tests.mirror.messages import fax, text_message, voicemail

WORDS = ["apples", "pears", "東京", "café", "plums", "straße"]


def change(mirror: Mirror, chance: random.Random) -> None:
    """Make a change of any kind."""
    n = chance.randrange(1, 60)
    sender = {"name": chance.choice(["Ann", "Bo", "佐藤"]), "phoneNumber": f"+1503555{chance.randrange(20):04d}"}
    fields: dict[str, Any] = {"sender": sender, "availability": chance.choice(["Alive", "Alive", "Deleted", "Purged"])}
    text = " ".join(chance.choices(WORDS, k=3))
    minutes = n if chance.random() < 0.8 else chance.randrange(5)
    match chance.randrange(6):
        case 0 | 1:
            mirror.put(MAILBOX, [text_message(n, text, minutes=minutes, **fields)])
        case 2:
            several = [voicemail, fax]
            mirror.put(MAILBOX, [chance.choice(several)(n + k, minutes=minutes, **fields) for k in range(3)])
        case 3:
            attachment = f"{n}{chance.choice('12')}"
            shared = chance.choice(["", "one", "two"])
            mirror.put_text(MAILBOX, str(n), attachment, chance.choice([text, None]), content_hash=shared)
        case 4:
            mirror.erase(MAILBOX, [str(n), str(n + 1)])
        case _:
            mirror.put(MAILBOX, [Message({"id": str(n), "availability": chance.choice(["Deleted", "Purged"])})])


def index(file: Path) -> tuple[list[tuple[Any, ...]], ...]:
    """Return the words of each message without those for its parties, and its parties."""
    db = sqlite3.connect(file)
    db.execute("CREATE VIRTUAL TABLE temp.instances USING fts5vocab(main, words, 'instance')")
    words = [
        row
        for row in db.execute('SELECT doc, "offset", term FROM temp.instances ORDER BY 1, 2')
        if not (row[2].startswith(TAG) and row[2][-1].isdigit())
    ]
    parties = db.execute(
        "SELECT c.number, c.role, p.name, p.phone, p.folded, p.digits FROM party p LEFT JOIN participant c "
        "ON c.party = p.number ORDER BY 1, 2, 3, 4"
    ).fetchall()
    texts = db.execute("SELECT hash FROM content ORDER BY 1").fetchall()
    used = db.execute("SELECT DISTINCT hash FROM attachment WHERE hash IS NOT NULL ORDER BY 1").fetchall()
    counts = db.execute(
        "SELECT messages - (SELECT count(*) FROM message), "
        "missing - (SELECT count(*) FROM attachment WHERE state = 'missing') FROM mailbox"
    ).fetchall()
    in_line = db.execute("SELECT number FROM message ORDER BY created_ms, id").fetchall()
    db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    db.close()
    assert texts == used
    assert counts == [(0, 0)]
    assert in_line == sorted(in_line)
    return words, parties


@pytest.mark.parametrize("seed", range(8))
def test_the_index_is_as_if_it_were_made_again(mirror: Mirror, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        with mirror.at_once():
            for _ in range(chance.choice([1, 1, 2, 5, 20])):
                change(mirror, chance)
    before = index(tmp_path / FILE)
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("UPDATE setting SET value = 'another version' WHERE name = 'index'")
    db.commit()
    db.close()
    Mirror(tmp_path).close()
    after = index(tmp_path / FILE)
    assert len(before[0]) > 100
    assert before == after
