"""`rc-mcp mirror`: the local copy in the user's own hands."""

import csv
import json
import os
import re
import select
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from anyio.streams.buffered import BufferedByteReceiveStream
from click.testing import CliRunner, Result

from rc_mcp.cli import main
from rc_mcp.cli.emulator import login_to
from rc_mcp.cli.mirror import (
    FILLED_AGAIN,
    FORGET,
    GOES_ON,
    NO_COPY,
    NOT_ALL_READ_BACK,
    NOT_ERASED,
    NOTHING_TO_ERASE,
    READ_BACK,
    syncing,
)
from rc_mcp.cli.mirror.estimate import duration, listing_s, texts_s
from rc_mcp.cli.mirror.exporting import COLUMNS
from rc_mcp.cli.mirror.importing import NEXT
from rc_mcp.cli.mirror.state import SET_ASIDE
from rc_mcp.cli.mirror.syncing import FED_BY_ANOTHER, OCR_TAKES_LONGER, WAS_DAMAGED
from rc_mcp.emulator import Draft, Emulator
from rc_mcp.mirror.database import FILE, damaged_files
from rc_mcp.mirror.following import only_feed
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import Message, MessageStoreClient
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.settings import Settings
from rc_mcp.wiring import client_for
from tests.desk import no_waiting
from tests.mirror.damaging import damage_index, damage_records
from tests.mirror.exporting import exported as archives
from tests.mirror.exporting import of_records
from tests.mirror.feeding import CALLER, arrive, move
from tests.mirror.messages import text_message, voicemail

pytestmark = pytest.mark.anyio
KEY = ("1", "2")


@pytest.fixture
def emulator() -> Generator[Emulator]:
    with Emulator(scenario="empty", rate_limits=False) as service:
        yield service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(folder: Path, *arguments: str, typed: str | None = None, **variables: str) -> Result:
    """Run the command without a login."""
    env = {"RC_MCP_STATE_DIR": str(folder), "RC_MCP_TIMEZONE": "UTC", **variables}
    return CliRunner().invoke(main, ["mirror", *arguments], env=env, input=typed)


async def sync(emulator: Emulator, folder: Path, **variables: str) -> Result:
    """Serve the emulator, and run `rc-mcp mirror sync` with its login."""
    async with emulator.serve():
        return await sync_with(login_to(emulator) | variables, folder)


async def sync_with(login: dict[str, str], folder: Path) -> Result:
    with anyio.fail_after(60):
        return await to_thread.run_sync(partial(run, folder, "sync", **login))


