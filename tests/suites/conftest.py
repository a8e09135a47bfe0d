"""Third-party test suites for our server, each installed in its own environment."""

import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.conftest import MIRROR
from tests.installed import python_environment, python_of
from tests.serving import http_server

HERE = Path(__file__).parent
RUN_TIMEOUT_S = 120

Judge = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def with_a_local_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo has one unless a test switches it off."""
    monkeypatch.delenv(MIRROR)


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Runs one of the Python suites: the module that has its `main`, and its arguments."""
    python = python_of(python_environment(HERE))

    def run(module: str, *arguments: str, timeout_s: float = RUN_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        program = f"import sys; from {module} import main; sys.exit(main())"
        command = [python, "-c", program, *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        print(ran.stdout)  # noqa: T201  shown by `make suites`
        return ran

    return run


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """Where the demo is served over HTTP."""
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path / "state"))
    with http_server("--demo") as served:
        yield served
