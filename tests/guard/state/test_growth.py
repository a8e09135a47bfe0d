"""What a guarded delete reads and writes in the state folder: no more after years of use than on the first day."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.store import MonotonicClock
from tests.desk import YES, Desk, Era, call

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CLOCK = MonotonicClock("this machine", lambda: 1e6)
EVERY = 10
"""Instructions of SQLite's virtual machine between two counts."""


@dataclass(frozen=True)
class Counting(Folder):
    """A state folder that counts the instructions of its queries."""

    counted: list[int] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        with Folder.reading(self) as db:
            db.set_progress_handler(lambda: self.counted.append(EVERY) or 0, EVERY)
            yield db


def past(folder: Path, operations: int) -> None:
    """Write this many finished operations of past days, and one that has not ended, as this machine wrote them."""
    events = ("asked", "approved", "begun", "sending", "sent", "done")
    journal = Journal(Folder(folder))
    journal.entries()
    with Folder(folder).writing() as db:
        for n in range(operations + 1):
            at = (NOON - timedelta(days=40, minutes=n)).isoformat(timespec="microseconds")
            clock = f'{{"clock": {{"name": "{CLOCK.name}", "seconds": {n}}}, "ids": ["{n}"], "to": "Deleted"}}'
            db.executemany(
                "INSERT INTO entry (at, event, operation, principal, tool, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (at, event, f"past-{n}", "me", "delete_message", clock if event == "sending" else "{}", "")
                    for event in events
                    if n < operations or event != "done"
                ],
            )


def instructions(folder: Path) -> dict[str, int]:
    """Return how much each question costs that a delete or the server asks the journal."""
    state = Counting(folder)
    journal = Journal(state, lambda: NOON, CLOCK)
    asked = {
        "unfinished": lambda: journal.unfinished("me"),
        "unanswered": lambda: journal.unanswered(timedelta(minutes=1)),
        "touched": lambda: journal.touched_within(timedelta(days=1), "me"),
        "latest": lambda: journal.latest(20),
        "recent": lambda: journal.latest(20, NOON - timedelta(days=1)),
        "entries": lambda: journal.entries(NOON - timedelta(days=1)),
        "one": lambda: journal.operation("past-7"),
    }
    costs: dict[str, int] = {}
    for name, ask in asked.items():
        state.counted.clear()
        ask()
        costs[name] = sum(state.counted)
    return costs


def test_no_question_reads_the_whole_journal(tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    past(few, 50)
    past(many, 5_000)
    before, after = instructions(few), instructions(many)
    assert {name: cost for name, cost in after.items() if cost > 2 * before[name] + 100} == {}
    assert [o.id for o in Journal(Folder(many)).unfinished("me")] == ["past-5000"]


def test_an_operation_is_open_until_its_end_is_journaled(tmp_path: Path) -> None:
    journal = Journal(Folder(tmp_path), lambda: NOON)
    who = {"operation": "abcd-2345", "principal": "me", "tool": "delete_message"}
    found: list[list[int]] = []
    for event in ("asked", "approved", "begun", "sending", "sent", "done"):
        journal.append(event, **who, details={})
        found.append([len(journal.unfinished(me)) for me in ("me", "another")])
    assert found == [[0, 0], [0, 0], [1, 0], [1, 0], [1, 0], [0, 0]]


def test_the_newest_operations_and_refusals_are_shown_together(tmp_path: Path) -> None:
    journal = Journal(Folder(tmp_path), lambda: NOON)
    for n in range(4):
        journal.append("asked", operation=f"plan-{n}", principal="me", tool="delete_message", details={})
        journal.append("refused", operation=None, principal="me", tool="delete_message", details={"n": n})
    operations, alone, has_more = journal.latest(3)
    assert [o.id for o in operations] == ["plan-3"]
    assert [e.details["n"] for e in alone] == [2, 3]
    assert has_more
    assert [len(part) for part in journal.latest(8)[:2]] == [4, 4]
    assert not journal.latest(8)[2]
    assert journal.latest(8, NOON + timedelta(seconds=1)) == ([], [], False)


@pytest.mark.anyio
async def test_a_server_keeps_the_log_of_its_file_between_changes(desk: Desk, era: Era) -> None:
    log = desk.state_dir / f"{FILE}-wal"
    first, second = desk.ids(type="VoiceMail", availability="Alive")[:2]
    async with desk.client(era, answer=YES) as client:
        await call(client, "delete_message", message_id=first)
        made = log.stat().st_ino
        await call(client, "delete_message", message_id=second)
        assert log.stat().st_ino == made
    assert not log.exists()


@pytest.mark.anyio
async def test_names_of_an_expired_plan_are_in_no_file_after_the_next_plan(desk: Desk) -> None:
    async with desk.client() as client:
        voicemail, fax = desk.ids(type="VoiceMail", availability="Alive")[0], desk.ids(type="Fax")[0]
        planned = await call(client, "delete_message", message_id=voicemail)
        name = next(iter(planned["preview"]["untrusted"]["senders"])).encode()
        assert any(name in file.read_bytes() for file in desk.state_dir.iterdir())
        desk.clock.time += timedelta(minutes=11)
        after = await call(client, "delete_message", message_id=fax)
        assert name.decode() not in after["preview"]["untrusted"]["senders"]
        assert not any(name in file.read_bytes() for file in desk.state_dir.iterdir())
