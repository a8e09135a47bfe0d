"""Versions of the state folder's file: older ones are migrated with every row, newer ones are refused."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state import database
from rc_mcp.guard.state.database import FILE, MIGRATIONS, VERSION, MadeByNewer, exists
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.locks import HeldLock, wait_for_lock

SCRIPTS = Path(__file__).with_name("versions")
EVERY = range(1, VERSION + 1)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def kept(folder: Path, version: int) -> Path:
    """Return a state folder as that version left it."""
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((SCRIPTS / f"{version}.sql").read_text())
    return folder


def contents(folder: Path, table: str = "entry") -> tuple[int, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / FILE)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return version, db.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608


def layout(folder: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / FILE)) as db:
        rows = db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
    return [tuple(" ".join(str(cell).split()) for cell in row) for row in rows]


def test_there_is_a_file_of_every_version() -> None:
    assert {int(path.stem) for path in SCRIPTS.glob("*.sql")} == set(EVERY)


@pytest.mark.parametrize("version", EVERY)
def test_a_file_of_each_version_opens_with_every_row_as_it_was(tmp_path: Path, version: int) -> None:
    folder = kept(tmp_path, version)
    before = contents(folder)
    assert before[0] == version
    journal = Journal(Folder(folder), lambda: NOON)
    verified = journal.verify()
    assert (verified.entries, verified.faults) == (7, ())
    operation = journal.operations()[0]
    assert operation.outcomes == {"1": "deleted", "2": "deleted"}
    assert contents(folder) == (VERSION, before[1])
    journal.append("refused", operation=None, principal="me", tool="delete_message", details={"reason": "stopped"})
    assert journal.verify().faults == ()
    assert PlanStore(Folder(folder), lambda: NOON).waiting() == []


@pytest.mark.parametrize("version", EVERY)
def test_a_migrated_file_equals_a_new_one(tmp_path: Path, version: int) -> None:
    folder = kept(tmp_path / "old", version)
    Journal(Folder(folder)).entries()
    Journal(Folder(tmp_path / "new")).entries()
    assert layout(folder) == layout(tmp_path / "new")


def test_a_file_of_a_newer_version_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    folder = kept(tmp_path, VERSION)
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = contents(folder)
    with pytest.raises(MadeByNewer) as refusal:
        Journal(Folder(folder)).append("refused", operation=None, principal="me", tool="delete_message", details={})
    assert str(refusal.value) == str(MadeByNewer(VERSION + 1))
    assert re.findall(r"\d+", str(refusal.value)) == [str(VERSION + 1), str(VERSION)]
    assert str(refusal.value).endswith(NOTHING_DONE)
    assert contents(folder) == before


def test_a_failed_migration_leaves_the_file_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = kept(tmp_path, 1)
    before, laid_out = contents(folder), layout(folder)
    broken = (*MIGRATIONS[:1], "CREATE TABLE half (way INTEGER); CREATE TABLE entry (twice INTEGER);")
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    with pytest.raises(GuardError, match=NOTHING_DONE):
        Journal(Folder(folder)).entries()
    assert (contents(folder), layout(folder)) == (before, laid_out)
    monkeypatch.undo()
    assert Journal(Folder(folder)).verify().faults == ()


def test_a_second_process_does_not_migrate_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = kept(tmp_path, 1)

    def after_another(lock_file: Path, patience_s: float) -> HeldLock | None:
        monkeypatch.undo()
        Journal(Folder(folder)).entries()
        return wait_for_lock(lock_file, patience_s)

    monkeypatch.setattr(database, "wait_for_lock", after_another)
    assert Journal(Folder(folder)).verify().faults == ()
    assert contents(folder)[0] == VERSION


def test_an_empty_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    with pytest.raises(GuardError, match=NOTHING_DONE):
        Journal(Folder(tmp_path)).entries()
    assert (tmp_path / FILE).read_bytes() == b""


def test_a_dangling_link_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "not mounted")
    assert exists(tmp_path)
    with pytest.raises(GuardError, match=NOTHING_DONE):
        Journal(Folder(tmp_path)).entries()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_checking_for_the_file_does_not_create_it(tmp_path: Path) -> None:
    assert exists(tmp_path / "state") is False
    assert not (tmp_path / "state").exists()
    assert exists(kept(tmp_path, 1)) is True
