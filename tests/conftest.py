"""Fixtures for all tests."""

from collections.abc import Generator
from pathlib import Path

import pytest

from rc_mcp.emulator import Emulator
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
