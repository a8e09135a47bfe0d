"""One site for all tests here: each has clients and browsers of its own."""

from collections.abc import AsyncGenerator, Generator

import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.oauth.client_documents import ClientDocuments
from tests.desk import Clock
from tests.team import postgres
from tests.team.oauth.documents import Documents, serving_documents
from tests.team.oauth.site import Browser, McpClient, Site, open_site


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One event loop for all tests here, because the site is served in it."""
    return "asyncio"


@pytest.fixture(scope="package")
def clock() -> Clock:
    """The database's clock, which a test can move ahead."""
    return Clock()


@pytest.fixture(scope="package")
def shared_url(postgres_url: str) -> Generator[str]:
    """The database of the site."""
    with postgres.fresh(postgres_url) as url:
        yield url


@pytest.fixture(scope="package")
async def documents() -> AsyncGenerator[Documents]:
    """What clients publish about themselves, on this machine."""
    async with serving_documents() as documents:
        yield documents


@pytest.fixture(scope="package")
async def emulator() -> AsyncGenerator[Emulator]:
    """RingCentral."""
    with Emulator(rate_limits=False) as emulator:
        async with emulator.serve():
            yield emulator


@pytest.fixture(scope="package")
async def site(shared_url: str, clock: Clock, documents: Documents, emulator: Emulator) -> AsyncGenerator[Site]:
    """An authorization server with MCP behind it, in front of RingCentral."""
    async with Database(shared_url, now=clock) as database:
        keys = KeyRing(["a key of the tests, which has 32 characters or more"])
        async with open_site(database, keys, emulator, ClientDocuments(documents.fetch)) as site:
            yield site


@pytest.fixture
async def client(site: Site) -> AsyncGenerator[McpClient]:
    """A client that registered."""
    async with site.client() as client:
        yield client


@pytest.fixture
async def browser(site: Site) -> AsyncGenerator[Browser]:
    """A browser that was never here."""
    async with site.browser() as browser:
        yield browser
