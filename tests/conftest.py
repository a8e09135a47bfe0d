"""Fixtures for all tests."""

import itertools
import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from rc_mcp import time_limits
from rc_mcp.emulator import Emulator
from rc_mcp.guard.state.state import State
from rc_mcp.media.document_limits import LIMITS as MEDIA_LIMITS
from rc_mcp.ringcentral.limits import LIMITS
from tests import processes
from tests.desk import Clock, Desk, Era, Faults

if TYPE_CHECKING:
    from rc_mcp.team.tenant_state import GuardDatabase

# The same examples in every run: a failure repeats in the next run. `make test-random` looks for others. Without
# a deadline: the first example of a test pays for imports, and a busy machine for the rest.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", max_examples=1_000, deadline=None, print_blob=True)
settings.load_profile("same")


MIRROR = "RC_MCP_MIRROR"
# The demo's server reads all its attachments for the local copy. Tests of that ask for it.
os.environ[MIRROR] = "off"


_ACCOUNTS = itertools.count(4_000_000_001)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the guard's tests run on a team's database: `pytest tests/guard --state postgres`."""
    parser.addoption("--state", choices=("folder", "postgres"), default="folder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start another process, so that `make test-fast` can leave them out.

    Coverage is measured only in the tests that count for it (`tool.coverage.report` in pyproject.toml): it takes time.
    """
    processes.mark_those_that_start_one(items)
    for item in items:
        if not item.nodeid.startswith(("tests/guard/", "tests/ringcentral/")):
            item.add_marker("no_cover")


@pytest.fixture(autouse=True)
def no_process_unless_marked(request: pytest.FixtureRequest) -> Generator[None]:
    """Only a test with the mark `process` may start another process."""
    if request.node.get_closest_marker("process"):
        yield
    else:
        with processes.forbidden(request.node.nodeid):
            yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["auto", "legacy"], ids=["2026-07-28", "2025-11-25"])
def era(request: pytest.FixtureRequest) -> Era:
    """The protocol era a client speaks."""
    return request.param


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the machine's environment nor a `.env` in the checkout affects a test."""
    for name in os.environ:
        if name.startswith("RC_") and name != MIRROR:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def desk(tmp_path: Path, in_database: State | None) -> Generator[Desk]:
    """The office's mailbox, an hour after it was filled, with our server in front of it."""
    clock = Clock()
    with Emulator(rate_limits=False, now=clock) as emulator:
        yield Desk(emulator, tmp_path, clock, Faults(emulator), in_database=in_database)


@pytest.fixture(scope="session")
def guard_database(request: pytest.FixtureRequest) -> Generator["GuardDatabase | None"]:
    """With `--state postgres`: a PostgreSQL, which keeps the state of each desk."""
    if request.config.getoption("--state") == "folder":
        yield None
        return
    from rc_mcp.team.key_ring import KeyRing
    from rc_mcp.team.tenant_state import GuardDatabase
    from tests.team import postgres

    keys = KeyRing(["a key of the tests, which has 32 characters or more"])
    with (
        postgres.server() as url,
        postgres.fresh(postgres.with_template(url)) as ours,
        GuardDatabase(ours, keys) as database,
    ):
        yield database


@pytest.fixture
def in_database(guard_database: "GuardDatabase | None") -> State | None:
    """A new tenant's state; None where the state is a folder."""
    if guard_database is None:
        return None
    from tests.team import postgres

    account_id = str(next(_ACCOUNTS))
    postgres.add_tenant(guard_database.url, account_id)
    return guard_database.of(account_id)


@pytest.fixture
def a_short_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may take half a second. The time for a DELETE is in proportion."""
    _shorten(monkeypatch, call_s=0.5)


@pytest.fixture
def a_bearable_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may take four seconds, in which a busy machine finishes before its end."""
    _shorten(monkeypatch, call_s=4)


@pytest.fixture
def a_patient_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document may take minutes: the test must not depend on a busy machine."""
    monkeypatch.setattr(time_limits, "CALL_S", 300)
    monkeypatch.setattr("rc_mcp.media.reading.LIMITS", replace(MEDIA_LIMITS, time_s=300, ocr_time_s=300))


def _shorten(monkeypatch: pytest.MonkeyPatch, *, call_s: float) -> None:
    monkeypatch.setattr(time_limits, "CALL_S", call_s)
    shorter = replace(LIMITS, change_begins_s=0.4 * call_s, read_back_s=0.2 * call_s)
    monkeypatch.setattr("rc_mcp.ringcentral.transport.connection.LIMITS", shorter)
    monkeypatch.setattr("rc_mcp.guard.guard.LIMITS", shorter)
