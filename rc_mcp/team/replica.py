"""One replica of the server for a team: its parts, and the application that serves them.

A replica keeps nothing that another one needs: people, logins, plans, the journal and rate budgets are in PostgreSQL,
and what a client carries between two calls is sealed with keys that all replicas have.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2 as httpx
from anyio import create_task_group
from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.request_state import RequestStateSecurity
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from rc_mcp import time_limits
from rc_mcp.access import LEVELS
from rc_mcp.guard.guard import Guard
from rc_mcp.guard.policy.policy_file import PolicyError, parse_policy
from rc_mcp.guard.policy.rules import Policy
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.guard.state.store import THIS_MACHINE, MonotonicClock
from rc_mcp.http_gates import Door, OnlyUnder, OnlyWhole, transport_security
from rc_mcp.ringcentral import REAL_TIME, MessageStoreClient, Time
from rc_mcp.server import RingCentralServer, assemble, settle_interrupted_changes
from rc_mcp.session import MailboxSession
from rc_mcp.settings import Settings, SettingsError
from rc_mcp.team.callers import Callers
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.file_links import FileLinks, file_route
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.people import Person, find
from rc_mcp.team.sessions import NoSession, Sessions
from rc_mcp.team.subscription_bus import TeamSubscriptionBus
from rc_mcp.wiring import Auth, policy_for

PATH = "/mcp"
NOT_FOR_A_TEAM = "{name} is set, but a server for a team has no such thing: {why}. Nothing was started. Unset it."
MISSING = "{name} is not set. Nothing was started. rc-mcp serve --team needs it: docs/how-to/run-for-a-team.md."
NOT_KNOWN = "This server does not know you any more. Nothing was done. Log in again."
BAD_POLICY = "The operator's policy cannot be used ({error}). Nothing was done. The operator must fix it."


@dataclass(frozen=True)
class Entrance:
    """How people get in: who checks their tokens, where they log in, and their login at RingCentral."""

    verifier: TokenVerifier
    routes: Sequence[BaseRoute]
    auth_for: Callable[[Person], Auth]


@dataclass(frozen=True)
class Replica:
    """A replica that is running."""

    app: ASGIApp
    door: Door
    server: RingCentralServer
    sessions: Sessions
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
    entrance: Entrance,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: MonotonicClock = THIS_MACHINE,
    time: Time = REAL_TIME,
) -> AsyncGenerator[Replica]:
    """Yield a replica with these settings, which `check_team` has checked.

    Raises:
        SettingsError: the policy file cannot be used.
        DatabaseAway: the database cannot be reached.
    """
    policy = policy_for(settings)
    keys = KeyRing([key.get_secret_value() for key in settings.secret_keys])
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    async with Database(url) as database:
        await database.read_clock()
        async with create_task_group() as tasks:
            files = FileLinks(database, keys, settings.public_url or "")
            mailboxes = Mailboxes(settings, database, policy, entrance.auth_for, files, transport, clock, time)
            sessions = Sessions(mailboxes.open, tasks)
            bus = TeamSubscriptionBus(database, lambda: server.stop_listening())
            server = _mcp_server(settings, keys, sessions, bus, entrance.verifier)
            for each in (database.follow_clock, bus.follow, sessions.close_idle):
                tasks.start_soon(each)
            mcp = server.streamable_http_app(
                streamable_http_path=PATH,
                stateless_http=True,  # any replica may get the next request of a client of 2025-11-25
                transport_security=transport_security(_names(settings)),
            )
            door = Door(
                Starlette(routes=[*entrance.routes, file_route(files, sessions), Mount("/", mcp)]),
                calls=lambda: server.calls,
                stop_listening=server.stop_listening,
            )
            async with server.session_manager.run():
                yield Replica(_application(settings, door, database), door, server, sessions, database)
            tasks.cancel_scope.cancel()


@dataclass(frozen=True)
class Mailboxes:
    """Opens the mailbox of a person."""

    settings: Settings
    database: Database
    policy: Policy
    """Of the operator's file; a tenant can have another one in the database."""
    auth_for: Callable[[Person], Auth]
    files: FileLinks
    transport: httpx.AsyncBaseTransport | None
    clock: MonotonicClock
    time: Time

    @asynccontextmanager
    async def open(self, person_id: str) -> AsyncGenerator[MailboxSession]:
        """Yield the session of a person.

        Raises:
            NoSession: there is no such person, or the policy of the tenant cannot be used.
            DatabaseAway: the database cannot be used now.
        """
        person = await find(self.database, person_id)
        if person is None:
            raise NoSession(NOT_KNOWN)
        guarded = await self._policy_for(person)
        settings = self.settings
        async with (
            MessageStoreClient(
                self.auth_for(person),
                server_url=settings.server_url,
                media_url=settings.media_url,
                transport=self.transport,
                max_wait_s=time_limits.RATE_LIMIT_WAIT_S,
                time=self.time,
            ) as client,
            create_task_group() as tasks,
        ):
            state = Folder(settings.state_dir / person.account_id)
            plans = PlanStore(state, self.database.now, self.clock)
            reach = LEVELS.index(settings.access)
            guard = Guard(
                client=client,
                plans=plans,
                principal=person.id,
                approval=settings.approval,
                policy=guarded,
                may_purge=reach >= LEVELS.index("purge"),
                may_set_retention=settings.access == "admin",
                approve_page=f"{settings.public_url}/inbox",
                undo_command=None,
                zone=settings.timezone,
            )
            session = MailboxSession(client, guard, frozenset(), self.files.of(person))
            tasks.start_soon(settle_interrupted_changes, guard, session.given_up)
            try:
                yield session
            finally:
                state.close()
                tasks.cancel_scope.cancel()

    async def _policy_for(self, person: Person) -> Policy:
        async with self.database.transaction() as db:
            found = await db.execute("SELECT policy FROM tenant WHERE account_id = %s", (person.account_id,))
            row = await found.fetchone()
        if row is None or row[0] is None:
            return self.policy
        try:
            return parse_policy(row[0], "policy")
        except PolicyError as error:
            raise NoSession(BAD_POLICY.format(error=error)) from None


