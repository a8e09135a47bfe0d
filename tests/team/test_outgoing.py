"""One pool of connections for the clients of all people."""

import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.login.sessions import Terms
from rc_mcp.ringcentral import BadEnvironment, MessageStoreClient, TokenAuth
from rc_mcp.team.outgoing import Outgoing

pytestmark = [pytest.mark.anyio, pytest.mark.process]

MOST_BYTES = 40_000
"""For an idle client. With a pool of its own, it takes about 800,000."""


@pytest.fixture
async def emulator() -> AsyncGenerator[Emulator]:
    with Emulator(scenario="empty", rate_limits=False) as emulator:
        async with emulator.serve():
            yield emulator


def token_of(emulator: Emulator) -> str:
    """Return the token of a new session. Only the five newest are valid."""
    return emulator.sessions.start(emulator.users[0], Terms(3_600, 3_600)).access_token


def client(emulator: Emulator, outgoing: Outgoing) -> MessageStoreClient:
    return MessageStoreClient(
        TokenAuth(token_of(emulator)), server_url=emulator.server_url, media_url=emulator.media_url, transport=outgoing
    )


async def test_a_client_that_is_closed_leaves_the_pool_to_the_others(emulator: Emulator) -> None:
    async with Outgoing() as outgoing, client(emulator, outgoing) as stays:
        async with client(emulator, outgoing) as goes:
            await goes.list_messages()
        await stays.list_messages()


async def test_an_idle_client_takes_little_memory(emulator: Emulator) -> None:
    async with AsyncExitStack() as stack:
        outgoing = await stack.enter_async_context(Outgoing())

        async def use(clients: int) -> None:
            for _ in range(clients):
                await (await stack.enter_async_context(client(emulator, outgoing))).list_messages()

        await use(5)
        tracemalloc.start()
        try:
            await use(50)
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert used / 50 < MOST_BYTES


async def test_a_proxy_of_the_environment_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://")

    with pytest.raises(BadEnvironment):
        Outgoing()