def status(folder: Path) -> dict[str, Any]:
    ended = run(folder, "status", "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def leave_voicemail(emulator: Emulator, transcript: str) -> None:
    emulator.store.add(Draft(type="VoiceMail", sender=CALLER, seconds=5, transcript=transcript))


def filled(folder: Path, *records: Message, **progress: str) -> None:
    """Make a copy with these messages."""
    with Mirror(folder) as mirror:
        mirror.put(mirror.mailbox(*KEY), records or [text_message(1, "apples")], progress)


def test_a_time_is_said_as_it_is_at_the_published_limits() -> None:
    assert duration(texts_s(20_000)) == "about 8 h 20 min"
    assert duration(listing_s(100_000)) == "about 2 min"
    assert duration(texts_s(39)) == "less than a minute"
    assert duration(texts_s(2_400)) == "about 1 h"
    assert duration(texts_s(41)) == "about 2 min"
    assert duration(texts_s(1_000_000)) == "about 416 h 40 min"


@pytest.mark.parametrize("with_ocr", [True, False])
async def test_sync_says_that_ocr_takes_longer_only_where_it_is_installed(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch, with_ocr: bool
) -> None:
    monkeypatch.setattr(syncing, "has_ocr", lambda: with_ocr)
    leave_voicemail(emulator, "apples")
    said = (await sync(emulator, folder)).stdout
    assert (OCR_TAKES_LONGER in said) is with_ocr
    assert OCR_TAKES_LONGER not in (await sync(emulator, folder)).stdout  # no text is missing


async def test_sync_fills_the_copy_and_status_says_what_it_has(emulator: Emulator, folder: Path) -> None:
    texts = [arrive(emulator, f"text {n}") for n in range(3)]
    move(emulator, texts[0], "Deleted")
    leave_voicemail(emulator, "apples")
    ended = await sync(emulator, folder)
    assert ended.exit_code == 0, ended.output
    (mailbox,) = status(folder)["mailboxes"]
    expected = {
        "account_id": emulator.account_id,
        "extension_id": emulator.extension_id,
        "messages": 4,
        "contents_missing": 0,
        "contents_unreadable": 0,
        "kept": 0,
        "unreadable": 0,
        "phase": "following",
        "listed": None,
        "total": None,
    }
    assert expected.items() <= mailbox.items()
    assert all(mailbox[name] for name in ("oldest", "newest", "synced_at"))
    assert "Messages: 4 of 4" in ended.stdout
    assert "Texts: 1 of 1" in ended.stdout


async def test_a_second_sync_sends_one_request_after_its_login(emulator: Emulator, folder: Path) -> None:
    arrive(emulator)
    async with emulator.serve():
        await sync_with(login_to(emulator), folder)
        before = len(emulator.requests)
        assert (await sync_with(login_to(emulator), folder)).exit_code == 0
    assert [request.path.rpartition("/")[2] for request in emulator.requests[before:]] == ["token", "message-sync"]


def test_status_counts_what_is_missing_kept_and_unreadable_and_says_how_far_a_first_fill_is(folder: Path) -> None:
    listing = {"sync_token": "t", "shared": False, "total": 90_000, "done": 2_000, "unreadable": 3, "down_to": None}
    progress = {"listing": json.dumps({**listing, "gone": []}), "kept": '["1"]'}
    filled(folder, voicemail(1), voicemail(2, minutes=1), voicemail(3, minutes=2), **progress)
    with Mirror(folder) as mirror:
        mirror.put_text(mirror.mailbox(*KEY), "1", "12", None, state="failed")
    (mailbox,) = status(folder)["mailboxes"]
    counts = {"messages": 3, "contents_missing": 2, "contents_unreadable": 1, "kept": 1, "unreadable": 3}
    place = {"phase": "filling", "listed": 2_000, "total": 90_000, "synced_at": None}
    assert {**counts, **place}.items() <= mailbox.items()
    shown = run(folder, "status").stdout
    assert "2,000 of 90,000 messages" in shown
    assert duration(listing_s(88_000)) in shown
    assert duration(texts_s(2)) in shown


def test_times_are_in_the_zone_of_the_user_and_in_utc_for_programs(folder: Path) -> None:
    filled(folder)  # of noon in UTC
    assert " 12:00" in run(folder, "status").stdout
    assert " 21:00" in run(folder, "status", RC_MCP_TIMEZONE="Asia/Tokyo").stdout
    assert status(folder)["mailboxes"][0]["oldest"] == "2026-11-01T12:00:00Z"


async def test_a_mailbox_that_the_operator_allowed_is_copied_too(folder: Path) -> None:
    with Emulator(scenario="office", rate_limits=False) as emulator:
        for user in emulator.users[1:]:
            for message in emulator.mailboxes[user.extension_id].messages():
                emulator.mailboxes[user.extension_id].forget("id = ?", int(message["id"]))
            emulator.mailboxes[user.extension_id].add(Draft(type="SMS", sender=CALLER, text="hello"))
        for message in emulator.store.messages():
            emulator.store.forget("id = ?", int(message["id"]))
        other = emulator.users[1].extension_id
        ended = await sync(emulator, folder, RC_MCP_EXTENSIONS=other)
        assert ended.exit_code == 0, ended.output
    copied_now = {mailbox["extension_id"]: mailbox["messages"] for mailbox in status(folder)["mailboxes"]}
    assert copied_now == {emulator.extension_id: 0, other: 1}


async def test_a_mailbox_that_may_not_be_read_does_not_keep_the_own_one_from_being_copied(
    emulator: Emulator, folder: Path
) -> None:
    arrive(emulator)
    ended = await sync(emulator, folder, RC_MCP_EXTENSIONS="12345")
    assert ended.exit_code == 1
    assert "12345" in ended.stdout
    assert "CMN-102" in ended.stdout
    assert {m["extension_id"]: m["messages"] for m in status(folder)["mailboxes"]}[emulator.extension_id] == 1


async def test_faults_of_a_sync_are_one_line_with_the_exit_code_of_their_kind(emulator: Emulator, folder: Path) -> None:
    arrive(emulator)
    no_login = await sync(emulator, folder, RC_USER_JWT="")
    refused = await sync(emulator, folder, RC_USER_JWT="wrong")
    unreachable = await sync(emulator, folder, RC_SERVER_URL="http://127.0.0.1:9")
    assert [ended.exit_code for ended in (no_login, refused, unreachable)] == [2, 1, 1]
    for ended in (no_login, refused, unreachable):
        assert len(ended.stderr.splitlines()) == 1
        assert ended.stderr.startswith("rc-mcp: ")
    assert GOES_ON in refused.stderr
    assert GOES_ON in unreachable.stderr


async def test_a_full_disk_ends_a_sync_with_one_line_and_the_next_one_goes_on(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(50):
        arrive(emulator, "word " * 500)
    filled(folder)
    with monkeypatch.context() as full:

        class Full(Mirror):
            def _begin(self) -> None:
                super()._begin()
                pages = self._db.execute("PRAGMA page_count").fetchone()[0]
                self._db.execute(f"PRAGMA max_page_count = {pages + 2}")

        full.setattr(syncing, "open_mirror", lambda folder, _: Full(folder))  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
        ended = await sync(emulator, folder)
    assert ended.exit_code == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "disk is full" in ended.stderr
    assert (await sync(emulator, folder)).exit_code == 0
    assert {m["extension_id"]: m["messages"] for m in status(folder)["mailboxes"]}[emulator.extension_id] == 50


def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client not wait before it sends a request again."""

    def client(settings: Settings) -> MessageStoreClient:
        return client_for(settings, time=no_waiting())

    monkeypatch.setattr(syncing, "client_for", client)


async def test_an_export_archive_is_imported_and_the_next_sync_fetches_only_what_is_missing(
    emulator: Emulator, folder: Path, tmp_path: Path
) -> None:
    for n in range(3):
        leave_voicemail(emulator, f"apples {n}")
    files = [str(file) for file in await archives(emulator, tmp_path)]
    async with emulator.serve():
        act = partial(run, folder, "import", *files, **login_to(emulator))
        ended = await to_thread.run_sync(act)
    assert ended.exit_code == 0, ended.output
    assert "3 messages added" in ended.stdout
    assert NEXT in ended.stdout
    (mailbox,) = status(folder)["mailboxes"]
    assert (mailbox["messages"], mailbox["contents_missing"], mailbox["phase"]) == (3, 0, "filling")
    assert mailbox["extension_id"] == emulator.extension_id
    again = await to_thread.run_sync(run, folder, "import", *files)  # whose mailbox it is, the copy knows now
    assert "0 messages added" in again.stdout
    assert NEXT not in again.stdout
    assert (await sync(emulator, folder)).exit_code == 0
    assert not any("/content/" in request.path for request in emulator.requests)


def test_a_file_that_is_no_archive_is_named_and_nothing_is_imported(folder: Path, tmp_path: Path) -> None:
    filled(folder)
    good = of_records(tmp_path / "good.zip", [text_message(5, "new").sent])
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no zip file")
    ended = run(folder, "import", str(good), str(bad))
    assert ended.exit_code == 1
    assert len(ended.stderr.splitlines()) == 1
    assert str(bad) in ended.stderr
    assert status(folder)["mailboxes"][0]["messages"] == 1
    for arguments in ([], [str(tmp_path / "missing.zip")], [str(tmp_path)]):
        assert run(folder, "import", *arguments).exit_code == 2


def test_an_import_into_an_empty_copy_needs_a_login(folder: Path, tmp_path: Path) -> None:
    archive = of_records(tmp_path / "good.zip", [text_message(5, "new").sent])
    ended = run(folder, "import", str(archive))
    assert ended.exit_code == 2
    assert "RC_APP_CLIENT_ID" in ended.stderr


@pytest.mark.parametrize("is_over", [True, False])
async def test_after_a_429_a_sync_waits_and_goes_on_and_after_some_without_progress_it_ends(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    assert (await sync(emulator, folder)).exit_code == 0
    arrive(emulator)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if is_over:
            emulator.faults.clear()

    monkeypatch.setattr(syncing, "_wait", wait)
    without_waiting(monkeypatch)
    emulator.faults.inject("rate_limit", operation="syncMessages", times=None)
    ended = await sync(emulator, folder)
    assert ended.exit_code == (0 if is_over else 1)
    assert waits == ([60] if is_over else [60, 60])
    assert len(ended.stderr.splitlines()) == (0 if is_over else 1)
    assert status(folder)["mailboxes"][0]["messages"] == (1 if is_over else 0)


async def test_attachments_that_always_fail_do_not_keep_the_others_from_being_fetched(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_waiting(monkeypatch)
    for n in range(8):
        leave_voicemail(emulator, f"apples {n}")
    emulator.faults.inject("server_error", operation="readMessageContent", times=5 * LIMITS.attempts)
    ended = await sync(emulator, folder)
    assert ended.exit_code == 0, ended.output
    assert status(folder)["mailboxes"][0]["contents_missing"] == 5
    assert (await sync(emulator, folder)).exit_code == 0
    assert status(folder)["mailboxes"][0]["contents_missing"] == 0


async def test_while_another_process_feeds_sync_shows_the_copy_and_sends_nothing(
    emulator: Emulator, folder: Path
) -> None:
    filled(folder)
    async with only_feed(folder):
        ended = await sync(emulator, folder)
        assert status(folder)["is_fed"]
    assert ended.exit_code == 0
    assert ended.stdout.startswith(FED_BY_ANOTHER)
    assert "1 message" in ended.stdout
    assert list(emulator.requests) == []
    assert not status(folder)["is_fed"]


def damage(folder: Path) -> None:
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(b"something else.." + content[16:])


async def test_a_damaged_copy_is_filled_again_and_the_messages_that_only_it_has_are_read_back(
    emulator: Emulator, folder: Path
) -> None:
    arrive(emulator)
    await sync(emulator, folder)
    filled(folder, text_message(7, "only here"))
    damage_index(folder)
    ended = await sync(emulator, folder)
    assert ended.exit_code == 0
    assert ended.stderr == f"{WAS_DAMAGED}\n"
    assert status(folder)["set_aside"]
    assert SET_ASIDE in run(folder, "status").stdout
    rebuilt = run(folder, "rebuild")
    assert rebuilt.exit_code == 0
    assert "1 message" in rebuilt.stdout
    assert damaged_files(folder) == []
    with Mirror(folder) as mirror:
        assert mirror.message(mirror.mailbox(*KEY), "7") is not None


def test_damage_that_only_a_rebuild_finds_is_found_and_the_rest_is_read_back(folder: Path) -> None:
    filled(folder, *[text_message(n, f"apples {n} " * 40, minutes=n) for n in range(300)])
    damage_records(folder)
    ended = run(folder, "rebuild")
    assert ended.exit_code == 0, ended.output
    assert NOT_ALL_READ_BACK in ended.stdout
    assert 250 < status(folder)["mailboxes"][0]["messages"] < 300


def test_a_copy_that_is_no_database_any_more_is_said_to_be_lost(folder: Path) -> None:
    filled(folder)
    damage(folder)
    ended = run(folder, "rebuild")
    assert ended.exit_code == 0
    assert (folder / "mirror.damaged.db").exists()
    assert status(folder)["mailboxes"] == []


@pytest.mark.parametrize("command", ["rebuild", "export"])
def test_without_a_copy_there_is_nothing_to_use_and_none_is_made(folder: Path, tmp_path: Path, command: str) -> None:
    ended = run(folder, command, *([str(tmp_path / "out.csv")] if command == "export" else []))
    assert (ended.exit_code, ended.stderr) == (1, f"rc-mcp: {NO_COPY.format(folder=folder)}\n")
    assert status(folder)["is_there"] is False
    assert run(folder, "status").stdout == f"{NO_COPY.format(folder=folder)}\n"
    assert run(folder, "forget", "--yes").stdout == f"{NOTHING_TO_ERASE.format(folder=folder)}\n"
    assert not folder.exists()


def test_a_copy_of_a_newer_version_is_left_unchanged(folder: Path, tmp_path: Path) -> None:
    filled(folder)
    db = sqlite3.connect(folder / FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = (folder / FILE).read_bytes()
    for arguments in (["status"], ["rebuild"], ["export", str(tmp_path / "out.csv")], ["forget", "--yes"]):
        ended = run(folder, *arguments)
        assert ended.exit_code == 1
        assert "newer rc-mcp" in ended.stderr
    assert (folder / FILE).read_bytes() == before


HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@A1",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u200b=1",
    "\uff1d1",
    "\uff0b1",
    "\u00a0@A1",
    "\x00=1",
]
HARMLESS = ["a=1", "", "apples", "'=1", "a;=1", 'a";=1', "a\n=1"]


def exported(folder: Path, name: str, *options: str) -> Any:
    file = folder.parent / name
    ended = run(folder, "export", str(file), *options)
    assert ended.exit_code == 0, ended.output
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines)) if name.endswith(".csv") else [json.loads(line) for line in lines]


def test_a_table_has_no_cell_that_a_spreadsheet_runs(folder: Path) -> None:
    names = [{"phoneNumber": "+15035550134", "name": text} for text in HOSTILE]
    records = [text_message(n, text, sender=names[n], minutes=n) for n, text in enumerate(HOSTILE)]
    filled(folder, *records, *[text_message(100 + n, text, minutes=100 + n) for n, text in enumerate(HARMLESS)])
    rows = exported(folder, "out.csv")
    assert list(rows[0]) == list(COLUMNS)
    for row in rows[: len(HOSTILE)]:
        for cell in row.values():
            assert cell.strip("\u200b\u00a0 \x00\t\r\n")[:1] not in tuple("=+-@\uff1d\uff0b\uff0d\uff20")
        assert row["subject"].startswith("'")
        assert row["from_number"] == "'+15035550134"
    assert [row["subject"] for row in rows[len(HOSTILE) :]] == HARMLESS
    written = (folder.parent / "out.csv").read_text(encoding="utf-8")
    assert '"a;=1"' in written  # in quotes, or a program that separates at semicolons would see a formula


def test_json_lines_have_the_records_as_they_were_sent_and_all_texts(folder: Path) -> None:
    half = "\ud83d half an emoji, and \u2028 a line"
    filled(folder, voicemail(1), text_message(2, half, minutes=2, availability="Deleted"), kept='["1"]')
    with Mirror(folder) as mirror:
        mirror.put_text(mirror.mailbox(*KEY), "1", "12", "apples")
    first, second = exported(folder, "out.jsonl")
    assert first == {
        "account_id": "1",
        "extension_id": "2",
        "is_deleted": False,
        "no_longer_at_ringcentral": True,
        "message": voicemail(1).sent,
        "texts": [{"attachment_id": "12", "state": "text", "source": "ringcentral", "text": "apples"}],
    }
    assert second["is_deleted"]
    # A program may refuse a whole file because of an escape that is no character.
    assert second["message"]["subject"] == half.replace("\ud83d", "\ufffd")


def test_deleted_messages_and_missing_texts_are_marked_in_a_table(folder: Path) -> None:
    filled(folder, voicemail(1), text_message(2, "b", minutes=2, availability="Deleted"), kept='["2"]')
    first, second = exported(folder, "OUT.CSV".replace("OUT", "out").lower())
    assert (first["availability"], first["texts_not_fetched"], first["no_longer_at_ringcentral"]) == (
        "Alive",
        "1",
        "false",
    )
    assert (second["availability"], second["texts_not_fetched"], second["no_longer_at_ringcentral"]) == (
        "Deleted",
        "0",
        "true",
    )


def test_one_mailbox_or_all_are_exported_and_an_unknown_one_is_refused(folder: Path) -> None:
    filled(folder)
    with Mirror(folder) as mirror:
        mirror.put(mirror.mailbox("1", "3"), [text_message(5, "other")])
    assert [row["id"] for row in exported(folder, "all.csv")] == ["1", "5"]
    assert [row["id"] for row in exported(folder, "one.csv", "--extension-id", "3")] == ["5"]
    refused = run(folder, "export", str(folder.parent / "none.csv"), "--extension-id", "4")
    assert refused.exit_code == 2
    assert not (folder.parent / "none.csv").exists()


def test_an_export_is_private_and_replaces_a_file_only_if_it_is_told_to(folder: Path, tmp_path: Path) -> None:
    filled(folder)
    file = tmp_path / "out.jsonl"
    file.write_text("mine")
    assert run(folder, "export", str(file)).exit_code == 2
    assert file.read_text() == "mine"
    assert run(folder, "export", str(file), "--force").exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "elsewhere.csv")
    assert run(folder, "export", str(link)).exit_code == 2
    assert not (tmp_path / "elsewhere.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.csv", "out.jsonl", "state"]


@pytest.mark.parametrize("name", ["out", "out.txt", "out.json", "out.xlsx", "missing/out.csv", "folder.csv", ".csv"])
def test_a_name_that_cannot_be_written_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    filled(folder)
    (tmp_path / "folder.csv").mkdir()
    ended = run(folder, "export", str(tmp_path / name), "--force")
    assert ended.exit_code == 2
    assert len(ended.stderr.splitlines()) == 1
    if Path(name).suffix != ".csv":
        assert ".jsonl" in ended.stderr
        assert ".csv" in ended.stderr


def test_an_export_that_fails_leaves_no_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(folder)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ended = run(folder, "export", str(tmp_path / "out.csv"))
    assert ended.exit_code == 1
    assert len(ended.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_file_that_appears_during_an_export_is_not_replaced(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(folder)
    monkeypatch.setattr(os, "fsync", lambda _: (tmp_path / "out.csv").write_text("mine"))  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    ended = run(folder, "export", str(tmp_path / "out.csv"))
    assert ended.exit_code == 1
    assert (tmp_path / "out.csv").read_text() == "mine"


def test_forget_needs_a_terminal_or_yes(folder: Path) -> None:
    filled(folder)
    ended = run(folder, "forget", typed=f"{FORGET}\n")
    assert ended.exit_code == 1
    assert NOT_ERASED in ended.stderr
    assert status(folder)["mailboxes"]


@pytest.mark.process
def test_an_encrypted_copy_is_used_with_its_key_and_forgotten_without_it(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("sqlcipher3")
    key = "a key of thirty-two characters.."
    with Mirror(folder, key) as mirror:
        mirror.put(mirror.mailbox(*KEY), [text_message(1, "canary")])
    with_key = {"RC_MCP_MIRROR_KEY_COMMAND": f"echo '{key}'"}
    assert run(folder, "status").exit_code == 1
    assert "1 message" in run(folder, "status", **with_key).stdout
    (folder / FILE).rename(folder / "mirror.damaged.db")
    assert READ_BACK in run(folder, "rebuild", **with_key).stdout
    assert run(folder, "export", str(tmp_path / "out.csv"), **with_key).exit_code == 0
    assert "canary" in (tmp_path / "out.csv").read_text()
    assert run(folder, "forget", "--yes").exit_code == 0
    assert status(folder)["is_there"] is False


def test_forget_leaves_no_byte_of_a_message_in_the_folder(folder: Path) -> None:
    filled(folder, text_message(1, "canary"))
    damage_index(folder)
    filled(folder, text_message(2, "canary"))
    assert damaged_files(folder)
    ended = run(folder, "forget", "--yes")
    assert ended.exit_code == 0, ended.output
    assert b"canary" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert status(folder)["mailboxes"] == []
    assert not status(folder)["set_aside"]


async def test_forget_says_if_another_process_reads_or_fills_the_copy(folder: Path) -> None:
    filled(folder)
    with Mirror(folder) as other, other.reading() as db:
        db.execute("SELECT * FROM message").fetchone()
        async with only_feed(folder):
            ended = await to_thread.run_sync(run, folder, "forget", "--yes")
    assert ended.exit_code == 0
    assert ended.stderr.splitlines() == [FILLED_AGAIN]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize(("typed", "is_erased"), [(FORGET, True), ("yes", False), ("", False), ("\x04", False)])
def test_in_a_terminal_forget_shows_what_is_lost_and_asks_for_a_word(folder: Path, typed: str, is_erased: bool) -> None:
    filled(folder, kept='["1"]')
    code, shown = in_a_terminal(folder, f"type {FORGET}: ", f"{typed}\n" if typed != "\x04" else typed, "forget")
    assert code == (0 if is_erased else 1)
    assert "1 message" in shown
    assert (status(folder)["mailboxes"] == []) is is_erased


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
async def test_in_a_terminal_a_sync_shows_bars_that_end_full(emulator: Emulator, folder: Path) -> None:
    for n in range(3):
        leave_voicemail(emulator, f"apples {n}")
    async with emulator.serve():
        act = partial(in_a_terminal, folder, "", "", "sync", **login_to(emulator))
        code, shown = await to_thread.run_sync(act)
    assert code == 0, shown
    without_colors = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    for title in ("Messages", "Texts"):
        assert re.findall(rf"{title} +\S+ (\d of \d)", without_colors)[-1] == "3 of 3"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
async def test_an_interrupted_sync_ends_in_one_line_and_keeps_what_it_fetched(folder: Path) -> None:
    with Emulator(scenario="empty") as emulator:
        for n in range(30):
            leave_voicemail(emulator, f"apples {n}")
        async with emulator.serve():
            env = {**os.environ, **login_to(emulator), "RC_MCP_STATE_DIR": str(folder)}
            async with await anyio.open_process([sys.executable, "-m", "rc_mcp", "mirror", "sync"], env=env) as process:
                assert process.stdout
                assert process.stderr
                with anyio.fail_after(60):
                    await BufferedByteReceiveStream(process.stdout).receive_until(b"Texts", 10_000)
                    while sum("/content/" in request.path for request in emulator.requests) < 3:
                        await anyio.lowlevel.checkpoint()
                    process.send_signal(signal.SIGINT)
                    said = b"".join([piece async for piece in process.stderr]).decode()
                    assert await process.wait() == 1
        assert said == f"rc-mcp: Interrupted. {GOES_ON}\n"
        fetched = sum("/content/" in request.path for request in emulator.requests)
    missing = status(folder)["mailboxes"][0]["contents_missing"]
    assert 30 - fetched <= missing <= 31 - fetched


def in_a_terminal(folder: Path, prompt: str, typed: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run `rc-mcp mirror` in a terminal and type when asked. Return the exit code and what was shown."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "RC_MCP_STATE_DIR": str(folder), **variables}
    command = [sys.executable, "-P", "-m", "rc_mcp", "mirror", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = ""
        while select.select([ours], [], [], 60)[0]:
            try:
                read = os.read(ours, 4096).decode()
            except OSError:  # Linux: the other end was closed
                break
            if not read:
                break
            shown += read
            if typed and shown.endswith(prompt):
                os.write(ours, typed.encode())
                typed = ""
        code = process.wait(60)
    os.close(ours)
    return code, shown.replace("\r", "")
