"""One replica of the server for a team: its parts, and the application that serves them.

A replica keeps nothing that another one needs. People, logins, plans, the journal and rate budgets are in PostgreSQL.
State that a client carries between two calls is sealed with keys that all replicas have.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httpx2 as httpx
from anyio import create_task_group
from mcp.server import MCPServer
from mcp.server.auth.settings import AuthSettings
from mcp.server.request_state import RequestStateSecurity
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from rc_mcp.guard.state.store import THIS_MACHINE, MonotonicClock
from rc_mcp.http_gates import Door, OnlyUnder, Page, transport_security
from rc_mcp.ringcentral import REAL_TIME, Time
from rc_mcp.server import RingCentralServer, assemble
from rc_mcp.session import MailboxSession
from rc_mcp.settings import Settings, SettingsError
from rc_mcp.team.budgets import SharedBudgets
from rc_mcp.team.callers import Callers
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.expired_plans import forget_expired_plans
from rc_mcp.team.file_links import FileLinks, file_route
from rc_mcp.team.inbox_page import inbox_routes, page_in_app
from rc_mcp.team.interrupted import settle_for_absent
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import Logins
from rc_mcp.team.mailboxes import Mailboxes
from rc_mcp.team.measuring import MeasuredTransport, Measuring
from rc_mcp.team.oauth import SCOPE, Addresses, AuthorizationServer, SaysWhenAway, routes
from rc_mcp.team.oauth.addresses import web_url
from rc_mcp.team.oauth.client_documents import ClientDocuments
from rc_mcp.team.oauth.ringcentral_login import RingCentralLogin
from rc_mcp.team.operator_api import with_operators
from rc_mcp.team.operators import Operators
from rc_mcp.team.outgoing import Outgoing
from rc_mcp.team.policies import TenantPolicies
from rc_mcp.team.request_limits import RequestLimits
from rc_mcp.team.schema import SHARED
from rc_mcp.team.sessions import Sessions
from rc_mcp.team.subscription_bus import TeamSubscriptionBus
from rc_mcp.team.telemetry import start
from rc_mcp.team.tenant_state import GuardDatabase
from rc_mcp.tools import tools_for
from rc_mcp.tools.read_message_content import LINKED, SAVED, read_message_content
from rc_mcp.tools.strict_tool import StrictTool
from rc_mcp.wiring import policy_for

PATH = "/mcp"
NOT_FOR_A_TEAM = "{name} is set, but a server for a team has no such thing: {why}. Nothing was started. Unset it."
MISSING = "{name} is not set. Nothing was started. rc-mcp serve --team needs it: docs/how-to/run-for-a-team.md."
OTHER_HOST = "This server answers only under the name in RC_MCP_PUBLIC_URL. Nothing was done."
OTHER_VERSION = "the tables are of another version\n"
HOME = """\
rc-mcp: RingCentral messages for AI assistants. Everyone sees only their own.
{url}/mcp is the address to add to an assistant. It opens your browser, where you log in at RingCentral.
{url}/inbox shows your messages, and the deletes that wait for your approval.
{url}/logout logs you out of all apps.
"""
"""What a person reads who opens the address in a browser."""


@dataclass(frozen=True)
class Replica:
    """A replica that is running."""

    app: ASGIApp
    door: Door
    server: RingCentralServer
    sessions: Sessions
    authorization: AuthorizationServer
    logins: Logins
    database: Database


def check_team(settings: Settings) -> None:
    """Check that these settings are for a team.

    Raises:
        SettingsError: one is missing, or does not fit.
    """
    needed = {
        "RC_MCP_DATABASE_URL": settings.database_url,
        "RC_MCP_PUBLIC_URL": settings.public_url,
        "RC_MCP_SECRET_KEYS": settings.secret_keys,
        "RC_APP_CLIENT_ID": settings.client_id,
    }
    for name, value in needed.items():
        if not value:
            raise SettingsError(MISSING.format(name=name))
    unfit = {
        "RC_MCP_MIRROR": (settings.mirror != "off", "it would keep a copy of everyone's messages on its disk"),
        "RC_MCP_CONTACTS": (settings.contacts, "it has no local copy to search, and an address book is one person's"),
        "RC_MCP_APPROVAL_PAGE": (
            settings.approval_page != "off",
            "its machine has no browser; people open /inbox",
        ),
        "RC_MCP_TRANSCRIBE": (settings.transcribe != "off", "one recording would keep all others waiting"),
        "RC_MCP_EXTENSIONS": (settings.extensions, "each person has their own mailbox"),
        "RC_USER_JWT": (settings.user_jwt, "each person logs in themselves"),
        "RC_ACCESS_TOKEN": (settings.access_token, "each person logs in themselves"),
    }
    for name, (is_set, why) in unfit.items():
        if is_set:
            raise SettingsError(NOT_FOR_A_TEAM.format(name=name, why=why))


@asynccontextmanager
async def open_replica(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    documents: ClientDocuments | None = None,
    clock: MonotonicClock = THIS_MACHINE,
    time: Time = REAL_TIME,
) -> AsyncGenerator[Replica]:
    """Yield a replica with these settings, which `check_team` has checked.

    Args:
        transport: sends requests to RingCentral; default: over the network.
        documents: what MCP clients publish about themselves; default: fetched from them.
        clock: the clock that measures the time since a request was sent.
        time: the waiting for rate limits, and before a request is repeated.

    Raises:
        SettingsError: the policy file cannot be used.
        DatabaseAway: the database cannot be reached.
        BadEnvironment: proxies or certificates from the environment cannot be used.
    """
    default = policy_for(settings)
    keys = KeyRing(list(dict.fromkeys(key.get_secret_value() for key in settings.secret_keys)))
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    async with Database(url) as database, Outgoing() as outgoing:
        await database.read_clock()
        transport = MeasuredTransport(transport or outgoing)
        logins = _logins(settings, database, keys, transport)
        authorization = _authorization(settings, database, keys, logins, transport, documents)
        budgets, files = SharedBudgets(database, time), FileLinks(database, keys, authorization.addresses.public_url)
        with GuardDatabase(url, keys) as states:
            states.allow_threads()
            policies = TenantPolicies(database, default)
            mailboxes = Mailboxes(
                settings, keys, policies, database, states, logins, budgets, files, transport, clock, time
            )
            async with create_task_group() as tasks:
                sessions = Sessions(mailboxes.open, tasks)
                bus = TeamSubscriptionBus(database, lambda: server.stop_listening())
                server = _mcp_server(settings, keys, sessions, bus, authorization)
                for each in (
                    database.follow_clock,
                    budgets.write_answers,
                    authorization.keep_tidy,
                    bus.follow,
                    sessions.close_idle,
                ):
                    tasks.start_soon(each)
                tasks.start_soon(policies.follow, sessions.retire)
                tasks.start_soon(settle_for_absent, database, sessions)
                tasks.start_soon(forget_expired_plans, database, states)
                door = _door(settings, server, authorization, sessions, mailboxes)
                async with server.session_manager.run():
                    app = _application(settings, door, authorization, database, states)
                    yield Replica(app, door, server, sessions, authorization, logins, database)
                tasks.cancel_scope.cancel()


def _logins(settings: Settings, database: Database, keys: KeyRing, transport: httpx.AsyncBaseTransport) -> Logins:
    return Logins(
        database,
        keys,
        settings.server_url,
        settings.client_id or "",
        settings.client_secret.get_secret_value(),
        transport=transport,
    )


def _authorization(
    settings: Settings,
    database: Database,
    keys: KeyRing,
    logins: Logins,
    transport: httpx.AsyncBaseTransport,
    documents: ClientDocuments | None,
) -> AuthorizationServer:
    addresses = Addresses(settings.public_url or "")
    login = RingCentralLogin(
        settings.server_url,
        settings.client_id or "",
        settings.client_secret.get_secret_value(),
        addresses.redirect_uri,
        transport=transport,
        now=lambda: database.now().timestamp(),
    )
    return AuthorizationServer(
        database,
        keys,
        addresses,
        settings.server_url,
        login,
        logins,
        accounts=settings.accounts,
        documents=documents,
    )


def _mcp_server(
    settings: Settings,
    keys: KeyRing,
    sessions: Sessions,
    bus: TeamSubscriptionBus,
    authorization: AuthorizationServer,
) -> RingCentralServer:
    addresses = authorization.addresses

    @asynccontextmanager
    async def no_mailbox(_: MCPServer[MailboxSession]) -> AsyncGenerator[MailboxSession]:
        yield cast("MailboxSession", _NoMailbox())

    server = assemble(
        settings,
        no_mailbox,
        keeps_connections=False,
        auth=AuthSettings(
            issuer_url=web_url(addresses.issuer),
            resource_server_url=web_url(addresses.resource),
            required_scopes=[SCOPE],
            validate_token_resource=True,
        ),
        token_verifier=authorization,
        middleware=[Callers(sessions)],
        # Bound to client, issuer and person, as the SDK does: all three stay the same when a token is renewed.
        request_state_security=RequestStateSecurity(keys=keys.derived("request-state"), audience=addresses.resource),
        subscriptions=bus,
        tools=[_with_links(tool) for tool in tools_for(settings.access)],
    )
    server.middleware.insert(1, Measuring())  # right inside of the SDK's own, whose span it completes
    server.has_browser_page = True
    server.app_html = partial(page_in_app, addresses.public_url)
    return server


def _door(
    settings: Settings,
    server: RingCentralServer,
    authorization: AuthorizationServer,
    sessions: Sessions,
    mailboxes: Mailboxes,
) -> Door:
    """Return the gate before all addresses that people and their clients use."""
    mcp = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,  # any replica may get the next request of a client of 2025-11-25
        transport_security=transport_security(_names(settings)),
    )
    home = HOME.format(url=authorization.addresses.public_url)
    addresses = [
        Route("/", Page(lambda: (home, 200))),
        *routes(authorization),
        *inbox_routes(authorization, sessions, mailboxes.desk_of),
        file_route(mailboxes.files, sessions),
        Mount("/", mcp),
    ]
    site = SaysWhenAway(Starlette(routes=addresses))
    return Door(site, calls=lambda: server.calls, stop_listening=server.stop_listening)


def _with_links(tool: StrictTool) -> StrictTool:
    """Return the tool as it is where files reach users by links."""
    if tool.name != read_message_content.__name__:
        return tool
    described = json.dumps(tool.parameters).replace(SAVED, LINKED)
    return tool.model_copy(update={"parameters": json.loads(described)})


class _NoMailbox:
    """What a request has before `Callers` knows who sent it. Whatever uses it fails."""


def _names(settings: Settings) -> list[str]:
    """Return the only host name that requests may have."""
    name = urlsplit(settings.public_url or "").hostname or ""
    return [f"[{name}]" if ":" in name else name]


def _application(
    settings: Settings, door: Door, authorization: AuthorizationServer, database: Database, states: GuardDatabase
) -> ASGIApp:
    async def alive(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> PlainTextResponse:
        if door.is_closed:
            return PlainTextResponse("shutting down\n", 503)
        try:
            async with database.transaction() as db:
                row = await (await db.execute("SELECT number FROM version")).fetchone()
        except DatabaseAway as error:
            return PlainTextResponse(f"{error}\n", 503)
        is_right = row == (len(SHARED),)
        return PlainTextResponse("ok\n") if is_right else PlainTextResponse(OTHER_VERSION, 503)

    whole = RequestLimits(authorization, door)
    app = Starlette(
        routes=[
            Route("/healthz", alive),
            Route("/readyz", ready),
            # The Origin is checked by MCP and the inbox page. Any web page may ask the authorization server.
            Mount("/", OnlyUnder(_names(settings), whole, refusal=OTHER_HOST, checks_origin=False)),
        ]
    )
    if settings.http_token is None:
        return app
    return with_operators(Operators(database, states.of), settings.http_token, start().exposition, app)
