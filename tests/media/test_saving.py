"""A saved file never replaces another file, never follows a link, and is readable only by its owner."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from rc_mcp.media.saving import Saved, keep
from rc_mcp.private_files import make_folder, new_file


def saved(folder: Path, content: bytes) -> Saved:
    make_folder(folder)
    with new_file(folder) as (temporary, file):
        file.write(content)
        file.close()
        return keep(temporary, "1-2", ".pdf")


def test_a_file_gets_its_name_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    done = saved(tmp_path / "new" / "folder", b"x")
    assert done.path == tmp_path / "new" / "folder" / "1-2.pdf"
    assert done.sha256 == hashlib.sha256(b"x").hexdigest()
    if sys.platform != "win32":
        assert done.path.stat().st_mode & 0o777 == 0o600
        assert done.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(done.path.parent.iterdir()) == [done.path]


def test_the_same_content_is_saved_once(tmp_path: Path) -> None:
    assert saved(tmp_path, b"x").path == saved(tmp_path, b"x").path


def test_an_existing_file_with_other_content_is_not_changed(tmp_path: Path) -> None:
    first, second, third = (saved(tmp_path, content) for content in (b"x", b"y", b"z"))
    assert [p.path.name for p in (first, second, third)] == ["1-2.pdf", "1-2-2.pdf", "1-2-3.pdf"]
    assert first.path.read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    for target in (tmp_path / "elsewhere", tmp_path / "nowhere" / "to"):
        link = tmp_path / "1-2.pdf"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert saved(tmp_path, target.name.encode()).path.name != "1-2.pdf"
        assert link.is_symlink()
        assert not target.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
def test_a_link_to_the_same_content_and_a_pipe_count_as_other_content(tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"x")
    (tmp_path / "1-2.pdf").symlink_to(tmp_path / "original")
    os.mkfifo(tmp_path / "1-2-2.pdf")
    assert saved(tmp_path, b"x").path.name == "1-2-3.pdf"


def test_a_file_that_is_not_kept_is_removed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_file(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_closed_at_the_end(tmp_path: Path) -> None:
    with new_file(tmp_path) as (_, file):
        pass
    assert file.closed
