"""An encrypted copy: nothing of it can be read without the key, and a wrong key harms nothing."""

import random
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rc_mcp import time_limits
from rc_mcp.mirror import encryption
from rc_mcp.mirror.database import FILE
from rc_mcp.mirror.encryption import SALT_FILE, SHORTEST_KEY, key_from
from rc_mcp.mirror.errors import Unusable, WrongKey
from rc_mcp.mirror.mirror import Mirror, forget_copy
from rc_mcp.mirror.search import search
from tests.mirror.conftest import MAILBOX
from tests.mirror.corpus import generated
from tests.mirror.messages import text_message
from tests.mirror.oracle import queries
from tests.mirror.test_erasing import fill, traces
from tests.mirror.test_recall import expected, found

KEY = "correct horse battery staple"
OTHER = "another horse battery staple"


@pytest.fixture(autouse=True)
def _quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "_SCRYPT", {"n": 2, "r": 8, "p": 1})


def filled(folder: Path, key: str | None) -> None:
    with Mirror(folder, key) as mirror:
        mirror.put(mirror.mailbox("~", "~"), [text_message(1, "canary")])


def ids(mirror: Mirror, query: str = "canary") -> list[str]:
    return [hit.message.id for hit in search(mirror, MAILBOX, query, datetime.now(UTC), UTC).hits]


def files(folder: Path) -> Mapping[str, bytes]:
    """Return what is in the folder, without the lock."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock"}


def test_no_byte_of_a_message_can_be_read_in_any_file(tmp_path: Path) -> None:
    with Mirror(tmp_path, KEY) as mirror:
        assert mirror.mailbox("~", "~") == MAILBOX
        said = fill(mirror, random.Random(1), 60)  # noqa: S311
        canaries = [word for words in said.values() for word in words]
        assert (tmp_path / f"{FILE}-wal").stat().st_size > 0
        assert traces(tmp_path, canaries) == []
        assert [ids(mirror, words[0]) for words in said.values()] == [[message_id] for message_id in said]
    assert traces(tmp_path, [*canaries, KEY, "sqlite format", "filler", "costa"]) == []
    assert set(files(tmp_path)) == {FILE, SALT_FILE}


def test_the_same_key_opens_the_copy_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with the real effort
    filled(tmp_path, KEY)
    with Mirror(tmp_path, KEY) as mirror:
        assert not mirror.was_damaged
        assert ids(mirror) == ["1"]


@pytest.mark.parametrize(("first", "then"), [(KEY, OTHER), (KEY, None), (None, KEY), (KEY, "")])
def test_another_key_is_an_error_and_changes_nothing(
    tmp_path: Path, first: str | None, then: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path, first)
    before = files(tmp_path)
    with pytest.raises(WrongKey, match="rc-mcp mirror forget") as refused:
        Mirror(tmp_path, then)
    assert files(tmp_path) == before
    assert not (then and then in str(refused.value))
    assert "".join(capfd.readouterr()) == ""
    with Mirror(tmp_path, first) as mirror:
        assert ids(mirror) == ["1"]


@pytest.mark.parametrize("salt", [None, "", "00", "zz\nzz", f"{'00' * 16}\n{'00' * 32}\n"])
def test_a_copy_without_its_salt_is_not_taken_for_damaged(tmp_path: Path, salt: str | None) -> None:
    filled(tmp_path, KEY)
    if salt is None:
        (tmp_path / SALT_FILE).unlink()
    else:
        (tmp_path / SALT_FILE).write_text(salt)
    before = files(tmp_path)
    with pytest.raises(WrongKey):
        Mirror(tmp_path, KEY)
    assert files(tmp_path) == before


def test_a_damaged_copy_with_its_key_is_set_aside_as_any_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path, KEY)
    with (tmp_path / FILE).open("r+b") as file:
        file.write(b"\xff" * 4096)
    with Mirror(tmp_path, KEY) as mirror:
        assert mirror.was_damaged
        mirror.mailbox("~", "~")
        assert ids(mirror) == []
        assert mirror.status(MAILBOX).set_aside == 1
    assert traces(tmp_path, ["canary", "sqlite format"]) == []
    assert "".join(capfd.readouterr()) == ""


def test_a_copy_that_is_damaged_while_it_is_open_is_set_aside(tmp_path: Path) -> None:
    filled(tmp_path, KEY)
    with Mirror(tmp_path, KEY) as mirror:
        assert ids(mirror) == ["1"]
        (tmp_path / FILE).rename(tmp_path / "away")
        assert ids(mirror) == []  # a new, empty one
    filled(tmp_path, KEY)
    assert traces(tmp_path, ["canary"]) == []


@pytest.mark.parametrize("first", [KEY, None])
@pytest.mark.parametrize("then", [KEY, OTHER, None])
def test_after_forget_nothing_is_left_and_the_next_copy_may_have_another_key(
    tmp_path: Path, first: str | None, then: str | None
) -> None:
    filled(tmp_path, first)
    forget_copy(tmp_path)
    assert files(tmp_path) == {}
    filled(tmp_path, then)
    with Mirror(tmp_path, then) as mirror:
        assert ids(mirror) == ["1"]
        forget_copy(tmp_path)
        if sys.platform != "win32":
            assert ids(mirror) == []


def test_queries_find_the_same_in_an_encrypted_copy(tmp_path: Path) -> None:
    entries, now = generated(300)
    with Mirror(tmp_path, KEY) as mirror:
        mailbox = mirror.mailbox("~", "~")
        for entry in entries:
            mirror.put(mailbox, [text_message(0, "", **entry.record)])
        for query, fits in queries(entries, now, seed=3, each=3):
            right = expected(entries, query, fits)
            assert (query, found(mirror, mailbox, query, now)[1]) == (query, len(right))


def test_without_the_extra_the_copy_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlcipher3.dbapi2", None)
    with pytest.raises(Unusable, match="encrypted"):
        Mirror(tmp_path, KEY)


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


@pytest.mark.process
@pytest.mark.parametrize("ending", ["", "\\n", "\\r\\n", "\\nurl: x\\n"])
def test_the_key_is_the_first_line_that_the_command_prints(ending: str) -> None:
    assert key_from(python(f"print('{KEY}{ending}', end='')")) == KEY


@pytest.mark.process
def test_a_key_of_other_bytes_than_text_opens_the_copy_too(tmp_path: Path) -> None:
    key = key_from(python("import sys; sys.stdout.buffer.write(bytes(range(128, 160)))"))
    filled(tmp_path, key)
    with Mirror(tmp_path, key) as mirror:
        assert ids(mirror) == ["1"]


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "why"),
    [
        (python(f"print('{'x' * (SHORTEST_KEY - 1)}')"), str(SHORTEST_KEY)),
        (python("print(); print('canary canary canary')"), str(SHORTEST_KEY)),
        (python("import sys; print('canary canary canary'); sys.stderr.write('canary'); sys.exit(3)"), "3"),
        (python("import time; time.sleep(60)"), "more than"),
        ("/nowhere/canary", "cannot be run"),
        ("'canary", "cannot be run"),
        ("", "cannot be run"),
        ("echo canary-canary-canary; touch canary", None),
    ],
)
def test_a_command_that_gives_no_key_is_an_error_without_what_it_printed(
    command: str, why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time_limits, "KEY_COMMAND_S", 2.0)
    if why is None:
        key_from(command)  # words of a shell are arguments of echo
    else:
        with pytest.raises(WrongKey, match=why) as refused:
            key_from(command)
        assert "canary" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    assert "".join(capfd.readouterr()) == ""
