"""RingCentral's own clients, unmodified, run as programs of their own."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.installed import node_environment, python_environment, python_of, tool

HERE = Path(__file__).parent
RUN_TIMEOUT_S = 60

PROGRAMS = {"ringcentral": "interop.py", "@ringcentral/sdk": "sdk.mjs", "@rc-ex/core": "rcex.mjs"}


@pytest.fixture(scope="session")
def python_client() -> tuple[Path, list[str]]:
    """A folder that has the client, and the command that runs a program there."""
    folder = python_environment(HERE)
    return folder, [python_of(folder), "-"]


@pytest.fixture(scope="session")
def node_clients() -> tuple[Path, list[str]]:
    folder = node_environment(HERE)
    return folder, [tool("node"), "--input-type=module", "-"]


@pytest.fixture(scope="session", params=PROGRAMS)
def seen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What one of the clients saw of a mailbox of its own."""
    program = HERE / PROGRAMS[request.param]
    folder, command = request.getfixturevalue("python_client" if program.suffix == ".py" else "node_clients")
    with emulator() as at:
        return printed(program, command, at, folder)


def printed(program: Path, command: list[str], at: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a program prints, as JSON, when it is given an emulator's addresses and credentials."""
    # Read from stdin, a module finds its imports in the working folder: the programs stay here, the clients there.
    ran = subprocess.run(
        [*command, json.dumps(at)],
        input=program.read_text("utf-8"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture
def login(tmp_path: Path) -> Generator[Path]:
    """The file that `rc-mcp emulator > login.json` writes, while that runs."""
    with emulator() as at:
        path = tmp_path / "login.json"
        path.write_text(json.dumps(at))
        yield path


@contextmanager
def emulator() -> Generator[dict[str, str]]:
    """Start the command as a user would. Gives its first line, and since when there are messages in it."""
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--rate-limits"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        try:
            assert process.stdout is not None
            since = datetime.now(UTC) - timedelta(days=30)
            yield {**json.loads(process.stdout.readline()), "since": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        finally:
            process.terminate()