def _mcp_server(
    settings: Settings, keys: KeyRing, sessions: Sessions, bus: TeamSubscriptionBus, verifier: TokenVerifier
) -> RingCentralServer:
    public_url = settings.public_url or ""
    resource = f"{public_url}{PATH}"

    @asynccontextmanager
    async def no_session(_: MCPServer[MailboxSession]) -> AsyncGenerator[MailboxSession]:
        yield _NoMailbox()  # type: ignore[misc]  each request gets its caller's

    return assemble(
        settings,
        no_session,
        keeps_connections=False,
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(public_url),
            resource_server_url=AnyHttpUrl(resource),
            required_scopes=[],
            validate_token_resource=True,
        ),
        token_verifier=verifier,
        middleware=[Callers(sessions)],
        # Bound to client, issuer and person, as the SDK does: all three stay the same when a token is renewed.
        request_state_security=RequestStateSecurity(keys=keys.derived("request-state"), audience=resource),
        subscriptions=bus,
    )


class _NoMailbox:
    """What a request has before its caller is known. Whatever uses it fails."""


def _names(settings: Settings) -> list[str]:
    """Return the only host name that requests may have."""
    name = urlsplit(settings.public_url or "").hostname or ""
    return [f"[{name}]" if ":" in name else name]


def _application(settings: Settings, door: Door, database: Database) -> ASGIApp:
    async def alive(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> PlainTextResponse:
        if door.is_closed:
            return PlainTextResponse("shutting down\n", 503)
        try:
            async with database.transaction() as db:
                await db.execute("SELECT 1 FROM version")
        except DatabaseAway as error:
            return PlainTextResponse(f"{error}\n", 503)
        return PlainTextResponse("ok\n")

    return Starlette(
        routes=[
            Route("/healthz", alive),
            Route("/readyz", ready),
            Mount("/", OnlyUnder(_names(settings), OnlyWhole(door))),
        ]
    )
