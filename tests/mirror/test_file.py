"""The file of the copy: private, refused if newer, made again if damaged, shared by processes."""

import signal
import sqlite3
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rc_mcp.mirror import rows
from rc_mcp.mirror.database import FILE, MIGRATIONS, VERSION, refusal
from rc_mcp.mirror.errors import Damaged, MadeByNewer, MirrorError, Unusable
from rc_mcp.mirror.mirror import Mirror
from tests.mirror.conftest import MAILBOX, Ids
from tests.mirror.messages import text_message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_only_the_owner_can_read_the_file_and_its_logs(mirror: Mirror, tmp_path: Path) -> None:
    mirror.put(MAILBOX, [text_message(1, "x")])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert FILE in modes
    assert f"{FILE}-wal" in modes
    assert set(modes.values()) == {0o600}


def test_a_newer_file_is_refused_and_not_changed(tmp_path: Path) -> None:
    Mirror(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(MadeByNewer):
        Mirror(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("version", range(VERSION))
def test_a_file_of_each_earlier_version_is_migrated(tmp_path: Path, version: int) -> None:
    db = sqlite3.connect(tmp_path / FILE)
    db.executescript(f"{''.join(MIGRATIONS[:version])} PRAGMA user_version = {version};")
    db.close()
    with Mirror(tmp_path) as mirror:
        assert not mirror.was_damaged
        mirror.put(mirror.mailbox("~", "~"), [text_message(1, "x")])


def test_an_index_of_other_rules_is_made_again(tmp_path: Path, mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples"), text_message(2, "pears", minutes=1)])
    with mirror.reading() as db:
        names = db.execute("SELECT folded FROM party").fetchall()
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("UPDATE setting SET value = 'an older version' WHERE name = 'index'")
    other.execute("UPDATE party SET folded = 'as it was'")
    other.execute("INSERT INTO words (words) VALUES ('delete-all')")
    other.commit()
    other.close()
    assert ids("apples") == []
    with Mirror(tmp_path) as again, again.reading() as db:
        assert db.execute("SELECT folded FROM party").fetchall() == names
    assert (ids("apples"), ids("from:maria")) == (["1"], ["2", "1"])


@pytest.mark.parametrize("damage", ["beginning", "page", "truncated", "index"])
def test_a_damaged_file_is_set_aside_and_begun_anew(tmp_path: Path, damage: str) -> None:
    with Mirror(tmp_path) as mirror:
        mirror.put(mirror.mailbox("~", "~"), [text_message(n, f"apples {n} " * 50, minutes=n) for n in range(200)])
    file = tmp_path / FILE
    content = bytearray(file.read_bytes())
    match damage:
        case "beginning":
            content[:16] = b"something else.."
        case "page":
            content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
        case "truncated":
            del content[8192:]
        case _:
            db = sqlite3.connect(file)
            db.execute("PRAGMA writable_schema = ON")
            db.execute("DELETE FROM words_data")
            db.commit()
            db.close()
            content = bytearray(file.read_bytes())
    file.write_bytes(content)
    said: list[type[MirrorError]] = []
    for _ in range(3):  # damage of a part is noticed when that part is used
        try:
            with Mirror(tmp_path) as mirror:
                said += [Damaged] if mirror.was_damaged else []
                mailbox = mirror.mailbox("~", "~")
                mirror.put(mailbox, [text_message(n, "apples", minutes=n) for n in range(3)])
                mirror.erase(mailbox, ["1"])
        except MirrorError as error:
            said.append(type(error))
    assert said[:1] == [Damaged]
    with Mirror(tmp_path) as mirror:
        status = mirror.status(mirror.mailbox("~", "~"))
        assert status.messages == 2


def test_damage_found_during_a_call_is_reported_and_the_next_call_begins_anew(tmp_path: Path, mirror: Mirror) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples " * 99, minutes=n) for n in range(300)])
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("DELETE FROM words_data WHERE id > 1000")
    other.commit()
    other.close()
    with pytest.raises(Damaged):
        mirror.erase(MAILBOX, ["1", "2"])
    assert mirror.status(mirror.mailbox("~", "~")).messages == 0


def test_a_folder_that_cannot_be_used_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unusable):
        Mirror(tmp_path / "file")


def test_an_error_in_a_page_changes_nothing(mirror: Mirror, ids: Ids, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples")])
    with monkeypatch.context() as patched:
        patched.setattr(rows, "encoded", lambda *_: 1 / 0)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        with pytest.raises(ZeroDivisionError):
            mirror.put(MAILBOX, [text_message(1, "pears"), text_message(2, "plums")], {"sync_token": "b"})
    assert (ids("apples"), ids("pears"), mirror.progress(MAILBOX)) == (["1"], [], {})


def test_a_full_disk_stops_the_change_and_nothing_else(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples")])
    with mirror.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    mirror._db.execute(f"PRAGMA max_page_count = {pages}")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(Unusable):
        mirror.put(MAILBOX, [text_message(n, "pears " * 999, minutes=n) for n in range(2, 50)])
    assert (ids("apples"), ids("pears")) == (["1"], [])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_on_a_disk_without_room_the_copy_is_searched_and_opened_and_its_log_is_emptied_later(
    mirror: Mirror, ids: Ids, tmp_path: Path
) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples " * 300, minutes=n) for n in range(30)])
    with _no_file_over(50_000):
        with pytest.raises(Unusable):
            mirror.put(MAILBOX, [text_message(n, "pears " * 999, minutes=n) for n in range(100, 200)])
        assert (len(ids("apples")), ids("pears")) == (30, [])
        with Mirror(tmp_path) as other:
            assert other.status(MAILBOX).messages == 30
    mirror.put(MAILBOX, [text_message(100, "pears")])
    assert (len(ids("apples")), ids("pears")) == (30, ["100"])
    mirror.erase(MAILBOX, ["100"])
    assert (tmp_path / f"{FILE}-wal").stat().st_size == 0


@contextmanager
def _no_file_over(size: int) -> Generator[None]:
    """Let no file grow beyond this size: a write beyond it fails, as on a full disk."""
    import resource  # not on Windows

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_a_copy_that_cannot_be_opened_again_says_why_until_it_can_be(mirror: Mirror, ids: Ids, tmp_path: Path) -> None:
    for file in tmp_path.glob(f"{FILE}*"):
        file.unlink()
    (tmp_path / FILE).mkdir()
    said = set[str]()
    for act in (lambda: ids("apples"), lambda: mirror.put(MAILBOX, []), lambda: ids("apples")):
        with pytest.raises(Unusable) as refused:
            act()
        said.add(str(refused.value))
    assert len(said) == 1
    (tmp_path / FILE).rmdir()
    assert ids("apples") == []


def test_two_users_of_the_folder_see_each_others_changes(tmp_path: Path, mirror: Mirror, ids: Ids) -> None:
    with Mirror(tmp_path) as feed:
        feed.put(MAILBOX, [text_message(1, "apples")])
        assert ids("apples") == ["1"]
        mirror.put(MAILBOX, [text_message(2, "apples", minutes=1)])
        feed.erase(MAILBOX, ["1"])
    assert ids("apples") == ["2"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no open file")
def test_a_file_that_was_removed_or_set_aside_is_opened_anew(tmp_path: Path, mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples")])
    for file in tmp_path.glob(f"{FILE}*"):
        file.unlink()
    assert ids("apples") == []
    mailbox = mirror.mailbox("~", "~")
    mirror.put(mailbox, [text_message(2, "apples")])
    with Mirror(tmp_path) as other:
        assert other.message(mailbox, "2") is not None
        other.close()
        (tmp_path / FILE).rename(tmp_path / "mirror.damaged.db")
    assert ids("apples") == []


def test_a_file_that_another_process_began_anew_is_not_set_aside(tmp_path: Path, mirror: Mirror) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples")])
    error = sqlite3.DatabaseError("malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert isinstance(refusal(error, tmp_path, (0, 0)), Damaged)
    assert mirror.message(MAILBOX, "1") is not None
