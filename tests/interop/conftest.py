"""RingCentral's own clients, unmodified: installed once into `.interop/`, then run as programs of their own."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".interop"
# From a cold cache and a slow network. A warm cache is not asked.
INSTALL_TIMEOUT_S = 120
RUN_TIMEOUT_S = 60

PROGRAMS = {"ringcentral": "interop.py", "@ringcentral/sdk": "sdk.mjs", "@rc-ex/core": "rcex.mjs"}
PYTHON_FILES = ("requirements-build.txt", "requirements.txt")
NODE_FILES = ("package.json", "package-lock.json")


@pytest.fixture(scope="session")
def python_client() -> tuple[Path, list[str]]:
    """A folder that has the client, and the command that runs a program there."""
    folder = installed("python", PYTHON_FILES, install_python)
    return folder, [python_of(folder), "-"]


@pytest.fixture(scope="session")
def node_clients() -> tuple[Path, list[str]]:
    folder = installed("node", NODE_FILES, install_node)
    return folder, [tool("node"), "--input-type=module", "-"]


@pytest.fixture(scope="session", params=PROGRAMS)
def seen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What one of the clients saw of a mailbox of its own."""
    program = HERE / PROGRAMS[request.param]
    folder, command = request.getfixturevalue("python_client" if program.suffix == ".py" else "node_clients")
    with emulator() as at:
        # Read from stdin, a module finds what it imports in the working folder: the programs stay here, the clients
        # there.
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
    """The command as anyone would start it. Gives its first line, and since when there are messages in it."""
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--rate-limits"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        try:
            assert process.stdout is not None
            since = datetime.now(UTC) - timedelta(days=30)
            yield {**json.loads(process.stdout.readline()), "since": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        finally:
            process.terminate()


def installed(name: str, files: tuple[str, ...], install: Callable[[Path], None]) -> Path:
    """The folder an install is in. Its name says what was asked for, so that a new version is a new folder."""
    asked = b"".join((HERE / file).read_bytes() for file in files) + f"{sys.version_info[:2]}".encode()
    folder = CACHE / f"{name}-{hashlib.sha256(asked).hexdigest()[:12]}"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as temporary:
            install(Path(temporary))
            # All or nothing. Where two test processes do this at once, the second finds it done.
            if not folder.exists():
                Path(temporary).rename(folder)
    return folder


def install_python(folder: Path) -> None:
    run(sys.executable, "-m", "venv", folder)
    pip = [python_of(folder), "-m", "pip", "--disable-pip-version-check", "--retries=1", "--timeout=20", "install"]
    build, wanted = (HERE / file for file in PYTHON_FILES)
    run(*pip, "--require-hashes", "-r", build)
    run(*pip, "--require-hashes", "--no-build-isolation", "-r", wanted)


def install_node(folder: Path) -> None:
    tool("node")
    for file in NODE_FILES:
        shutil.copy(HERE / file, folder)
    quick = ("--fetch-retries=1", "--fetch-timeout=20000")
    run(tool("npm"), "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--logs-max=0", *quick)


def python_of(environment: Path) -> str:
    return str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not on this machine")


def run(*command: str | Path) -> None:
    """Runs a step of an install. What fails is this machine's affair, except in CI, where it has to work."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        reason = f"could not install the client, {Path(command[0]).name} failed: {last_line(error.stderr)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def last_line(output: str | bytes | None) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no message")
