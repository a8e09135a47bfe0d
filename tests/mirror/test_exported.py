"""Tests of what an export reads from the copy."""

import tracemalloc
from pathlib import Path

import pytest

from rc_mcp.mirror.exported import ExportedText, exported
from rc_mcp.mirror.following import is_fed, only_feed
from rc_mcp.mirror.mirror import Mirror
from tests.mirror.conftest import MAILBOX
from tests.mirror.messages import text_message, voicemail


def test_all_messages_are_exported_oldest_first_with_the_state_of_each_text(mirror: Mirror) -> None:
    records = [
        text_message(3, "new", minutes=3),
        voicemail(2, minutes=2),
        text_message(1, "old", availability="Deleted"),
    ]
    mirror.put(MAILBOX, records, {"kept": '["1"]'})
    other = mirror.mailbox("1", "2")
    mirror.put(other, [text_message(9, "in another mailbox")])
    before = list(exported(mirror, MAILBOX))
    assert [found.message.sent for found in before] == [record.sent for record in reversed(records)]
    assert [found.is_kept for found in before] == [True, False, False]
    assert before[1].texts == [ExportedText("22", "missing", None, None)]
    mirror.put_text(MAILBOX, "2", "22", "hello")
    assert list(exported(mirror, MAILBOX))[1].texts == [ExportedText("22", "text", "ringcentral", "hello")]
    assert [found.message.id for found in exported(mirror, other)] == ["9"]


def test_an_export_is_of_one_moment_and_takes_little_memory(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put(MAILBOX, [text_message(n, "word " * 1000, minutes=n) for n in range(600)])
    reading = exported(mirror, MAILBOX)
    ids = [next(reading).message.id]
    with Mirror(tmp_path) as other:
        other.put(MAILBOX, [text_message(9999, "later", minutes=9999)])
        other.erase(MAILBOX, ["500"])
    tracemalloc.start()
    ids += [found.message.id for found in reading]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ids == [str(n) for n in range(600)]
    assert most < 1_000_000


@pytest.mark.anyio
async def test_a_feed_is_seen_by_others_while_it_runs_and_looking_creates_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert not is_fed(folder)
    assert not folder.exists()
    async with only_feed(folder) as is_ours:
        assert is_ours
        assert is_fed(folder)
    assert not is_fed(folder)
