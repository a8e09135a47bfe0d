"""Stopping deletes and allowing them again: the file counts, and the journal says it if it can."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.folder import Folder, has_stop_file, stop_file
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.stopping import NO_JOURNAL, NotRecorded, record


def test_a_stop_is_made_once_and_removed_once(tmp_path: Path) -> None:
    assert (Folder(tmp_path).stop(), Folder(tmp_path).stop(), has_stop_file(tmp_path)) == (True, False, True)
    assert (Folder(tmp_path).resume(), Folder(tmp_path).resume(), has_stop_file(tmp_path)) == (True, False, False)


@pytest.mark.parametrize("kind", ["a folder", "a link to a folder", "a link to nothing"])
def test_whatever_is_called_stop_is_a_stop_and_can_be_removed(tmp_path: Path, kind: str) -> None:
    file, elsewhere = stop_file(tmp_path), tmp_path / "elsewhere"
    if kind == "a folder":
        file.mkdir()
    else:
        file.symlink_to(elsewhere)
    if kind == "a link to a folder":
        elsewhere.mkdir()
    assert Folder(tmp_path).stop() is False
    assert Folder(tmp_path).resume() is True
    assert has_stop_file(tmp_path) is False
    assert elsewhere.exists() == (kind == "a link to a folder")


def test_a_stop_that_cannot_be_made_or_removed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists"):
        Folder(tmp_path / "file").stop()
    stop_file(tmp_path).mkdir()
    (stop_file(tmp_path) / "kept").touch()
    with pytest.raises(OSError, match="STOP"):
        Folder(tmp_path).resume()
    assert has_stop_file(tmp_path)


def test_a_stop_is_journaled_with_where_it_was_made(tmp_path: Path) -> None:
    Journal(Folder(tmp_path)).entries()  # makes the file
    record(Folder(tmp_path), "stopped", "inbox")
    record(Folder(tmp_path), "resumed", "resume")
    rows = [(e.event, e.tool, e.operation, e.principal) for e in Journal(Folder(tmp_path)).entries()]
    assert rows == [("stopped", "inbox", None, ""), ("resumed", "resume", None, "")]


def test_a_stop_makes_no_journal(tmp_path: Path) -> None:
    with pytest.raises(NotRecorded, match=NO_JOURNAL):
        record(Folder(tmp_path), "stopped", "stop")
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("damage", [b"", b"spoiled" * 1000])
def test_a_journal_that_cannot_be_written_is_reported(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(NotRecorded, match="cannot be written"):
        record(Folder(tmp_path), "stopped", "stop")


def test_a_state_folder_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotRecorded):
        record(Folder(tmp_path / "file"), "stopped", "stop")


@pytest.mark.parametrize("damage", ["number = 9223372036854775807", "hash = x'00ff'"])
def test_a_journal_that_cannot_be_continued_is_reported(tmp_path: Path, damage: str) -> None:
    Journal(Folder(tmp_path)).append("stopped", operation=None, principal="", tool="stop", details={})
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("DROP TRIGGER entry_stays")
        db.execute(f"UPDATE entry SET {damage}")  # noqa: S608
        db.commit()
    with pytest.raises(NotRecorded):
        record(Folder(tmp_path), "resumed", "resume")
