"""A real browser, and windows of it."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.inbox.chromium.finding import chromium
from tests.inbox.chromium.visits import ANOTHER_SITE, Visit, visiting

ONLY_THIS_MACHINE = (
    f"--host-resolver-rules=MAP {ANOTHER_SITE} 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"
)


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One event loop for all tests here, because the browser is driven in it."""
    return "asyncio"


@pytest.fixture(scope="package")
async def browser() -> AsyncGenerator[Browser]:
    """One Chromium for all tests here. Their pages are on this machine, or in memory."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=[ONLY_THIS_MACHINE])
        yield browser
        await browser.close()


@pytest.fixture
async def visit(browser: Browser) -> AsyncGenerator[Visit]:
    """A window of its own for each test."""
    async with visiting(browser) as visit:
        yield visit
