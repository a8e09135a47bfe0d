"""The inbox in a real browser, opened through one of its two doors."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from playwright.async_api import Page

from rc_mcp.guard.results import Window
from rc_mcp.inbox.app import OPEN
from rc_mcp.inbox.browser import HOST, Keys, application, listening_socket, page_address, serving
from rc_mcp.inbox.desk import Desk as InboxDesk
from rc_mcp.session import MailboxSession
from rc_mcp.wiring import open_copy, transcriber_for
from tests.desk import Desk, Era
from tests.inbox.chromium.app_host import CHAT, PROXY, app_host
from tests.inbox.chromium.user import User
from tests.inbox.chromium.visits import Visit
from tests.inbox.doors import app_client

NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class PageServer:
    """The page's server, on a port of this machine."""

    keys: Keys
    port: int

    @property
    def origin(self) -> str:
        """The page's own origin."""
        return f"http://{HOST}:{self.port}"

    async def open(self, page: Page) -> User:
        """Open the inbox in this page, with a new key."""
        await page.goto(page_address(self.port, self.keys.new()))
        return User(page.main_frame)


@asynccontextmanager
async def served(desk: Desk, variables: Mapping[str, str] = NONE, port: int = 0) -> AsyncGenerator[PageServer]:
    """Serve the page for this mailbox's user, as `rc-mcp inbox` does."""
    settings = desk.settings(**variables)
    async with desk.guard(**variables) as guard, open_copy(settings, guard) as copy:
        session = MailboxSession(guard.client, guard, settings.extensions, settings.download_dir, copy)
        session = replace(session, transcriber=transcriber_for(settings))
        inbox, keys = InboxDesk(session, settings.access, "browser"), Keys()
        with listening_socket(port) as listening:
            server = PageServer(keys, listening.getsockname()[1])
            async with serving(application(inbox, keys, server.port), listening):
                yield server
        inbox.close()


@dataclass(frozen=True, slots=True)
class Door:
    """A door to the inbox: the user's own browser, or a chat whose client speaks this era of the protocol."""

    window: Window
    era: Era = "auto"

    @asynccontextmanager
    async def opened(self, visit: Visit, desk: Desk, *, theme: str = "light", **variables: str) -> AsyncGenerator[User]:
        """Open the inbox; at the end, only the door's own addresses were asked for.

        Args:
            theme: the theme of a chat. A browser has its own.
        """
        if self.window == "browser":
            async with served(desk, variables) as server:
                yield await server.open(visit.page)
                assert visit.origins == {server.origin}
                await visit.page.goto("about:blank")  # before its server ends: the page asks for plans at times
        else:
            async with app_client(desk, self.era, answer=None, **variables) as client, app_host(visit, client) as host:
                yield User(await host.open(OPEN), host)
                assert visit.origins == {CHAT, PROXY}


BROWSER, CHAT_APP = Door("browser"), Door("app")
DOORS = {"browser": BROWSER, "app-2026-07-28": CHAT_APP, "app-2025-11-25": Door("app", "legacy")}
