"""Versions of the mailbox file: older ones are migrated, newer ones and other files are refused."""

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rc_mcp.cli import main
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.mailbox import media_files, schema
from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.mailbox.schema import MIGRATIONS, VERSION
from rc_mcp.emulator.mailbox.selection import Selection

SCRIPTS = Path(__file__).with_name("versions")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVERY = range(1, VERSION + 1)


def saved(file: Path, version: int, *, stamped: bool = False) -> Path:
    """Create a file as that version left it."""
    with closing(sqlite3.connect(file)) as db:
        db.executescript((SCRIPTS / f"{version}.sql").read_text())
        if stamped:
            db.execute(f"PRAGMA user_version = {version}")
    return file


def contents(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as db:
        return [db.execute("PRAGMA user_version").fetchone(), *db.iterdump()]


def layout(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    return [(name, " ".join(str(sql).replace('"', "").split())) for name, sql in rows]


def test_there_is_a_script_for_each_version() -> None:
    assert {int(path.stem) for path in SCRIPTS.glob("*.sql")} == set(EVERY)


@pytest.mark.parametrize("stamped", [False, True])
@pytest.mark.parametrize("version", EVERY)
def test_a_file_of_each_version_opens_with_its_messages_and_takes_more(
    tmp_path: Path, version: int, stamped: bool
) -> None:
    file = saved(tmp_path / "mailbox.db", version, stamped=stamped)
    for _ in range(2):
        with Emulator(db=file, now=lambda: NOON) as emulator:
            first, second = emulator.store.message(2406007735008), emulator.store.message(2406014114008)
            assert first is not None
            assert second is not None
            assert (first["subject"], second["subject"]) == ("first", "second")
            assert first["uri"].startswith(emulator.store.addresses.mailbox)
    with Emulator(db=file, now=lambda: NOON) as emulator:
        third = emulator.store.add(Draft(type="SMS", text="third"))
        assert third["id"] > 2406014114008
        assert [m["subject"] for m in emulator.store.messages()] == ["third", "second", "first"]
    assert contents(file)[0] == (VERSION,)


@pytest.mark.parametrize("version", EVERY)
def test_a_migrated_file_has_the_layout_of_a_new_one(tmp_path: Path, version: int) -> None:
    old, new = saved(tmp_path / "old.db", version), tmp_path / "new.db"
    for file in (old, new):
        Emulator(scenario="empty", db=file).close()
    assert layout(old) == layout(new)


@pytest.mark.parametrize("version", [3])
def test_texts_of_attachments_are_kept_by_the_migration(tmp_path: Path, version: int) -> None:
    file = saved(tmp_path / "mailbox.db", version)
    transcript = {
        "id": 7,
        "type": "AudioTranscription",
        "contentType": "text/plain",
        "source": {"text": "h\u00e9 \ud83d"},
    }
    recording = {"id": 6, "type": "AudioRecording", "contentType": "audio/mpeg", "source": {"file": "robocall.mp3"}}
    details: Any = {"from": {}, "to": [], "vmTranscriptionStatus": "Completed", "attachments": [recording, transcript]}
    with closing(sqlite3.connect(file)) as db:
        row = db.execute("SELECT mailbox, created_ms FROM message").fetchone()
        voicemail = (
            5,
            row[0],
            "VoiceMail",
            "Inbound",
            "Unread",
            "Alive",
            None,
            row[1],
            row[1],
            None,
            json.dumps(details),
            None,
        )
        db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", voicemail)
        db.commit()
    with Emulator(db=file, now=lambda: NOON) as emulator:
        store = emulator.store
        assert store.content(5, 7) == b"h\xc3\xa9 ?"
        assert store.content(5, 6) == media_files.read("robocall.mp3")
        assert store.content(2406007735008, 2406007735008) == b"first"
        record = store.message(5)
        assert record is not None
        assert [item["id"] for item in record["attachments"]] == [6, 7]
        assert store.count(Selection(types=("VoiceMail",))) == 1
        assert store.count(Selection()) == 3
    assert "source" not in json.dumps(record)
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM message WHERE details LIKE '%\"text\":%'").fetchone() == (0,)


def test_the_content_of_attachments_is_kept_by_the_migration(tmp_path: Path) -> None:
    file = saved(tmp_path / "mailbox.db", 4)
    text = 'half \ud83d "uri":"/9"'
    sources: list[Any] = [{"subject": True}, {"file": "robocall.mp3"}, {"stored": 7}]
    attachments = [{"id": 5 + at, "type": "MmsAttachment", "source": source} for at, source in enumerate(sources)]
    details = json.dumps({"from": {}, "to": [], "subject": text, "attachments": attachments})
    with closing(sqlite3.connect(file)) as db:
        mailbox, ms = db.execute("SELECT mailbox, created_ms FROM message").fetchone()
        marks = "5, ?, 'SMS', 'Inbound', 'Unread', 'Alive', NULL, ?, ?, NULL, ?, NULL"
        db.execute(f"INSERT INTO message VALUES ({marks})", (mailbox, ms, ms, details))  # noqa: S608
        db.execute("INSERT INTO file VALUES (7, 5, x'00ff')")
        db.commit()
    with Emulator(db=file, now=lambda: NOON) as emulator:
        record = emulator.store.message(5)
        contents = [emulator.store.content(5, attachment) for attachment in (5, 6, 7)]
        media = f"{emulator.media_url}{emulator.store.addresses.path}/message-store/5/content"
    assert contents == [b'half ? "uri":"/9"', media_files.read("robocall.mp3"), b"\x00\xff"]
    assert record is not None
    assert record["subject"] == text
    assert record["attachments"] == [{"id": n, "uri": f"{media}/{n}", "type": "MmsAttachment"} for n in (5, 6, 7)]


def test_a_file_of_a_newer_version_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    file = saved(tmp_path / "mailbox.db", VERSION)
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = contents(file)
    ended = CliRunner().invoke(main, ["emulator", "--db", str(file)])
    assert (ended.exit_code, type(ended.exception)) == (1, SystemExit)
    before_file, _, after_file = ended.stderr.partition(str(file))
    assert set(re.findall(r"\d+", before_file + after_file)) == {f"{VERSION}", f"{VERSION + 1}"}
    assert contents(file) == before


@pytest.mark.parametrize("stamp", [0, VERSION, VERSION + 1])
def test_a_database_of_another_program_is_refused_and_left_unchanged(tmp_path: Path, stamp: int) -> None:
    file = tmp_path / "guard.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(f"CREATE TABLE entry (number INTEGER PRIMARY KEY); PRAGMA user_version = {stamp};")
    before = contents(file)
    with pytest.raises(sqlite3.DatabaseError):
        Emulator(db=file)
    assert contents(file) == before


def test_a_failed_migration_leaves_the_file_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(tmp_path / "mailbox.db", 1)
    before = contents(file)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE message (twice INTEGER);"))
    with pytest.raises(sqlite3.Error):
        Emulator(db=file)
    assert contents(file) == before
