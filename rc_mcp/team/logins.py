"""Each person's RingCentral login, sealed in the database and shared by all replicas.

RingCentral's refresh tokens can be used once, and a user and an app have five sessions at most: the sixth ends the
oldest. So one replica at a time renews a login, under an advisory lock that ends with its process, and a new login ends
the session of the one it replaces. A renewal is stored only if the login that it began with is still there: a replica
that lost its lock, with the connection, cannot overwrite a newer login.
"""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from typing import Any
from weakref import WeakValueDictionary

import anyio
import httpx2 as httpx
from psycopg import AsyncConnection

from rc_mcp import time_limits
from rc_mcp.ringcentral import LoginEnded, LoginNotKept, PersonAuth
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.oauth.token_endpoint import TokenEndpoint
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.ringcentral.oauth.user_login import revoke
from rc_mcp.ringcentral.transport.connection import PLAIN_HTTP_DIRECTLY
from rc_mcp.team.advisory_locks import AdvisoryLocks
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.key_ring import KeyRing, NotOpened
from rc_mcp.team.people import Person

LOG_IN_AGAIN = "log in again: connect to this server again in your app"
SEALED_WITH_ANOTHER_KEY = f"the operator has taken its key away; {LOG_IN_AGAIN}"
LOCKED = "Another replica has locked this login for a minute."
REPLACED = "Another login was stored in the meantime."
NOT_REACHED = "The stored login cannot be used now: the team's database does not answer ({why})."


class Logins:
    """The RingCentral logins of a team.

    Args:
        database, keys: where they are, and what seals them.
        server_url, client_id, client_secret: RingCentral's entry point and the team's app.
        transport: sends the requests that end a session. Default: over the network.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        server_url: str,
        client_id: str,
        client_secret: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._app = server_url, client_id, client_secret
        self._endpoint = TokenEndpoint(server_url, client_id, client_secret)
        self._transport = transport
        self._locks = AdvisoryLocks(database.url)
        self._auths: WeakValueDictionary[str, PersonAuth] = WeakValueDictionary()

    def auth_for(self, person: Person) -> PersonAuth:
        """Return this person's authentication, the same as long as it is in use. Without a login, it refuses."""
        auth = self._auths.get(person.id)
        if auth is None:
            login = _TeamLogin(person, self._database, self._keys, self._locks)
            auth = _TeamAuth(self._app, login, person, now=lambda: self._database.now().timestamp())
            self._auths[person.id] = auth
        return auth

    async def keep(self, person: Person, tokens: Tokens) -> None:
        """Store this person's new login, and end the session of the former one.

        Raises:
            LoginNotKept: it could not be stored; its session was ended.
        """
        now = self._database.now().timestamp()  # the clock of the process that got the tokens may be another
        good_for_s = tokens.good_until - tokens.issued_at
        kept = replace(tokens, owner_id=person.extension_id, issued_at=now, good_until=now + good_for_s)
        login = _TeamLogin(person, self._database, self._keys, self._locks)
        try:
            async with login.locked():
                former = await login.replace(kept)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._end_session(tokens)
            raise
        if former and former.refresh_token != tokens.refresh_token:
            await self._end_session(former)

    async def forget(self, person: Person) -> None:
        """Remove this person's login, and end its session at RingCentral.

        Raises:
            LoginNotKept: it could not be removed.
        """
        login = _TeamLogin(person, self._database, self._keys, self._locks)
        async with login.locked():
            former = await login.replace(None)
        if former:
            await self._end_session(former)

    async def _end_session(self, tokens: Tokens) -> None:
        """End a session as far as RingCentral can be reached; if not, it expires."""
        http = httpx.AsyncClient(
            transport=self._transport, mounts=PLAIN_HTTP_DIRECTLY, timeout=time_limits.LOGIN_STEP_S
        )
        async with http:
            await revoke(http, self._endpoint, tokens)


