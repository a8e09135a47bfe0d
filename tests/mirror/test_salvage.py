"""Tests of what is read back from a damaged copy."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.mirror import salvage as module
from rc_mcp.mirror.database import FILE, SET_ASIDE, damaged_files
from rc_mcp.mirror.errors import Damaged, Replaced
from rc_mcp.mirror.mirror import Mirror, forget_copy
from rc_mcp.mirror.progress import progress_of
from rc_mcp.mirror.salvage import Salvaged, salvage
from tests.mirror.conftest import MAILBOX, Ids
from tests.mirror.damaging import damage_index, damage_records
from tests.mirror.messages import text_message, voicemail

KEPT = {"sync_token": "token", "kept": '["3"]'}


def filled(folder: Path) -> None:
    with Mirror(folder) as mirror:
        mailbox = mirror.mailbox("1", "2")
        records = [text_message(n, f"apples {n} " * 40, minutes=n) for n in range(300)]
        mirror.put(mailbox, [*records, voicemail(900), voicemail(901)], KEPT)
        mirror.put_text(mailbox, "900", "9002", "pears")
        mirror.put_text(mailbox, "901", "9012", None, state="failed")


def read_all(mirror: Mirror) -> None:
    with mirror.reading() as db:
        db.execute("SELECT record FROM message").fetchall()


def test_a_copy_with_a_damaged_index_is_read_back_whole(tmp_path: Path) -> None:
    filled(tmp_path)
    damage_index(tmp_path)
    with Mirror(tmp_path) as mirror:
        assert mirror.was_damaged
        assert salvage(mirror, tmp_path) == Salvaged(302, 2, is_whole=True)
        mailbox = mirror.mailbox("1", "2")
        assert mirror.status(mailbox).messages == 302
        assert mirror.text(mailbox, "900", "9002") == ("text", "ringcentral", "pears")
        assert mirror.text(mailbox, "901", "9012") == ("failed", None, None)
        assert damaged_files(tmp_path) == []
        assert salvage(mirror, tmp_path) is None


def test_damage_found_within_another_reading_is_said_to_be_damage(tmp_path: Path) -> None:
    filled(tmp_path)
    damage_records(tmp_path)
    with Mirror(tmp_path) as mirror:
        with pytest.raises(Damaged), mirror.reading():
            read_all(mirror)
        assert mirror.mailboxes() == {}


def test_of_a_copy_with_damaged_records_the_others_are_read_back_and_the_file_stays(tmp_path: Path) -> None:
    filled(tmp_path)
    damage_records(tmp_path)
    with Mirror(tmp_path) as mirror:
        with pytest.raises(Damaged):
            read_all(mirror)
        found = salvage(mirror, tmp_path)
        assert found is not None
        assert 250 < found.messages < 302
        assert not found.is_whole
        assert mirror.message(mirror.mailbox("1", "2"), "0") is not None
        assert mirror.message(mirror.mailbox("1", "2"), "299") is not None
        assert (tmp_path / SET_ASIDE).exists()


def test_a_file_that_is_no_copy_gives_nothing_and_is_left(tmp_path: Path) -> None:
    (tmp_path / SET_ASIDE).write_bytes(b"no database" * 1000)
    with Mirror(tmp_path) as mirror:
        assert salvage(mirror, tmp_path) == Salvaged(0, 0, is_whole=False)
        assert (tmp_path / SET_ASIDE).exists()


def test_records_that_are_not_messages_are_passed_over(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        for n, record in enumerate([b"7", b"{", b"\xff\xff", b"{}", b'{"id": []}', "text", 5, None]):
            db.execute("UPDATE OR IGNORE message SET record = ? WHERE id = ?", (record, n))
        db.commit()
    damage_index(tmp_path)
    with Mirror(tmp_path) as mirror:
        found = salvage(mirror, tmp_path)
    assert found == Salvaged(295, 2, is_whole=False)


def test_the_log_of_a_damaged_copy_is_read_too(tmp_path: Path) -> None:
    with Mirror(tmp_path) as mirror:
        mirror.put(mirror.mailbox("1", "2"), [text_message(1, "in the log")])
        log = (tmp_path / f"{FILE}-wal").read_bytes()
        content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).unlink()
    (tmp_path / SET_ASIDE).write_bytes(content)
    (tmp_path / f"{SET_ASIDE}-wal").write_bytes(log)
    with Mirror(tmp_path) as mirror:
        assert salvage(mirror, tmp_path) == Salvaged(1, 0, is_whole=True)


def test_what_the_new_copy_has_is_newer_and_stays(tmp_path: Path) -> None:
    filled(tmp_path)
    damage_index(tmp_path)
    with Mirror(tmp_path) as mirror:
        mailbox = mirror.mailbox("1", "2")
        mirror.put(mailbox, [text_message(5, "changed")], {"kept": '["7"]', "sync_token": "newer"})
        assert salvage(mirror, tmp_path) == Salvaged(301, 2, is_whole=True)
        message = mirror.message(mailbox, "5")
        assert message is not None
        assert message.subject == "changed"
        progress = progress_of(mirror, mailbox)
        assert progress.kept == {"3", "7"}
        assert progress.sync_token == "newer"
        assert progress.imports > progress.imports_compared


def test_a_table_that_disagrees_with_its_index_is_found_when_the_index_of_words_is_made_again(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = sql || ' WHERE created_ms < 0' WHERE name = 'message_by_time'")
        db.commit()
    with Mirror(tmp_path) as mirror:
        with pytest.raises(Damaged):
            mirror.index_again()
        assert salvage(mirror, tmp_path) == Salvaged(302, 2, is_whole=True)


def test_an_index_is_made_again_from_the_records(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples"), voicemail(2)])
    mirror.put_text(MAILBOX, "2", "22", "pears")
    with mirror.reading():
        pass
    mirror._db.execute("INSERT INTO words (words) VALUES ('delete-all')")  # pyright: ignore[reportPrivateUsage]
    assert ids("apples") == []
    assert mirror.index_again() == 2
    assert (ids("apples"), ids("pears")) == (["1"], ["2"])


def test_what_is_erased_meanwhile_is_not_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    damage_index(tmp_path)
    batched = module._batched  # pyright: ignore[reportPrivateUsage]

    def erased_after_the_first(found: Iterator[Any]) -> Iterator[list[Any]]:
        for n, some in enumerate(batched(found)):
            if n == 1:
                assert forget_copy(tmp_path) is None
            yield some

    monkeypatch.setattr(module, "_AT_ONCE", 100)
    monkeypatch.setattr(module, "_batched", erased_after_the_first)
    with Mirror(tmp_path) as mirror:
        with pytest.raises(Replaced):
            salvage(mirror, tmp_path)
        assert mirror.mailboxes() == {}


def test_messages_are_read_back_into_their_own_mailbox_if_the_copy_was_replaced_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    damage_index(tmp_path)
    batched = module._batched  # pyright: ignore[reportPrivateUsage]

    def replaced_after_the_first(found: Iterator[Any]) -> Iterator[list[Any]]:
        for n, some in enumerate(batched(found)):
            if n == 1:
                (tmp_path / FILE).unlink()
                with Mirror(tmp_path) as other:
                    other.mailbox("9", "9")
            yield some

    monkeypatch.setattr(module, "_AT_ONCE", 100)
    monkeypatch.setattr(module, "_batched", replaced_after_the_first)
    with Mirror(tmp_path) as mirror:
        salvage(mirror, tmp_path)
        assert mirror.status(mirror.mailbox("9", "9")).messages == 0
        assert mirror.status(mirror.mailbox("1", "2")).messages > 0
