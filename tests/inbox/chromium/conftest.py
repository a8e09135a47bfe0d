"""A real browser, and windows of it."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser

from tests.inbox.chromium.visits import Visit, running_chromium, visiting


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One event loop for all tests here, because the browser is driven in it."""
    return "asyncio"


@pytest.fixture(scope="package")
async def browser() -> AsyncGenerator[Browser]:
    """One Chromium for all tests here."""
    async with running_chromium() as browser:
        yield browser


@pytest.fixture
async def visit(browser: Browser) -> AsyncGenerator[Visit]:
    """A window of its own for each test."""
    async with visiting(browser) as visit:
        yield visit
