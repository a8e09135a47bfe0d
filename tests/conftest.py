"""Fixtures for all tests."""

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from rc_mcp import time_limits
from rc_mcp.emulator import Emulator
from rc_mcp.media.document_limits import LIMITS as MEDIA_LIMITS
from rc_mcp.ringcentral.limits import LIMITS
from tests import processes
from tests.desk import Clock, Desk, Era, Faults

# The same examples in every run: a failure repeats in the next run. `make test-random` looks for others. Without
# a deadline: the first example of a test pays for imports, and a busy machine for the rest.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", max_examples=1_000, deadline=None, print_blob=True)
settings.load_profile("same")


MIRROR = "RC_MCP_MIRROR"
# The demo's server reads all its attachments for the local copy. Tests of that ask for it.
os.environ[MIRROR] = "off"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start another process, so that `make test-fast` can leave them out."""
    processes.mark_those_that_start_one(items)


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
def desk(tmp_path: Path) -> Generator[Desk]:
    """The office's mailbox, an hour after it was filled, with our server in front of it."""
    clock = Clock()
    with Emulator(rate_limits=False, now=clock) as emulator:
        yield Desk(emulator, tmp_path / "state", clock, Faults(emulator))


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
