"""Fixtures for all tests."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.tools import strict
from tests.desk import Clock, Desk, Era, Faults


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["auto", "legacy"], ids=["2026-07-28", "2025-11-25"])
def era(request: pytest.FixtureRequest) -> Era:
    """The protocol era a client speaks."""
    return request.param


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the machine's environment nor a `.env` in the checkout decides what a test sees."""
    import os

    for name in os.environ:
        if name.startswith("RC_"):
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
    """A call may take half a second. What a DELETE needs is in proportion."""
    _shorten(monkeypatch, call_s=0.5)


@pytest.fixture
def a_bearable_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may take two seconds, in which a busy machine does what has to be done before its end."""
    _shorten(monkeypatch, call_s=2)


def _shorten(monkeypatch: pytest.MonkeyPatch, *, call_s: float) -> None:
    monkeypatch.setattr(strict, "CALL_S", call_s)
    shorter = replace(LIMITS, change_begins_s=0.4 * call_s, read_back_s=0.2 * call_s)
    monkeypatch.setattr("rc_mcp.ringcentral.connection.LIMITS", shorter)
    monkeypatch.setattr("rc_mcp.guard.guard.LIMITS", shorter)
