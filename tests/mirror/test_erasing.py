"""No byte of an erased message stays in any file of the state folder."""

# ruff: noqa: S311  the words are only to be told apart

import random
import sqlite3
import string
from contextlib import closing
from pathlib import Path

import pytest

from rc_mcp.mirror.database import FILE, erase_everything
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import Message
from tests.mirror.conftest import MAILBOX, Ids
from tests.mirror.messages import fax, text_message, voicemail

_TAIL = 7
"""The index shortens words that begin like the word before; the end of a random word stays together."""


def canary(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=14))


def traces(folder: Path, canaries: list[str]) -> list[str]:
    """Return those that are in a file, in small or capital letters."""
    everything = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file()).lower()
    return [word for word in canaries if word[-_TAIL:].encode() in everything]


def fill(mirror: Mirror, chance: random.Random, count: int) -> dict[str, list[str]]:
    """Put messages, each with words of its own in its text, name, attachment and the name of a file."""
    said: dict[str, list[str]] = {}
    for n in range(1, count + 1):
        subject, name, content, file = (canary(chance) for _ in range(4))
        caller = {"name": f"{name} Costa", "phoneNumber": f"+1503555{n:04d}"}
        text = f"{subject} " + "filler words " * chance.randrange(60)
        kind = chance.choice([fax, voicemail])
        message = kind(n, minutes=n, coverPageText=text, sender=caller)
        message.sent["attachments"][0]["fileName"] = file  # type: ignore[index]
        mirror.put(MAILBOX, [message])
        mirror.put_text(MAILBOX, str(n), f"{n}1" if kind is fax else f"{n}2", f"{content} " + "more " * 300)
        said[str(n)] = [subject, name, content, file]
    return said


@pytest.mark.parametrize("seed", range(4))
def test_after_a_purge_no_byte_of_the_message_is_on_the_disk(mirror: Mirror, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    said = fill(mirror, chance, 150)
    purged = chance.sample(sorted(said), 50)
    assert len(traces(tmp_path, [word for words in said.values() for word in words])) == 600
    for at in range(0, 50, 5):
        mirror.put(MAILBOX, [Message({"id": i, "availability": "Purged"}) for i in purged[at : at + 5]])
    assert traces(tmp_path, [word for i in purged for word in said[i]]) == []
    kept = [word for i in said if i not in purged for word in said[i]]
    assert len(traces(tmp_path, kept)) == 400


def test_after_a_change_and_a_purge_no_byte_of_the_earlier_text_is_on_the_disk(mirror: Mirror, tmp_path: Path) -> None:
    chance = random.Random(9)
    words = [canary(chance) for _ in range(6)]
    mirror.put(MAILBOX, [text_message(n, "other words", minutes=n) for n in range(2, 300)])
    for word in words:
        mirror.put(MAILBOX, [text_message(1, word, sender={"name": word})])
    mirror.erase(MAILBOX, ["1"])
    assert traces(tmp_path, words) == []


def test_forget_leaves_no_byte_and_the_copy_can_be_filled_again(mirror: Mirror, tmp_path: Path) -> None:
    said = fill(mirror, random.Random(5), 60)
    mirror.put(MAILBOX, [], {"sync_token": "tokentokenxyzzy"})
    assert mirror.forget()
    assert traces(tmp_path, [*(word for words in said.values() for word in words), "tokentokenxyzzy"]) == []
    mailbox = mirror.mailbox("~", "~")
    assert mirror.status(mailbox).messages == 0
    fill(mirror, random.Random(6), 3)
    assert mirror.status(mailbox).messages == 3


def test_a_forget_that_is_killed_halfway_leaves_other_servers_a_copy_that_they_can_search(
    mirror: Mirror, tmp_path: Path, ids: Ids
) -> None:
    fill(mirror, random.Random(5), 5)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        erase_everything(other)
    assert ids("in:anywhere") == []


def test_forget_reports_a_reader_and_the_log_is_emptied_afterwards(mirror: Mirror, tmp_path: Path) -> None:
    said = fill(mirror, random.Random(5), 5)
    words = [word for some in said.values() for word in some]
    with Mirror(tmp_path) as other:
        with other.reading() as db:
            db.execute("SELECT count(*) FROM message").fetchone()
            mirror._db.execute("PRAGMA busy_timeout = 1")  # pyright: ignore[reportPrivateUsage]
            assert not mirror.forget()
        mirror.mailbox("~", "other")  # the next change
        assert traces(tmp_path, words) == []


def test_a_damaged_copy_that_was_set_aside_goes_with_the_next_erasure(tmp_path: Path) -> None:
    with Mirror(tmp_path) as mirror:
        mirror.mailbox("~", "~")
        fill(mirror, random.Random(5), 5)
    file = tmp_path / "mirror.db"
    file.write_bytes(b"damaged" + file.read_bytes())
    with Mirror(tmp_path) as mirror:
        assert mirror.was_damaged
        assert mirror.status(mirror.mailbox("~", "~")).set_aside == 1
        mirror.put(MAILBOX, [text_message(1, "x")])
        mirror.erase(MAILBOX, ["1"])
        assert mirror.status(MAILBOX).set_aside == 0
