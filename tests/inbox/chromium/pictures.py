"""Pictures of every screen of the inbox, in both themes at three widths, and the README's: `make pictures`.

The clocks start at a fixed moment, so that pictures of two versions differ only where the page does.
"""

import io
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import anyio
from PIL import Image
from playwright.async_api import Browser, Page, expect

from rc_mcp.emulator import Emulator
from rc_mcp.inbox.app import OPEN
from tests.desk import Clock, Desk, Faults
from tests.inbox.chromium.app_host import app_host
from tests.inbox.chromium.opened import served
from tests.inbox.chromium.story import PAGES, TEXTS, WHO, add_story
from tests.inbox.chromium.user import User
from tests.inbox.chromium.visits import Visit, running_chromium, visiting
from tests.inbox.doors import app_client

ZONE = "America/Los_Angeles"
MOMENT = datetime(2026, 3, 5, 17, tzinfo=ZoneInfo(ZONE))
"""Late on a Thursday afternoon, as in the made-up mailbox."""
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (320, 800, 1280)
HEIGHT = 800
README = Path("docs/inbox.webp")
README_SIZE, README_BYTES = (1280, 800), 120_000
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
LISTED = "() => document.querySelector('#conversations button') && performance.now()"


class Album:
    """A folder of pictures."""

    def __init__(self, folder: Path, page: Page) -> None:
        self.folder, self.page = folder, page

    async def take(self, screen: str, user: User) -> None:
        """Take pictures of the screen that is open."""
        for theme, width in product(THEMES, WIDTHS):
            await self.page.emulate_media(color_scheme=theme)
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
            if user.host:
                await user.host.change(theme=theme)
            await self.page.screenshot(path=self.folder / f"{screen}-{theme}-{width}.png", full_page=True)


@asynccontextmanager
async def a_desk(messages: int = 0) -> AsyncGenerator[Desk]:
    """The office's mailbox at the moment of the pictures."""
    clock = Clock()
    clock.time = MOMENT
    with tempfile.TemporaryDirectory() as folder, Emulator(rate_limits=False, now=clock, messages=messages) as emulator:
        yield Desk(emulator, Path(folder), clock, Faults(emulator))


async def in_the_browser(album: Album, visit: Visit, desk: Desk) -> None:
    """Go through every screen of the page in the user's own browser."""
    variables = {"RC_MCP_MIRROR": "on", "RC_MCP_ACCESS": "purge"}
    async with served(desk, variables) as server:
        user = await server.open(visit.page)
        await expect(user.view.locator("#conversations")).to_contain_text(WHO)
        await album.take("inbox", user)
        await user.open_conversation("Maria Costa")
        await album.take("conversation", user)
        await user.home()
        await user.open_conversation(WHO)
        await user.button("Play").click()
        await user.is_playing()
        await album.take("voicemail", user)
        await user.button(f"Show {PAGES} pages").click()
        await expect(user.view.get_by_role("img", name="Page 1 of")).to_be_visible()
        await album.take("fax", user)
        await user.tick([user.message(text) for text in TEXTS])
        await user.propose()
        await album.take("plan", user)
        await user.button(f"Delete {len(TEXTS)} messages").click()
        await expect(user.button("Undo")).to_be_visible()
        await album.take("done", user)
        await user.home()
        await user.view.get_by_role("searchbox").fill("referral")
        await user.view.get_by_role("searchbox").press("Enter")
        await expect(user.view.get_by_role("article").first).to_be_visible()
        await album.take("search", user)
        await user.home()
        async with desk.client(RC_MCP_ACCESS="purge") as client:
            await client.call_tool("delete_message", {"message_id": desk.ids(type="Fax")[:2], "purge": True})
        await user.button("Review").click()
        await user.view.get_by_role("textbox").last.fill("PURGE 2")
        await album.take("purge", user)
        await user.button("Keep them").click()
        await user.home()
        await user.button("Stop deletions").click()
        await expect(user.view.locator("#stopped")).to_be_visible()
        await album.take("stopped", user)
    await user.button("Refresh").click()
    await expect(user.view.locator("#problem")).not_to_be_empty()
    await album.take("error", user)


async def in_a_chat(album: Album, visit: Visit, desk: Desk) -> None:
    """Show the page in a chat: the inbox, and a plan."""
    async with app_client(desk) as client, app_host(visit, client) as host:
        user = User(await host.open(OPEN), host)
        await expect(user.view.locator("#conversations")).to_contain_text(WHO)
        await album.take("app", user)
        asked = await host.model_calls("delete_message", message_id=desk.ids(type="SMS", availability="Alive")[:3])
        user = User(await host.show("delete_message", asked), host)
        await expect(user.button("Delete 3 messages")).to_be_visible()
        await album.take("app-plan", user)


async def for_the_readme(browser: Browser) -> bytes:
    """Return the README's picture: the conversations, and a page of a fax."""
    width, height = README_SIZE
    async with a_desk() as desk, served(desk) as server, visiting(browser, timezone_id=ZONE) as visit:
        await visit.page.clock.set_fixed_time(MOMENT)
        await visit.page.set_viewport_size({"width": width, "height": height})
        user = await server.open(visit.page)
        await user.open_conversation("Quillmere Family Clinic")
        await user.button("Show 2 pages").click()
        await expect(user.view.get_by_role("img", name="Page 1 of")).to_be_visible()
        await user.view.evaluate("document.querySelector('#list').scrollTop = 0")
        picture = await visit.page.screenshot()
    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).save(out, "WEBP", quality=85, method=6)
    assert len(out.getvalue()) < README_BYTES, f"{len(out.getvalue())} bytes are too many for a README"
    return out.getvalue()


async def first_paint(browser: Browser, messages: int) -> tuple[float, float]:
    """Return after how many milliseconds the page is painted, and the conversations of so many messages are shown."""
    async with a_desk(messages) as desk, served(desk) as server, visiting(browser) as visit:
        user = await server.open(visit.page)
        listed = await (await user.view.wait_for_function(LISTED)).json_value()
        return await user.view.evaluate(PAINTED), listed


async def main(folder: Path) -> None:
    """Take all pictures, and print how soon the page is painted."""
    await anyio.Path(folder).mkdir(exist_ok=True)
    async with running_chromium() as browser:
        await anyio.Path(README).write_bytes(await for_the_readme(browser))
        for tour in (in_the_browser, in_a_chat):
            async with a_desk() as desk, visiting(browser, timezone_id=ZONE) as visit:
                add_story(desk)
                visit.expects(".")  # the last picture is of a server that is gone
                await tour(Album(folder, visit.page), visit, desk)
        painted, listed = await first_paint(browser, 5_000)
        print(f"with 5,000 messages: painted after {painted:.0f} ms, conversations after {listed:.0f} ms")  # noqa: T201


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
