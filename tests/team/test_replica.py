"""Several replicas serve several people: each their own mailbox, whichever replica answers."""

import json
from functools import partial
from typing import Any, cast

import anyio
import httpx2 as httpx
import pytest
from mcp import Client, MCPError
from mcp.server.context import ServerRequestContext
from psycopg import sql

from rc_mcp.team.callers import UNKNOWN_CALLER, Callers, serving
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.replica import HOME
from rc_mcp.team.schema import tenant_schema
from rc_mcp.team.sessions import TOO_MANY as TOO_MANY_CALLS
from rc_mcp.team.sessions import Sessions
from rc_mcp.team.subscription_bus import CHANNEL, MOST_LISTENERS, TOO_MANY, TeamSubscriptionBus
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
                async with office.client(number, replica, era) as client:
                    assert await ids_seen(client) == own


async def test_a_token_that_nobody_got_is_refused(database: Database, database_url: str, era: Era) -> None:
    async with team(database, database_url, 1) as office:
        with pytest.raises((MCPError, ExceptionGroup)):
            async with office.client("a token", 0, era):
                pass
        assert not len(office.replicas[0].sessions)


async def test_a_request_without_a_person_gets_no_session() -> None:
    """The middleware fails closed, even if something let such a request in."""

    async def answer(_: object) -> None:
        raise AssertionError("it was served")

    with pytest.raises(MCPError, match=UNKNOWN_CALLER):
        await Callers(cast("Sessions", None))(cast("ServerRequestContext[Any, Any]", None), answer)


