"""A plan belongs to a person, not to a replica: made on one, approved on another, asked for on a third, done once."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestParams, ElicitResult, Implementation
from psycopg import sql

from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.plans import LIFETIME
from rc_mcp.guard.state.store import in_thread
from rc_mcp.inbox.app import PREFIX
from rc_mcp.inbox.browser import SESSION_HEADER
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport import deadlines
from rc_mcp.team.advisory_locks import AdvisoryLocks
from rc_mcp.team.database import Database
from rc_mcp.team.expired_plans import forget_expired_plans
from rc_mcp.team.inbox_page import LOGGED_OUT, OVER, page
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import login_name
from rc_mcp.team.schema import tenant_schema
from rc_mcp.team.tenant_state import GuardDatabase
from tests.desk import YES, call
from tests.inbox.doors import ShowsApps, page_calls, secret_of
from tests.team.oauth.site import leads_to
from tests.team.replicas import PUBLIC_URL, Team, team

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@asynccontextmanager
async def client_of_all(office: Team, number: int, answer: ElicitResult) -> AsyncGenerator[Client]:
    """Yield a client whose requests go to the replicas in turn, and that can ask its user."""

    async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return answer

    class InTurn(httpx.AsyncHTTPTransport):
        replicas = cycle(office.addresses)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            address = httpx.URL(next(self.replicas))
            request.url = request.url.copy_with(host=address.host, port=address.port)
            return await super().handle_async_request(request)

    headers = {"Authorization": f"Bearer {await office.log_in(number)}", "Host": "team.test"}
    async with httpx.AsyncClient(headers=headers, timeout=30, transport=InTurn()) as http:
        transport = streamable_http_client("http://127.0.0.1/mcp", http_client=http)
        async with Client(transport, elicitation_callback=ask) as client:
            yield client


@dataclass
class Page:
    """The inbox page in the browser of one user, at one replica."""

    office: Team
    replica: int
    http: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict[str, str])
    session: str = ""

    async def get(self, address: str) -> httpx.Response:
        """Open an address of the site."""
        parts = urlsplit(address)
        headers = {"Host": "team.test", "Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items())}
        there = f"{self.office.addresses[self.replica]}{parts.path}{parts.query and '?'}{parts.query}"
        answer = await self.http.get(there, headers=headers)
        for name, value in re.findall(r"(\S+)=(\S+);", answer.headers.get("set-cookie", "")):
            self.cookies.setdefault(name, value)
        return answer

    async def post(self, path: str, given: object, **headers: str) -> httpx.Response:
        """Send a request as the page does."""
        own = {
            "Host": "team.test",
            "Origin": PUBLIC_URL,
            "Content-Type": "application/json",
            "Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items()),
            SESSION_HEADER: self.session,
        }
        address = f"{self.office.addresses[self.replica]}/inbox/{path}"
        return await self.http.post(address, json=given, headers={**own, **headers})

    async def back(self, number: int) -> str:
        """Log in at RingCentral; return the address within the site that it leads to."""
        begun = await self.get("/inbox/login")
        assert begun.status_code == 302, begun.text
        answer = await self.get(await self.office.at_ringcentral(begun.headers["location"], self.office.user(number)))
        return leads_to(answer)

    async def open(self, number: int) -> None:
        """Open the page, and log in as this user."""
        shown = await self.get(await self.back(number))
        key = urlsplit(shown.headers["location"]).fragment
        self.session = (await self.post("session", {"key": key})).json()["session"]

    async def call(self, operation: str, **given: object) -> dict[str, Any]:
        """Call an operation that should succeed."""
        answer = await self.post(f"api/{operation}", given)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def browser(office: Team, replica: int) -> AsyncGenerator[Page]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield Page(office, replica, http)


async def test_a_question_of_one_replica_is_answered_at_another(database: Database, database_url: str) -> None:
    async with team(database, database_url, 3) as office:
        message = office.ids(1)[0]
        async with client_of_all(office, 1, YES) as client:
            done = await call(client, "delete_message", message_id=[message])

        assert done["status"] == "done"
        assert office.availability(1, message) == "Deleted"
        assert len(office.deletes()) == 1


async def test_a_plan_made_on_one_replica_is_approved_on_the_page_of_another_and_done_once(
    database: Database, database_url: str
) -> None:
    async with team(database, database_url, 3) as office, browser(office, 1) as inbox:
        message = office.ids(1)[0]
        async with office.client(1, 0) as client:
            asked = await call(client, "delete_message", message_id=[message], purge=True)
        await inbox.open(1)
        [plan] = (await inbox.call("plans"))["plans"]
        done = await inbox.call(
            "decide", plan_id=plan["id"], approve=True, message_ids=[message], phrase=plan["phrase"]
        )
        async with office.client(1, 2) as client:
            again = await call(client, "delete_message", message_id=[message], purge=True, plan_id=asked["plan_id"])

        assert (asked["status"], asked["approve_in"]) == ("confirmation_required", "browser")
        assert f"{PUBLIC_URL}/inbox" in asked["next"]
        assert "rc-mcp" not in asked["next"]
        assert plan["id"] == asked["plan_id"]
        assert done["status"] == "done"
        assert again["status"] == "refused"
        assert "1 purged" in again["said"]
        assert office.availability(1, message) == "Purged"
        assert len(office.deletes()) == 1


async def test_a_button_in_an_app_counts_at_another_replica(database: Database, database_url: str) -> None:
    async with team(database, database_url) as office:
        message = office.ids(1)[0]
        host: dict[str, Any] = {
            "extensions": [ShowsApps()],
            "client_info": Implementation(name="Claude", version="1"),
        }
        async with office.client(1, 0, **host) as client:
            asked = await client.call_tool("delete_message", {"message_id": [message]})
            assert asked.structured_content
            plan_id: str = asked.structured_content["plan_id"]
        yes: dict[str, Any] = {"plan_id": plan_id, "approve": True, "message_ids": [message]}
        async with office.client(1, 1, **host) as client:
            unproven = await client.call_tool(f"{PREFIX}decide", {**yes, "secret": "guessed: é"})
            done = await page_calls(client, "decide", **yes, secret=secret_of(asked))

        assert unproven.is_error
        assert done["status"] == "done"
        assert len(office.deletes()) == 1


async def test_a_plan_is_nothing_to_another_person(database: Database, database_url: str) -> None:
    async with team(database, database_url) as office, browser(office, 1) as inbox:
        message = office.ids(1)[0]
        async with office.client(1, 0) as client:
            plan_id = (await call(client, "delete_message", message_id=[message]))["plan_id"]
        await inbox.open(2)
        refused = await inbox.call("decide", plan_id=plan_id, approve=True, message_ids=[message])
        async with office.client(2, 1) as client:
            stolen = await call(client, "delete_message", message_id=[message], plan_id=plan_id)

        assert (await inbox.call("plans"))["plans"] == []
        assert refused["status"] == stolen["status"] == "refused"
        assert not office.deletes()


async def test_the_page_opens_only_in_the_browser_that_logged_in_and_once(
    database: Database, database_url: str
) -> None:
    async with team(database, database_url) as office, browser(office, 0) as own, browser(office, 1) as others:
        shown = await own.get("/inbox")
        assert shown.text == page()
        assert "script-src 'sha256-" in shown.headers["content-security-policy"]
        address = await own.back(1)
        assert OVER in (await others.get(address)).text  # a link that somebody was sent
        await others.get("/inbox/login")
        for state in (address, "/inbox/login?code=1&state=%C3%A9", "/inbox/login?code=1"):
            assert OVER in (await others.get(state)).text

        key = urlsplit((await own.get(address)).headers["location"]).fragment
        stolen = await others.post("session", {"key": key})
        opened = await own.post("session", {"key": key})
        again = await own.post("session", {"key": key})

        assert (stolen.status_code, opened.status_code, again.status_code) == (403, 200, 403)
        own.session = opened.json()["session"]  # the second use of a key ended what the first had opened
        assert (await own.post("api/plans", {})).status_code == 401


async def test_the_page_says_to_people_of_an_account_that_is_not_allowed_which_one_it_is(
    database: Database, database_url: str
) -> None:
    async with (
        team(database, database_url, 1, RC_MCP_ACCOUNTS="4000000001, 4000000002") as office,
        browser(office, 0) as page,
    ):
        shown = await page.get(await page.back(1))

        assert f"not for people of the RingCentral account {office.emulator.account_id}" in shown.text


@pytest.mark.parametrize(("keeps_bytes", "downloads"), [(1_000_000, 1), (10, 2)])
async def test_the_page_keeps_no_large_document(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, keeps_bytes: int, downloads: int
) -> None:
    """They are in memory, for each person whose page is open."""
    monkeypatch.setattr("rc_mcp.team.mailboxes._KEEPS_BYTES", keeps_bytes)
    async with team(database, database_url, 1) as office, browser(office, 0) as inbox:
        await inbox.open(0)
        fax = next(message for message in office.mailbox(0).messages() if message["type"] == "Fax")
        where = {"message_id": str(fax["id"]), "attachment_id": str(fax["attachments"][0]["id"])}
        for _ in range(2):
            assert (await inbox.call("fax_page", **where, page=1))["data"]

        assert len([r for r in office.emulator.requests if "/content/" in r.path]) == downloads


async def test_no_token_of_an_assistant_opens_the_page_and_no_other_page_calls_it(
    database: Database, database_url: str
) -> None:
    async with team(database, database_url, 1) as office, browser(office, 0) as inbox:
        inbox.session = await office.log_in(1)
        refused = await inbox.post("api/plans", {})
        await inbox.open(1)
        elsewhere = await inbox.post("api/plans", {}, Origin="https://evil.test")

        stop = await inbox.post("api/stop", {})
        resume = await inbox.post("api/resume", {})

        assert stop.status_code == resume.status_code == 409  # these are the operator's, for everyone
        assert (refused.status_code, refused.json()["error"]) == (401, LOGGED_OUT)
        assert elsewhere.status_code == 403
        assert (await inbox.post("api/plans", {})).status_code == 200


async def test_the_database_has_a_plan_only_sealed_and_not_after_it_expired(
    database: Database, database_url: str, keys: KeyRing
) -> None:
    async with team(database, database_url, 1) as office:
        message = office.ids(1)[0]
        async with office.client(1) as client:
            asked = await call(client, "delete_message", message_id=[message])
        [body] = await bodies(database, office.emulator.account_id)
        assert asked["plan_id"] not in body
        assert message not in body
    async with database.transaction() as db:  # the first tenant, whose tables are gone, keeps no other one waiting
        await db.execute("INSERT INTO tenant (account_id) VALUES ('1')")

    expired = Database(database_url, now=lambda: datetime.now(UTC) + LIFETIME)
    async with expired, anyio.create_task_group() as tasks:
        with GuardDatabase(database_url, keys) as states, anyio.fail_after(30):
            tasks.start_soon(forget_expired_plans, expired, states)
            while await bodies(database, office.emulator.account_id):  # noqa: ASYNC110  a row sends no event
                await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()


async def bodies(database: Database, account_id: str) -> list[str]:
    """Return what a tenant's table of plans has."""
    table = sql.Identifier(tenant_schema(account_id), "plan")
    async with database.transaction() as db:
        found = await db.execute(sql.SQL("SELECT body FROM {}").format(table))
        return [body for (body,) in await found.fetchall()]


