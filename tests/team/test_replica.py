"""Several replicas serve several people: each their own mailbox, whichever replica answers."""

from typing import Any, cast

import anyio
import httpx2 as httpx
import pytest
from mcp import Client, MCPError

from rc_mcp.team.callers import UNKNOWN_CALLER
from rc_mcp.team.database import Database
from rc_mcp.team.people import Person
from rc_mcp.team.replica import NOT_KNOWN
from tests.desk import Era, call
from tests.team.replicas import team

pytestmark = [pytest.mark.anyio, pytest.mark.process]

MAILBOX = "ringcentral://account/~/extension/~/message-store"


async def ids_seen(client: Client) -> set[str]:
    """Return the ids of the messages that this client's user has."""
    listed = await call(client, "list_messages", date_from="90d", detail="full")
    return {row["id"] for rows in listed["messages"].values() for row in rows}


async def test_each_person_sees_their_own_mailbox_on_each_replica(
    database: Database, database_url: str, era: Era
) -> None:
    async with team(database, database_url) as office:
        for number in (1, 2):
            own = set(office.ids(number))
            for replica in (0, 1):
                async with office.client(await office.person(number), replica, era) as client:
                    assert await ids_seen(client) == own


async def test_a_token_of_nobody_gets_no_session(database: Database, database_url: str, era: Era) -> None:
    async with team(database, database_url, 1) as office:
        stranger = Person("0" * 64, "1", "1")

        with pytest.raises((MCPError, ExceptionGroup)) as error:
            async with office.client(stranger, 0, era) as client:
                await client.list_tools()
        assert NOT_KNOWN in str(leaf(error.value))
        assert not len(office.replicas[0].sessions)


async def test_a_token_without_a_person_gets_no_session(database: Database, database_url: str, era: Era) -> None:
    async with team(database, database_url, 1) as office:
        with pytest.raises((MCPError, ExceptionGroup)) as error:
            async with office.client(Person("", "1", "1"), 0, era, token="nobody") as client:
                await client.list_tools()
        assert UNKNOWN_CALLER in str(leaf(error.value))


async def test_without_a_token_nothing_is_served(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        answer = await http.post(f"{office.addresses[0]}/mcp", json={}, headers={"Host": "team.test"})

        assert answer.status_code == 401
        assert "resource_metadata=" in answer.headers["www-authenticate"]


async def test_another_host_name_is_refused(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        assert (await http.post(f"{office.addresses[0]}/mcp", json={})).status_code == 421
        for page in ("healthz", "readyz"):  # a load balancer asks by the machine's address
            assert (await http.get(f"{office.addresses[0]}/{page}")).status_code == 200


async def test_a_listener_hears_a_change_that_their_own_call_saw_on_another_replica(
    database: Database, database_url: str
) -> None:
    async with team(database, database_url) as office:
        one, other = await office.person(1), await office.person(2)
        async with (
            office.client(one, 1) as listening,
            listening.listen(resource_subscriptions=[MAILBOX]) as heard,
            office.client(other, 1) as stranger,
            stranger.listen(resource_subscriptions=[MAILBOX]) as not_heard,
            office.client(one, 0) as syncing,
        ):
            token = (await call(syncing, "sync_messages"))["sync_token"]
            office.receive(1)
            await call(syncing, "sync_messages", sync_token=token)
            with anyio.fail_after(10):
                event: Any = await anext(aiter(heard))
            assert event.uri == MAILBOX
            with anyio.move_on_after(0.3) as waited:
                await anext(aiter(not_heard))
            assert waited.cancelled_caught


def leaf(error: BaseException) -> BaseException:
    """Return the error within groups of one."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return leaf(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
