"""A saved file never takes the place of another, never follows a link, and is its owner's alone."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from rc_mcp.media.saving import Saved, keep, new_file


def saved(folder: Path, content: bytes) -> Saved:
    with new_file(folder) as (temporary, descriptor):
        os.write(descriptor, content)
        return keep(temporary, "1-2", ".pdf")


def test_a_file_gets_the_name_it_should_have_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    done = saved(tmp_path / "new" / "folder", b"x")
    assert done.path == tmp_path / "new" / "folder" / "1-2.pdf"
    assert done.sha256 == hashlib.sha256(b"x").hexdigest()
    if sys.platform != "win32":
        assert done.path.stat().st_mode & 0o777 == 0o600
        assert done.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(done.path.parent.iterdir()) == [done.path]


def test_the_same_content_is_saved_once(tmp_path: Path) -> None:
    assert saved(tmp_path, b"x").path == saved(tmp_path, b"x").path


def test_another_content_of_the_same_name_is_left_as_it_is(tmp_path: Path) -> None:
    first, second, third = (saved(tmp_path, content) for content in (b"x", b"y", b"z"))
    assert [p.path.name for p in (first, second, third)] == ["1-2.pdf", "1-2-2.pdf", "1-2-3.pdf"]
    assert first.path.read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege there")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    for target in (tmp_path / "elsewhere", tmp_path / "nowhere" / "to"):
        link = tmp_path / "1-2.pdf"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert saved(tmp_path, target.name.encode()).path.name != "1-2.pdf"
        assert link.is_symlink()
        assert not target.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders there")
def test_a_link_to_the_same_content_and_a_pipe_count_as_something_else(tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"x")
    (tmp_path / "1-2.pdf").symlink_to(tmp_path / "original")
    os.mkfifo(tmp_path / "1-2-2.pdf")
    assert saved(tmp_path, b"x").path.name == "1-2-3.pdf"


def test_nothing_is_left_of_a_file_that_was_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_file(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
