"""docs/emulator.md: every snippet in it runs unchanged."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/emulator.md").read_text("utf-8")
SNIPPETS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
[START, CURL] = [text for language, text in SNIPPETS if language == "sh"]
[SDK, IN_PROCESS, ENABLE, TEST] = [text for language, text in SNIPPETS if language == "python"]
[NODE] = [text for language, text in SNIPPETS if language == "js"]

Client = tuple[Path, list[str]]


def run(command: Sequence[str | Path], program: str, folder: Path) -> str:
    ran = subprocess.run(command, input=program, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_every_snippet_is_run_here() -> None:
    assert len(SNIPPETS) == 7
    assert START == "rc-mcp emulator > login.json\n"
    assert ENABLE == 'pytest_plugins = ["rc_mcp.emulator.pytest_plugin"]\n'


def test_python(python_client: Client, login: Path) -> None:
    printed = run(python_client[1], SDK, login.parent)
    assert re.search(r"^(SMS|VoiceMail) \+1\d{10} ", printed, re.MULTILINE)


def test_node(node_clients: Client, login: Path) -> None:
    folder, command = node_clients
    printed = run(command, NODE.replace("'login.json'", json.dumps(str(login))), folder)
    assert re.search(r"^(SMS|VoiceMail) \+1\d{10} ", printed, re.MULTILINE)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl or jq is not on this machine")
def test_curl(login: Path) -> None:
    assert re.fullmatch(r"(\+1\d{10}\n)+", run(["sh", "-eu"], CURL, login.parent))


def test_in_process(tmp_path: Path) -> None:
    assert run([sys.executable, "-W", "error", "-"], IN_PROCESS, tmp_path) == "Are you open today?\n"


def test_the_fixture(python_client: Client, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(ENABLE)
    (tmp_path / "test_snippet.py").write_text(TEST)
    # The client comes from its own environment, all else from ours.
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = run(python_client[1], where, tmp_path).strip()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={packages}"]
    assert "1 passed" in run([*command, tmp_path], "", tmp_path)