async def test_a_delete_that_waits_for_a_login_is_not_sent_after_a_stop(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each DELETE reads the login, which another replica may keep locked for a minute while it renews it."""
    monkeypatch.setattr(deadlines, "LIMITS", replace(LIMITS, leaves_within_s=0.5))
    async with team(database, database_url, 1) as office, office.client(1, 0, "legacy") as client:
        person, message = await office.person(1), office.ids(1)[0]
        asked = await call(client, "delete_message", message_id=[message])
        answers: list[dict[str, Any]] = []

        async def agree() -> None:
            answers.append(await call(client, "delete_message", message_id=[message], plan_id=asked["plan_id"]))

        with GuardDatabase(database_url) as states:
            state, locks = states.of(person.account_id), AdvisoryLocks(database_url)
            async with anyio.create_task_group() as tasks, locks.held(login_name(person), 0) as renewing:
                assert renewing
                tasks.start_soon(agree)
                with anyio.fail_after(60):
                    while not await in_thread(lambda: "sending" in {e.event for e in Journal(state).entries()}):  # noqa: ASYNC110
                        await anyio.sleep(0.05)
                assert await in_thread(state.stop)
                await anyio.sleep(0.6)

        assert answers[0]["outcomes"] == {message: "failed"}
        assert office.deletes() == []
