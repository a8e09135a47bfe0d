"""The windows of a running server: the page in the client's app, and in the user's own browser."""

import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup, TaskStatus

from rc_mcp.guard.results import Window
from rc_mcp.guard.state.plans import Plan
from rc_mcp.inbox.app import AppDoor
from rc_mcp.inbox.desk import Desk
from rc_mcp.session import Ctx

_OPENED_AGAIN_S = 60.0
"""A model that asks for plan after plan must not fill the user's screen with pages. It doubles while nobody looks."""

_log = logging.getLogger(__name__)


class BrowserPage:
    """The page in the user's own browser, on a port of this machine. It is served from when it is first needed.

    Args:
        open_browser: opens an address; returns whether that worked.
    """

    def __init__(self, desk: Desk, tasks: TaskGroup, open_browser: Callable[[str], Awaitable[bool]]) -> None:
        from rc_mcp.inbox.browser import Keys  # late: most servers have no page in a browser

        self._desk, self._tasks, self._open_browser = desk, tasks, open_browser
        self._keys = Keys()
        self._opening = anyio.Lock()
        self._port: int | None = None
        self._opened_at, self._wait_s = float("-inf"), 0.0

    async def show(self) -> bool:
        """Open the page, unless it is open; return whether the user has it."""
        async with self._opening:
            now = anyio.current_time()
            if self._keys.was_watched(self._opened_at):
                self._wait_s = _OPENED_AGAIN_S
            if self._keys.is_watched() or now - self._opened_at < self._wait_s:
                return True
            try:
                url = await self.address()
            except OSError as error:
                _log.warning("the inbox page cannot be served: %s", error.strerror)
                return False
            if not await self._open_browser(url):
                return False
            self._opened_at, self._wait_s = now, max(2 * self._wait_s, _OPENED_AGAIN_S)
            return True

    async def address(self) -> str:
        """Return the page's address with a new key.

        Raises:
            OSError: this program may not listen.
        """
        from rc_mcp.inbox.browser import listening_socket, page_address

        port = self._port = self._port or await self._tasks.start(self._serve, listening_socket(0))
        return page_address(port, self._keys.new())

    async def _serve(self, listening: socket.socket, *, task_status: TaskStatus[int]) -> None:
        from rc_mcp.inbox.browser import application, serving

        port: int = listening.getsockname()[1]
        async with serving(application(self._desk, self._keys, port), listening):
            task_status.started(port)
            await anyio.sleep_forever()


class ServerWindows:
    """Chooses the window in which a plan is shown."""

    def __init__(self, app: AppDoor, browser: BrowserPage | None) -> None:
        self._app, self._browser = app, browser

    async def show(self, ctx: Ctx, plan: Plan) -> Window | None:
        """Show the plan in the app if a button there can be enough, or in the browser if the operator wants that."""
        if self._app.can_decide(ctx, plan):
            return "app"
        guard = self._app.desk.app.guard
        if self._browser and guard.can_decide(plan, "browser") and await self._browser.show():
            return "browser"
        return None


@asynccontextmanager
async def browser_page(desk: Desk, open_browser: Callable[[str], Awaitable[bool]]) -> AsyncGenerator[BrowserPage]:
    """Yield the page for the user's browser, which ends with the block."""
    at_browser = replace(desk, window="browser")
    async with anyio.create_task_group() as tasks:
        try:
            yield BrowserPage(at_browser, tasks, open_browser)
        finally:
            tasks.cancel_scope.cancel()
            at_browser.close()
