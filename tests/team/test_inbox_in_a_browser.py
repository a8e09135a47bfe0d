"""The inbox page of a team in a real browser: from its address, over RingCentral's login, to one's own messages."""

import socket

import pytest
from playwright.async_api import expect

from rc_mcp.emulator import Emulator
from rc_mcp.inbox.browser import serving
from rc_mcp.settings import load_settings
from rc_mcp.team.inbox_page import LOGGED_OUT
from rc_mcp.team.replica import open_replica
from tests.inbox.chromium.visits import running_chromium
from tests.team.replicas import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_a_person_who_logs_in_sees_their_own_inbox_until_they_are_logged_out(database_url: str) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    own = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with Emulator(redirect_uris=[f"{own}/login/ringcentral"]) as emulator:
        user = emulator.users[1]
        async with emulator.serve(), running_chromium() as browser:
            settings = load_settings(
                RC_SERVER_URL=emulator.server_url,
                RC_MEDIA_URL=emulator.media_url,
                RC_APP_CLIENT_ID=emulator.client_id,
                RC_APP_CLIENT_SECRET=emulator.client_secret,
                RC_MCP_DATABASE_URL=database_url,
                RC_MCP_PUBLIC_URL=own,
                RC_MCP_SECRET_KEYS=KEY,
            )
            async with open_replica(settings) as replica, serving(replica.app, listening):
                page = await browser.new_page()
                faults: list[str] = []
                page.on("pageerror", lambda error: faults.append(str(error)))
                await page.goto(f"{own}/inbox")
                await page.fill("input[name=username]", user.username)
                await page.fill("input[name=password]", user.password)
                await page.click("button")
                await expect(page.locator("#conversations li").first).to_be_visible()
                assert page.url == f"{own}/inbox"
                assert await page.get_by_text("Stop deletions").count() == 0

                await page.evaluate("sessionStorage.setItem('inbox-session', 'of another time')")
                await page.reload()
                await expect(page.locator("#problem")).to_have_text(LOGGED_OUT)
                await page.reload()
                await page.wait_for_selector("input[name=username]")
    assert not faults
