"""The journal has a row for every step of a destructive request, on disk before it leaves, and no row can change."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state import database
from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import DEMO, Channel, Counted, Event, Journal, Unanswered
from rc_mcp.guard.state.store import MonotonicClock
from rc_mcp.locks import HeldLock, wait_for_lock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def a_journal(folder: Path, now: datetime = NOON) -> Journal:
    return Journal(Folder(folder), lambda: now, MonotonicClock("here", now.timestamp))


def write(journal: Journal, operation: str = "aaaa-bbbb", by: Channel = "client", principal: str = "me") -> None:
    """Journal two deleted messages, one failed, one unknown and two pending."""
    steps: tuple[tuple[Event, dict[str, object]], ...] = (
        ("asked", {"action": "delete", "ids": ["1", "2", "3", "4", "5", "6"]}),
        ("approved", {"by": by}),
        ("begun", {"account_id": "~", "extension_id": "~"}),
        ("sending", {"ids": ["1", "2", "3", "4"], "to": "Deleted"}),
        ("sent", {"outcomes": {"1": "deleted", "2": "deleted", "3": "failed", "4": "unknown"}}),
        ("sending", {"ids": ["5", "6"], "to": "Deleted"}),
    )
    for event, details in steps:
        journal.append(event, operation=operation, principal=principal, tool="delete_message", details=details)


def tamper(folder: Path, *statements: str) -> None:
    """Change the file like a user who owns it."""
    with sqlite3.connect(folder / FILE) as db:
        db.execute("DROP TRIGGER entry_stays")
        db.execute("DROP TRIGGER entry_is_not_removed")
        for statement in statements:
            db.execute(statement)
    db.close()


def test_unknown_and_pending_messages_count_as_touched(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    write(journal)
    assert journal.touched_within(HOUR, "me") == Counted(deleted=5)
    assert journal.touched_within(HOUR, "me", by="client") == Counted(deleted=5)
    assert journal.touched_within(HOUR, "me", by="policy") == Counted()
    assert journal.touched_within(timedelta(), "me") == Counted()


def test_a_renewed_credential_does_not_renew_a_cap(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    write(journal)
    assert journal.touched_within(HOUR, "me with another token") == Counted(deleted=5)


def test_a_demo_and_a_real_mailbox_do_not_use_up_each_others_caps(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    write(journal, "aaaa-bbbb", principal=f"{DEMO}1")
    assert journal.touched_within(HOUR, f"{DEMO}1") == Counted(deleted=5)
    assert journal.touched_within(HOUR, f"{DEMO}2") == Counted()
    assert journal.touched_within(HOUR, "me") == Counted()


def test_operations_are_found_by_the_time_of_their_entries(tmp_path: Path) -> None:
    write(a_journal(tmp_path), "aaaa-bbbb")
    write(a_journal(tmp_path, NOON + timedelta(hours=1)), "cccc-dddd")
    journal = a_journal(tmp_path)
    assert [operation.id for operation in journal.operations()] == ["aaaa-bbbb", "cccc-dddd"]
    assert [operation.id for operation in journal.operations(NOON + timedelta(minutes=1))] == ["cccc-dddd"]


def test_purges_are_counted_separately(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    details = {"ids": ["1", "2"], "to": "Purged"}
    journal.append("sending", operation="aaaa-bbbb", principal="me", tool="delete_message", details=details)
    assert journal.touched_within(timedelta(days=1), "me") == Counted(purged=2)


def test_only_ids_without_an_outcome_are_in_doubt(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    write(journal)
    assert journal.unanswered(MINUTE).deletes == {"5", "6"}
    assert a_journal(tmp_path, NOON + MINUTE).unanswered(MINUTE) == Unanswered()
    assert [operation.id for operation in journal.unfinished("me")] == ["aaaa-bbbb"]
    done: dict[str, object] = {"status": "partial", "outcomes": {}}
    journal.append("done", operation="aaaa-bbbb", principal="me", tool="delete_message", details=done)
    assert journal.unanswered(MINUTE) == Unanswered()
    assert journal.unfinished("me") == []


def test_a_row_has_its_time(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    write(journal)
    assert {entry.moment for entry in journal.entries()} == {NOON}


def test_an_untouched_journal_is_unbroken_and_its_head_is_the_newest_hash(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    assert journal.verify().entries == 0
    write(journal)
    verified = journal.verify()
    assert (verified.entries, verified.faults) == (6, ())
    assert verified.head == journal.entries()[-1].hash


@pytest.mark.parametrize(
    ("statements", "numbers"),
    [
        (["UPDATE entry SET detail = '{}' WHERE number = 3"], [3, 2]),
        (["UPDATE entry SET detail = x'00ff' WHERE number = 3"], [3, 2]),
        (["UPDATE entry SET at = '2020' WHERE number = 1"], [1, 0]),
        (["DELETE FROM entry WHERE number = 2"], [2]),
        (["DELETE FROM entry WHERE number < 4"], [1, 3]),
        (
            ["DELETE FROM entry WHERE number = 2", "UPDATE entry SET number = number - 1 WHERE number > 2"],
            [2, 1],
        ),
        (
            [
                "UPDATE entry SET number = 99 WHERE number = 3",
                "UPDATE entry SET number = 3 WHERE number = 4",
                "UPDATE entry SET number = 4 WHERE number = 99",
            ],
            [3, 2],
        ),
    ],
    ids=[
        "changed",
        "made unreadable",
        "the first changed",
        "removed",
        "the first ones removed",
        "removed and closed up",
        "swapped",
    ],
)
def test_a_row_that_was_changed_removed_or_moved_is_named(
    tmp_path: Path, statements: list[str], numbers: list[int]
) -> None:
    journal = a_journal(tmp_path)
    write(journal)
    tamper(tmp_path, *statements)
    assert [int(n) for n in re.findall(r"\d+", journal.verify().faults[0])] == numbers


def test_the_database_itself_refuses_to_change_or_remove_rows(tmp_path: Path) -> None:
    write(a_journal(tmp_path))
    for statement in ("UPDATE entry SET event = 'asked'", "DELETE FROM entry"):
        db = sqlite3.connect(tmp_path / FILE)
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            db.execute(statement)
        db.close()


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    write(a_journal(tmp_path))
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(GuardError, match=NOTHING_DONE):
        a_journal(tmp_path).verify()


def test_a_second_process_does_not_create_the_database_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = a_journal(tmp_path)

    def held_by_another(lock_file: Path, patience_s: float) -> HeldLock | None:
        monkeypatch.undo()
        write(theirs)
        return wait_for_lock(lock_file, patience_s)

    monkeypatch.setattr(database, "wait_for_lock", held_by_another)
    assert a_journal(tmp_path).entries() == theirs.entries() != []


@pytest.mark.parametrize("use", [Journal.verify, write], ids=["read", "write"])
def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path, use: Callable[[Journal], object]) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, and longer than a header" * 100)
    with pytest.raises(GuardError, match=NOTHING_DONE):
        use(a_journal(tmp_path))


def test_a_stop_and_a_resume_in_the_journal_change_no_count_and_no_operation(tmp_path: Path) -> None:
    plain, switched = a_journal(tmp_path / "plain"), a_journal(tmp_path / "switched")
    for journal in (plain, switched):
        write(journal, by="policy")
    switched.append("stopped", operation=None, principal="", tool="stop", details={})
    switched.append("resumed", operation=None, principal="", tool="resume", details={})
    assert plain.touched_within(HOUR, "me", by="policy") == switched.touched_within(HOUR, "me", by="policy")
    assert plain.touched_within(HOUR, "") == switched.touched_within(HOUR, "")
    assert plain.unfinished("me") == switched.unfinished("me")
    assert switched.unfinished("") == []
    assert plain.unanswered(MINUTE) == switched.unanswered(MINUTE)
    assert [operation.id for operation in switched.operations()] == ["aaaa-bbbb"]
    assert not switched.verify().faults
    assert [entry.event for entry in switched.latest(9)[1]] == ["stopped", "resumed"]
