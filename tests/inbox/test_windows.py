"""How often the page is opened for plan after plan. Here time passes only when a test says so."""

from collections.abc import Callable
from unittest.mock import AsyncMock, MagicMock

import pytest

from rc_mcp.inbox import windows
from rc_mcp.inbox.browser import Keys
from rc_mcp.inbox.windows import BrowserPage

pytestmark = pytest.mark.anyio


class Opened:
    """A page whose browser loads it in the background: it opens its session, and asks for nothing more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.times, self.keys = 0.0, list[float](), Keys()
        monkeypatch.setattr(windows.anyio, "current_time", lambda: self.at)
        monkeypatch.setattr(windows.BrowserPage, "address", AsyncMock(side_effect=lambda: self.keys.new()))
        self.page = BrowserPage(MagicMock(), MagicMock(), self._open)
        monkeypatch.setattr(self.page, "_keys", self.keys)

    async def _open(self, key: str) -> bool:
        self.times.append(self.at)
        self.token = self.keys.open(key) or ""
        self.keys.knows(self.token)
        return True

    async def plan_every_second(self, seconds: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        for _ in range(seconds):
            assert await self.page.show()
            meanwhile()
            self.at += 1


async def test_a_page_at_which_nobody_looks_is_opened_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch)
    await opened.plan_every_second(8 * 3600)
    assert len(opened.times) < 12


async def test_a_page_that_was_looked_at_and_closed_is_opened_again_after_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = Opened(monkeypatch)
    await opened.plan_every_second(600)
    times = len(opened.times)
    opened.at += 3600
    await opened.plan_every_second(10, lambda: opened.keys.knows(opened.token))
    await opened.plan_every_second(61)
    assert len(opened.times) == times + 2
    assert opened.times[-1] - opened.times[-2] == pytest.approx(60)
