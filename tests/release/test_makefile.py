"""The Makefile installs requirements with visible progress on a terminal, and quietly elsewhere."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "anyio==4.11.0"
PIP = f"""#!/bin/sh
case "$*" in *--quiet*) ;; *) echo "Collecting {PACKAGE} (from x)"; echo "Installing collected packages: x";; esac
echo "a fault" >&2
exit $CODE
"""

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make")]


def set_up(folder: Path, code: int, *, terminal: bool) -> tuple[int, str]:
    """Run the set-up with a stand-in for pip that ends with this code; return make's exit code and output."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").touch()
    (folder / "pip").write_text(PIP)
    command = ["make", ".venv/run.ready", "PIP=sh ./pip"]
    reading, writing = pty.openpty() if terminal else os.pipe()
    # `make test` runs this test: without its variables, this make is not a part of it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        command, cwd=folder, stdout=writing, stderr=writing, env={**environment, "CODE": str(code)}, check=False
    )
    os.close(writing)
    said = b""
    try:
        while chunk := os.read(reading, 65_536):
            said += chunk
    except OSError:  # a terminal whose other side is closed
        pass
    os.close(reading)
    return done.returncode, said.decode()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_set_up_succeeds_and_says_what_it_does(tmp_path: Path, terminal: bool) -> None:
    code, said = set_up(tmp_path, 0, terminal=terminal)
    assert code == 0, said
    assert (tmp_path / ".venv/run.ready").exists()
    assert ".venv" in said.splitlines()[0]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_failure_of_pip_ends_make_and_is_shown(tmp_path: Path, terminal: bool) -> None:
    code, said = set_up(tmp_path, 1, terminal=terminal)
    assert code != 0
    assert "a fault" in said
    assert not (tmp_path / ".venv/run.ready").exists()


def test_only_a_terminal_shows_the_package_that_pip_is_at(tmp_path: Path) -> None:
    said = {}
    for terminal in (True, False):
        folder = tmp_path / str(terminal)
        folder.mkdir()
        said[terminal] = set_up(folder, 0, terminal=terminal)[1]
    assert PACKAGE in said[True]
    assert PACKAGE not in said[False]
    assert "\x1b" not in said[False]
