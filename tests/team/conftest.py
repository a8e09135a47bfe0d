"""Fixtures for the tests of a team's server."""

from collections.abc import AsyncGenerator, Generator

import pytest

from rc_mcp import time_limits
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from tests.team import postgres


@pytest.fixture(autouse=True)
def a_patient_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database may take half a minute: no test depends on a busy machine. Tests of one that is away set less."""
    monkeypatch.setattr(time_limits, "DATABASE_S", 30.0)


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str]:
    """The address of a PostgreSQL that runs as long as the test process."""
    with postgres.server() as url:
        yield postgres.with_template(url)


@pytest.fixture
def database_url(postgres_url: str) -> Generator[str]:
    """The address of a fresh database, migrated."""
    with postgres.fresh(postgres_url) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def keys() -> KeyRing:
    return KeyRing(["a key of the tests, which has 32 characters or more"])
