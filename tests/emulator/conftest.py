"""An empty mailbox, a clock that moves only when told, and a plain HTTP client that is logged in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> list[datetime]:
    """The present moment, as the only item. Move it with `clock[0] += timedelta(...)`."""
    return [datetime(2026, 3, 5, 15, 30, 20, 250_000, tzinfo=UTC)]


@pytest.fixture
def emulator(clock: list[datetime]) -> Iterator[Emulator]:
    with Emulator(scenario="empty", rate_limits=False, now=lambda: clock[0]) as emulator:
        yield emulator


@pytest.fixture
async def web(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client of both hosts that is nobody yet."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app)) as client:
        yield client


@pytest.fixture
def log_in() -> Callable[[httpx.AsyncClient, Emulator], Awaitable[None]]:
    """Logs a client in, once more if need be."""

    async def log_in(client: httpx.AsyncClient, emulator: Emulator) -> None:
        answer = await client.post(
            f"{emulator.server_url}/restapi/oauth/token",
            data={"grant_type": JWT_GRANT, "assertion": emulator.jwt},
            auth=(emulator.client_id, emulator.client_secret),
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    return log_in


@pytest.fixture
async def mailbox(
    emulator: Emulator, log_in: Callable[[httpx.AsyncClient, Emulator], Awaitable[None]]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client logged in, whose relative addresses start at the owner's mailbox."""
    base = f"{emulator.server_url}/restapi/v1.0/account/~/extension/~/"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=base) as client:
        await log_in(client, emulator)
        yield client
