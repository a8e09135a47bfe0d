"""A site for each test."""

from collections.abc import AsyncGenerator

import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from tests.team.oauth.site import Browser, McpClient, Site, open_site


@pytest.fixture
async def emulator() -> AsyncGenerator[Emulator]:
    with Emulator(rate_limits=False) as emulator:
        async with emulator.serve():
            yield emulator


@pytest.fixture
async def site(database: Database, keys: KeyRing, emulator: Emulator) -> AsyncGenerator[Site]:
    async with open_site(database, keys, emulator) as site:
        yield site


@pytest.fixture
async def client(site: Site) -> AsyncGenerator[McpClient]:
    async with site.client() as client:
        yield client


@pytest.fixture
async def browser(site: Site) -> AsyncGenerator[Browser]:
    async with site.browser() as browser:
        yield browser
