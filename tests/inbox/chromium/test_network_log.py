"""Chromium's own log of its network: the page asked nothing but its server."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from rc_mcp.inbox.browser import HOST
from tests.desk import Desk
from tests.inbox.chromium.opened import BROWSER
from tests.inbox.chromium.story import PAGES, TEXTS, TRANSCRIPT, WHO, add_story
from tests.inbox.chromium.visits import running_chromium, visiting

pytestmark = pytest.mark.anyio

BROWSER_ITSELF = "not an origin"


async def test_the_page_asks_nobody_but_its_server(desk: Desk, tmp_path: Path) -> None:
    add_story(desk)
    log = tmp_path / "network.json"
    async with (
        running_chromium(f"--log-net-log={log}") as browser,
        visiting(browser) as visit,
        BROWSER.opened(visit, desk) as user,
    ):
        await user.open_conversation(WHO)
        await user.button("Play").click()
        await user.is_playing()
        await expect(user.view.get_by_text(TRANSCRIPT)).to_be_visible()
        await user.button(f"Show {PAGES} pages").click()
        await expect(user.view.get_by_role("img", name="Page 1 of")).to_be_visible()
        await user.tick([user.message(TEXTS[0])])
        await user.propose()
    assert asked_by_pages(json.loads(log.read_text())) == {HOST}


def asked_by_pages(log: dict[str, Any]) -> set[str | None]:
    """Return the hosts that pages asked, from a log of Chromium's network. The browser asks others for itself."""
    asked: set[str | None] = set()
    for event in log["events"]:
        given: dict[str, Any] = event.get("params", {})
        address: str = given.get("url", "")
        if given.get("initiator", BROWSER_ITSELF) != BROWSER_ITSELF and not address.startswith("data:"):
            asked.add(urlsplit(address).hostname)
    return asked
