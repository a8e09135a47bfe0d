"""An empty mailbox, a clock that tests move, and plain HTTP clients with and without a login."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, Party

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAILBOX = "/restapi/v1.0/account/~/extension/~/"
ANA = Party(phone_number="+15035550111")
BEN = Party(phone_number="+15035550122")
HELLO = Draft(type="SMS", sender=ANA, text="Hello")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> list[datetime]:
    """Return a list with the current time as its only item. Move it with `clock[0] += timedelta(...)`."""
    return [datetime(2026, 3, 5, 15, 30, 20, 250_000, tzinfo=UTC)]


@pytest.fixture
def emulator(clock: list[datetime]) -> Iterator[Emulator]:
    with Emulator(scenario="empty", rate_limits=False, now=lambda: clock[0]) as emulator:
        yield emulator


@pytest.fixture
async def web(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of both hosts that is not logged in."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app)) as client:
        yield client


@pytest.fixture
async def mailbox(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the owner's mailbox."""
    async with mailbox_of(emulator) as client:
        yield client


@asynccontextmanager
async def mailbox_of(emulator: Emulator) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client that is logged in, with addresses relative to the owner's mailbox."""
    base = f"{emulator.server_url}{MAILBOX}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=base) as client:
        await log_in(client, emulator)
        yield client


async def log_in(client: httpx.AsyncClient, emulator: Emulator) -> None:
    """Log a client in, or in again."""
    answer = await client.post(
        f"{emulator.server_url}/restapi/oauth/token",
        data={"grant_type": JWT_GRANT, "assertion": emulator.jwt},
        auth=(emulator.client_id, emulator.client_secret),
    )
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def add(emulator: Emulator, draft: Draft = HELLO, **more: Any) -> str:
    """Add a message with these changes to the owner's mailbox and return its id."""
    return str(emulator.store.add(replace(draft, **more))["id"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["errorCode"]


def states(emulator: Emulator) -> list[str]:
    return [record["availability"] for record in emulator.store.messages()]