async def test_without_a_token_nothing_is_served(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        answer = await http.post(f"{office.addresses[0]}/mcp", json={}, headers={"Host": "team.test"})

        assert answer.status_code == 401
        assert "resource_metadata=" in answer.headers["www-authenticate"]


async def test_a_large_body_is_read_only_after_a_good_token(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        tokens = (None, "a token", await office.log_in(1))
        large = b"x" * 100_000
        codes: list[int] = []
        for token in tokens:
            headers = {
                "Host": "team.test",
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
            }
            headers |= {"Authorization": f"Bearer {token}"} if token else {}
            codes.append((await http.post(f"{office.addresses[0]}/mcp", content=large, headers=headers)).status_code)

        assert codes == [413, 413, 400]


async def test_one_person_has_only_so_many_requests_and_streams_in_progress(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rc_mcp.team.request_limits.MOST_AT_ONCE", 2)
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        own, address = await office.log_in(1), f"{office.addresses[0]}/mcp"
        headers = {"Host": "team.test", "Authorization": f"Bearer {own}", "Accept": "text/event-stream"}
        stream = partial(http.stream, "GET", address, headers=headers)
        async with stream() as one, stream() as two:
            assert (one.status_code, two.status_code) == (200, 200)
            more = await http.get(address, headers=headers)
            assert (more.status_code, more.json()["error"]["message"]) == (503, TOO_MANY_CALLS)
            async with office.client(2, 0, "legacy") as other:
                assert await ids_seen(other)
        with anyio.fail_after(30):  # the server learns late that a client has closed a stream
            while (await http.head(address, headers=headers)).status_code == 503:  # noqa: ASYNC110
                await anyio.sleep(0.05)


async def test_a_request_waits_only_once_for_a_database_that_is_away(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def away(token: str) -> None:
        asked.append(token)
        raise DatabaseAway("it is too slow")

    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        monkeypatch.setattr(office.replicas[0].authorization, "verify_token", away)
        headers = {"Host": "team.test", "Authorization": "Bearer x"}
        answer = await http.post(f"{office.addresses[0]}/mcp", json={}, headers=headers)

    assert (answer.status_code, asked) == (503, ["x"])
    assert "does not answer" in answer.json()["error_description"]


async def test_who_opens_the_address_in_a_browser_reads_what_it_is(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        page = await http.get(office.addresses[0], headers={"Host": "team.test"})

    assert page.text == HOME.format(url="https://team.test")


async def test_another_host_name_is_refused(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        assert (await http.post(f"{office.addresses[0]}/mcp", json={})).status_code == 421
        for page in ("healthz", "readyz"):  # a load balancer asks by the machine's address
            assert (await http.get(f"{office.addresses[0]}/{page}")).status_code == 200


async def test_a_replica_is_ready_only_with_tables_of_its_version(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, httpx.AsyncClient() as http:
        async with database.transaction() as db:
            await db.execute("UPDATE version SET number = number + 1")

        assert (await http.get(f"{office.addresses[0]}/readyz")).status_code == 503
        assert (await http.get(f"{office.addresses[0]}/healthz")).status_code == 200


async def test_operators_have_their_addresses_with_their_token_only(database: Database, database_url: str) -> None:
    token = "the-token-of-the-operators"
    async with team(database, database_url, 1, RC_MCP_HTTP_TOKEN=token) as office, httpx.AsyncClient() as http:
        person = await office.person(1)
        address = f"{office.addresses[0]}/operator/tenants"
        refused = await http.get(address)
        answer = await http.get(address, headers={"Authorization": f"Bearer {token}"})

    assert refused.status_code == 401
    assert person.account_id in answer.text


async def test_an_ending_replica_refuses_new_calls_and_ends_its_streams(database: Database, database_url: str) -> None:
    async with team(database, database_url, 2) as office, office.client(1, 0) as client:
        async with client.listen(resource_subscriptions=[MAILBOX]) as heard:
            office.replicas[0].door.refuse_new()
            with anyio.fail_after(60):
                assert [event async for event in heard] == []
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{office.addresses[0]}/readyz")).status_code == 503
        async with office.client(1, 1) as other:  # the other replica goes on
            assert await ids_seen(other)


async def test_a_sync_on_another_replica_knows_what_is_new_and_the_token_tells_others_nothing(
    database: Database, database_url: str, era: Era
) -> None:
    async with team(database, database_url) as office:
        async with office.client(1, 0, era) as client:
            token = (await call(client, "sync_messages", direction="Inbound"))["sync_token"]
        office.emulator.clock.advance(seconds=60)
        office.receive(1)
        async with office.client(1, 1, era) as client:
            changes = await call(client, "sync_messages", sync_token=token)
        async with office.client(2, 1, era) as client:
            stolen = await call(client, "sync_messages", sync_token=token)

        assert "new" in changes
        assert changes["filters"] == {"direction": ["Inbound"]}
        assert stolen.get("filters") != {"direction": ["Inbound"]}
        assert not any(id_ in str(stolen) for id_ in office.ids(1))


async def test_every_tool_is_served_to_every_client(database: Database, database_url: str, era: Era) -> None:
    async with team(database, database_url, 1) as office, office.client(0, 0, era) as client:
        one, other = office.ids(0)[:2]
        given: dict[str, dict[str, Any]] = {
            "list_messages": {},
            "sync_messages": {},
            "read_message": {"message_id": [one]},
            "read_message_store_configuration": {},
            "update_message": {"message_id": [one], "read_status": "Read"},
            "delete_message": {"message_id": [one]},
            "delete_message_by_filter": {"conversation_id": ["1"]},
            "update_message_store_configuration": {"retention_period": 60},
            "patch_message": {"message_id": other, "read_status": "Unread"},
        }
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == {*given, "read_message_content"}
        for name, arguments in given.items():
            await call(client, name, **arguments)
        prompts = (await client.list_prompts()).prompts
        assert (await client.get_prompt(prompts[0].name, {a.name: "1" for a in prompts[0].arguments or []})).messages
        listed = (await client.list_resources()).resources
        assert listed
        assert (await client.read_resource(str(listed[0].uri))).contents


async def test_an_interrupted_change_is_looked_after_though_its_person_is_away(
    database: Database, database_url: str
) -> None:
    async with team(database, database_url, 1) as office:
        await office.log_in(1)
        person = await office.person(1)
        async with database.transaction() as db:
            table = sql.Identifier(tenant_schema(person.account_id), "open_operation")
            await db.execute(sql.SQL("INSERT INTO {} VALUES ('abcd-efgh', %s)").format(table), (person.id,))
        async with office.replica() as replica:
            with anyio.fail_after(60):
                while not len(replica.sessions):  # noqa: ASYNC110  nothing says when one is opened
                    await anyio.sleep(0.02)


async def test_a_client_of_the_older_protocol_is_told_that_it_cannot_subscribe(
    database: Database, database_url: str
) -> None:
    async with team(database, database_url, 1) as office, office.client(1, 0, "legacy") as client:
        assert client.server_capabilities.resources
        assert not client.server_capabilities.resources.subscribe


async def test_one_person_cannot_take_all_places_of_listeners() -> None:
    bus = TeamSubscriptionBus(cast("Database", None), lambda: None)
    with serving("one"):
        ends = [bus.subscribe(lambda _: None) for _ in range(MOST_LISTENERS)]
        with pytest.raises(MCPError, match=TOO_MANY):
            bus.subscribe(lambda _: None)
        ends[0]()
        bus.subscribe(lambda _: None)
    with serving("other"):
        bus.subscribe(lambda _: None)


@pytest.mark.parametrize(
    "payload",
    [
        "no JSON",
        "[" * 3_000,
        "[]",
        '{"from": "x", "person": "one"}',
        '{"from": "x", "person": ["one"], "kind": "ToolsListChanged"}',
        '{"from": "x", "person": "one", "kind": "ResourceUpdated", "uri": ["~"]}',
        '{"from": "x", "person": "one", "kind": "ResourceUpdated", "uri": "~", "more": "~"}',
    ],
)
async def test_events_of_another_program_are_ignored(database: Database, payload: str) -> None:
    """Every role that may connect to a database may notify on its channels."""
    heard: list[Any] = []
    bus = TeamSubscriptionBus(database, lambda: None)
    with serving("one"):
        bus.subscribe(heard.append)
    good = json.dumps({"from": "x", "person": "one", "kind": "ResourceUpdated", "uri": MAILBOX})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bus.follow)
        with anyio.fail_after(30):
            while not heard:  # until it listens
                async with database.transaction() as db:
                    await db.execute("SELECT pg_notify(%s, %s), pg_notify(%s, %s)", (CHANNEL, payload, CHANNEL, good))
                await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert {event.uri for event in heard} == {MAILBOX}


async def test_a_listener_hears_a_change_that_their_own_call_saw_on_another_replica(
    database: Database, database_url: str
) -> None:
    async with (
        team(database, database_url) as office,
        office.client(1, 1) as listening,
        listening.listen(resource_subscriptions=[MAILBOX]) as heard,
        office.client(2, 1) as stranger,
        stranger.listen(resource_subscriptions=[MAILBOX]) as not_heard,
        office.client(1, 0) as syncing,
    ):
        token = (await call(syncing, "sync_messages"))["sync_token"]
        office.receive(1)
        await call(syncing, "sync_messages", sync_token=token)
        with anyio.fail_after(60):
            event: Any = await anext(aiter(heard))
        assert event.uri == MAILBOX
        with anyio.move_on_after(0.3) as waited:
            await anext(aiter(not_heard))
        assert waited.cancelled_caught


async def test_a_stream_of_events_ends_so_that_nobody_listens_for_long_after_a_logout(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rc_mcp.team.callers.LISTENS_S", 0.2)
    async with team(database, database_url, 1) as office, office.client(1) as listening:
        async with listening.listen(resource_subscriptions=[MAILBOX]) as heard:
            await office.replicas[0].authorization.log_out(await office.person(1))
            assert [event async for event in heard] == []
        with pytest.raises((MCPError, ExceptionGroup)):
            async with listening.listen(resource_subscriptions=[MAILBOX]):
                pass


async def test_after_a_lost_connection_listeners_are_asked_to_read_again_and_hear_again(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rc_mcp.team.subscription_bus._TRY_AGAIN_S", 0.05)
    async with team(database, database_url) as office, office.client(1, 1) as listening:
        async with listening.listen(resource_subscriptions=[MAILBOX]) as heard:
            async with database.transaction() as db:
                await db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rc-mcp events'"
                    " AND datname = current_database()"
                )
            with anyio.fail_after(60):  # the stream ends when the connection is back, as events may be lost
                assert [event async for event in heard] == []
        async with listening.listen(resource_subscriptions=[MAILBOX]) as heard, office.client(1, 0) as syncing:
            token = (await call(syncing, "sync_messages"))["sync_token"]
            office.receive(1)
            await call(syncing, "sync_messages", sync_token=token)
            with anyio.fail_after(60):
                event: Any = await anext(aiter(heard))
    assert event.uri == MAILBOX
