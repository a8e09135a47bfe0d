"""One person's window of the browser, and a record of all that its pages did."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, WebError, async_playwright

from tests.inbox.chromium.finding import chromium

ANOTHER_SITE = "another.example"
"""A site whose name leads to this machine, as that of an attacker's may (DNS rebinding)."""
ONLY_THIS_MACHINE = (
    f"--host-resolver-rules=MAP {ANOTHER_SITE} 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"
)
WAIT_MS = 60_000
"""How long a condition may take on a busy machine."""


@dataclass
class Visit:
    """A browser context of its own: nothing is left of the one before."""

    context: BrowserContext
    page: Page
    requests: list[str] = field(default_factory=list[str])
    """The addresses that were asked for, without data: and about:, which are no requests."""
    complaints: list[str] = field(default_factory=list[str])
    """Errors and warnings in the console, and exceptions that nothing caught."""
    expected: list[str] = field(default_factory=list[str])
    """Patterns of complaints that the test provokes."""

    @property
    def origins(self) -> set[str]:
        """The origins that were asked for anything."""
        return {"{0.scheme}://{0.netloc}".format(urlsplit(address)) for address in self.requests}

    def expects(self, complaint: str) -> None:
        """A complaint that matches this pattern is what the test is about, or follows from it."""
        self.expected.append(complaint)

    @property
    def unexpected(self) -> list[str]:
        """The complaints that no test asked for."""
        return [said for said in self.complaints if not any(re.search(each, said) for each in self.expected)]


@asynccontextmanager
async def running_chromium(*arguments: str) -> AsyncGenerator[Browser]:
    """Run a Chromium whose pages are on this machine, or in memory."""
    async with async_playwright() as playwright:
        words = [ONLY_THIS_MACHINE, *arguments]
        browser = await playwright.chromium.launch(executable_path=chromium(), args=words)
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(browser: Browser, **options: Any) -> AsyncGenerator[Visit]:
    """Open a window. At the end, no page of it may have complained.

    Args:
        options: those of a browser context, such as `color_scheme` and `viewport`.
    """
    context = await browser.new_context(**options)
    context.set_default_timeout(WAIT_MS)
    visit = Visit(context, await context.new_page())

    def asked(address: str) -> None:
        if not address.startswith(("data:", "about:")):
            visit.requests.append(address)

    def logged(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            visit.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def failed(error: WebError) -> None:
        visit.complaints.append(f"exception: {error.error}")

    context.on("request", lambda request: asked(request.url))
    context.on("console", logged)
    context.on("weberror", failed)
    try:
        yield visit
        assert not visit.unexpected, visit.unexpected
    finally:
        await context.close()