class _TeamAuth(PersonAuth):
    """Authentication that removes a login which RingCentral has ended.

    No token of ours is good without a login, so the person's MCP client then logs in again by itself.
    """

    def __init__(
        self, app: tuple[str, str, str], login: "_TeamLogin", person: Person, *, now: Callable[[], float]
    ) -> None:
        super().__init__(*app, login, owner_id=person.extension_id, advice=LOG_IN_AGAIN, now=now)
        self._login_of_team = login

    async def _load_token_other_than(self, refused: str) -> bool:
        try:
            return await super()._load_token_other_than(refused)
        except LoginEnded:
            if self._tokens and not self._tokens.refresh_token:  # it has expired
                await self._login_of_team.ended()
            raise

    async def _keep_token(self, answer: httpx.Response) -> None:
        try:
            await super()._keep_token(answer)
        except LoginEnded:
            await self._login_of_team.ended()
            raise


def login_name(person: Person) -> str:
    """Return the name of this person's login, as a lock and as a purpose of keys."""
    return f"login of {person.id}"


class _TeamLogin:
    """The stored login of one person: a `SharedLogin` of all replicas."""

    def __init__(self, person: Person, database: Database, keys: KeyRing, locks: AdvisoryLocks) -> None:
        self._person = person
        self._database = database
        self._keys = keys
        self._locks = locks
        self._name = login_name(person)
        self._seen = b""

    async def current(self) -> Tokens | None:
        async with self._transaction() as db:
            self._seen = await self._sealed(db)
        try:
            return self._opened(self._seen)
        except NotOpened:
            raise LoginEnded(401, message=SEALED_WITH_ANOTHER_KEY) from None

    async def keep(self, tokens: Tokens) -> None:
        sealed = self._keys.seal(json.dumps(asdict(tokens)).encode(), self._name)
        async with self._transaction() as db:
            written = await db.execute(
                "UPDATE ringcentral_login SET sealed = %s WHERE person = %s AND sealed = %s",
                (sealed, self._person.id, self._seen),
            )
            if not written.rowcount:
                raise LoginNotKept(REPLACED)
        self._seen = sealed

    async def ended(self) -> None:
        """Remove the login that was read last, unless another replaced it."""
        with suppress(LoginNotKept):
            async with self._transaction() as db:
                await db.execute(
                    "DELETE FROM ringcentral_login WHERE person = %s AND sealed = %s", (self._person.id, self._seen)
                )

    async def replace(self, tokens: Tokens | None) -> Tokens | None:
        """Store this login, or remove the one that is there. Return the former one, if it can be opened."""
        async with self._transaction() as db:
            former = await self._sealed(db)
            await db.execute("DELETE FROM ringcentral_login WHERE person = %s", (self._person.id,))
            if tokens:
                sealed = self._keys.seal(json.dumps(asdict(tokens)).encode(), self._name)
                await db.execute(
                    "INSERT INTO ringcentral_login (person, sealed) VALUES (%s, %s)", (self._person.id, sealed)
                )
        try:
            return self._opened(former)
        except NotOpened:
            return None

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        try:
            async with self._locks.held(self._name, LIMITS.login_lock_s) as is_held:
                if not is_held:
                    raise LoginNotKept(LOCKED)
                yield
        except DatabaseAway as away:
            raise LoginNotKept(NOT_REACHED.format(why=away.why)) from None

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection[tuple[Any, ...]]]:
        try:
            async with self._database.transaction() as db:
                yield db
        except DatabaseAway as away:
            raise LoginNotKept(NOT_REACHED.format(why=away.why)) from None

    async def _sealed(self, db: AsyncConnection[tuple[Any, ...]]) -> bytes:
        found = await db.execute("SELECT sealed FROM ringcentral_login WHERE person = %s", (self._person.id,))
        row = await found.fetchone()
        return row[0] if row else b""

    def _opened(self, sealed: bytes) -> Tokens | None:
        return Tokens(**json.loads(self._keys.open(sealed, self._name))) if sealed else None
