"""Grants: each lets a client act for a person, and has codes and tokens.

Codes and tokens are random, and the database keeps only digests. A client that presents one that was used up ends the
whole grant: it may be stolen, and the thief looks like the owner (RFC 9700, 4.14). Times are the database's.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from hashlib import sha256
from math import inf
from time import monotonic
from typing import Any, cast

from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, TokenError
from mcp.shared.auth import OAuthToken
from psycopg import AsyncConnection
from pydantic import AnyUrl

from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.oauth.addresses import SCOPE, Addresses
from rc_mcp.team.oauth.login_attempts import Asked, digest
from rc_mcp.team.people import Person

CODE_LASTS = timedelta(seconds=60)
ACCESS_LASTS = timedelta(hours=1)
REFRESH_LASTS = timedelta(days=30)
GRACE = timedelta(seconds=30)
"""A client whose answer was lost gets the same tokens again within this time."""
BELIEVED_S = 5.0
"""A token is not looked up again for this long: a grant that ends on another replica ends here after that."""
_MOST_BELIEVED = 10_000
_KEPT, _USED_KEPT = timedelta(days=1), timedelta(days=7)
"""How long an expired code or token, and a used refresh token, is still known, so that its return ends the grant."""
_MOST_OF_A_KIND = 200
"""Tokens of a grant: those of a week, if each is renewed after an hour. A client that renews without end loses its
older ones, and does not fill the database."""
_TOKEN_CHARS = 200

NOT_GOOD = "It was used before, has expired or was revoked. Log in again."
_Db = AsyncConnection[tuple[Any, ...]]


class PersonsToken(AccessToken):
    """An access token that was checked, and whose it is."""

    person: Person
    grant: str


class PersonsRefreshToken(RefreshToken):
    """A refresh token that was found, and its grant."""

    grant: str


class PersonsCode(AuthorizationCode):
    """A code that was found, and its grant."""

    grant: str


class Grants:
    """The grants of all people, on all replicas."""

    def __init__(
        self, database: Database, keys: KeyRing, addresses: Addresses, clock: Callable[[], float] = monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._addresses = addresses
        self._key = keys.derived("oauth-token")[0]
        self._believed: OrderedDict[str, tuple[float, PersonsToken]] = OrderedDict()

    async def begin(self, person: Person, asked: Asked) -> str:
        """Begin a grant, and return its code.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        grant, code, now = secrets.token_hex(16), secrets.token_urlsafe(32), self._database.now()
        async with self._database.transaction() as db:
            await db.execute(
                "INSERT INTO oauth_grant (id, person, client_id, client_name, resource, since)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (grant, person.id, asked.client_id, asked.client_name, self._addresses.resource, now),
            )
            await _insert(
                db, code, "code", grant, now + CODE_LASTS, asked.model_dump_json(exclude={"client_name", "state"})
            )
        return code

    async def code(self, code: str, client_id: str) -> PersonsCode | None:
        """Return a code that this client can exchange. One that was exchanged before ends its grant.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            row = await _find(db, code, "code")
            if row is None:
                return None
            grant, of, expires, used_at, detail = row
            if used_at is not None:
                await self._end(db, grant)
                return None
        if of != client_id or self._database.now() >= expires:
            return None
        asked = json.loads(detail)
        return PersonsCode(
            code=code,
            scopes=[SCOPE],
            expires_at=inf,  # checked above: the SDK goes by the clock of this machine
            client_id=client_id,
            code_challenge=asked["code_challenge"],
            redirect_uri=AnyUrl(asked["redirect_uri"]),
            redirect_uri_provided_explicitly=asked["names_redirect_uri"],
            grant=grant,
        )

    async def exchange(self, code: PersonsCode) -> OAuthToken:
        """Exchange a code for tokens.

        Raises:
            TokenError: it was exchanged in the meantime; the grant is over.
            DatabaseAway: the database cannot be used now.
        """
        now = self._database.now()
        async with self._database.transaction() as db:
            await db.execute(_LOCK, (code.grant,))
            used = await db.execute(
                "UPDATE oauth_token SET used_at = %s WHERE digest = %s AND kind = 'code' AND used_at IS NULL",
                (now, digest(code.code)),
            )
            if used.rowcount == 1:
                access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
                return await self._issue(db, code.grant, access, refresh, now, now)
            await self._end(db, code.grant)
        raise TokenError("invalid_grant", NOT_GOOD)

    async def refresh_token(self, token: str, client_id: str) -> PersonsRefreshToken | None:
        """Return a refresh token that this client can use. One that was used before ends its grant.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            row = await _find(db, token, "refresh")
            if row is None:
                return None
            grant, of, expires, used_at, _ = row
            if used_at is not None and self._database.now() >= used_at + GRACE:
                await self._end(db, grant)
                return None
        if of != client_id or self._database.now() >= expires:
            return None
        return PersonsRefreshToken(token=token, client_id=client_id, scopes=[SCOPE], grant=grant)

    async def renew(self, token: PersonsRefreshToken) -> OAuthToken:
        """Return the tokens that follow a refresh token: within `GRACE` the same ones again.

        They are derived from it, so that no secret needs to be kept to say them twice.

        Raises:
            TokenError: it was used up in the meantime, and the grant is over.
            DatabaseAway: the database cannot be used now.
        """
        now = self._database.now()
        async with self._database.transaction() as db:
            await db.execute(_LOCK, (token.grant,))
            used = await db.execute(
                "UPDATE oauth_token SET used_at = coalesce(used_at, %s), expires = least(expires, %s)"
                " WHERE digest = %s AND kind = 'refresh' RETURNING used_at",
                (now, now + _USED_KEPT, digest(token.token)),
            )
            row = await used.fetchone()
            if row and now < row[0] + GRACE:
                access, refresh = self._derived("access", token.token), self._derived("refresh", token.token)
                issued = await self._issue(db, token.grant, access, refresh, row[0], now)
                await db.execute(_FORGET_OLDEST, (token.grant, _MOST_OF_A_KIND))
                return issued
            await self._end(db, token.grant)
        raise TokenError("invalid_grant", NOT_GOOD)

    async def access_token(self, token: str) -> PersonsToken | None:
        """Return an access token with its person, as long as both its grant and the login at RingCentral last.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        key = digest(token[:_TOKEN_CHARS])
        believed = self._believed.get(key)
        if believed and self._clock() < believed[0]:
            return believed[1]
        async with self._database.transaction() as db:
            found = await db.execute(_WHOSE, (key, self._database.now()))
            row = await found.fetchone()
        if row is None:
            self._believed.pop(key, None)
            return None
        grant, client_id, resource, *person = row
        checked = PersonsToken(
            token=token,
            client_id=client_id,
            scopes=[SCOPE],
            resource=resource,
            subject=person[0],
            claims={"iss": self._addresses.issuer},
            person=Person(*person),
            grant=grant,
        )
        self._believed[key] = self._clock() + BELIEVED_S, checked
        while len(self._believed) > _MOST_BELIEVED:
            self._believed.popitem(last=False)
        return checked

    async def end_of(self, token: str, client_id: str) -> Person | None:
        """End the grant of a code or token of this client. Return whose it was, if it was good for anything.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            row = await (await db.execute(_OF, (digest(token[:_TOKEN_CHARS]),))).fetchone()
            if row is None or row[1] != client_id:
                return None
            grant, _, *person = row
            await self._end(db, grant)
        return Person(*person)

    async def end_all_of(self, person: Person) -> int:
        """End all grants of a person. Return how many there were.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            ended = await db.execute("DELETE FROM oauth_grant WHERE person = %s", (person.id,))
        self._doubt(lambda token: token.person == person)
        return ended.rowcount

    async def end_all_but_of(self, accounts: AbstractSet[str]) -> None:
        """End the grants of people of all other accounts.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            await db.execute(
                "DELETE FROM oauth_grant USING person WHERE person.id = oauth_grant.person AND account_id <> ALL (%s)",
                (sorted(accounts),),
            )

    async def needless_logins(self) -> list[Person]:
        """Return the people whose login at RingCentral serves no client any more.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            return [Person(*row) for row in await (await db.execute(_NEEDLESS)).fetchall()]

    async def has_any(self, person: Person) -> bool:
        """Return whether any client may act for this person.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            found = await db.execute("SELECT 1 FROM oauth_grant WHERE person = %s LIMIT 1", (person.id,))
            return await found.fetchone() is not None

    async def forget_expired(self) -> None:
        """Remove expired codes and tokens, and the grants that have none left.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        before = self._database.now() - _KEPT
        async with self._database.transaction() as db:
            await db.execute("DELETE FROM oauth_token WHERE expires < %s", (before,))
            await db.execute(
                "DELETE FROM oauth_grant g WHERE NOT EXISTS (SELECT 1 FROM oauth_token WHERE oauth_grant = g.id)"
            )

    async def _issue(
        self, db: _Db, grant: str, access: str, refresh: str, issued: datetime, now: datetime
    ) -> OAuthToken:
        await _insert(db, access, "access", grant, issued + ACCESS_LASTS)
        await _insert(db, refresh, "refresh", grant, issued + REFRESH_LASTS)
        expires_in = int((issued + ACCESS_LASTS - now).total_seconds())
        return OAuthToken(access_token=access, expires_in=expires_in, refresh_token=refresh, scope=SCOPE)

    async def _end(self, db: _Db, grant: str) -> None:
        await db.execute("DELETE FROM oauth_grant WHERE id = %s", (grant,))
        self._doubt(lambda token: token.grant == grant)

    def _doubt(self, concerned: Callable[[PersonsToken], bool]) -> None:
        for key in [key for key, (_, token) in self._believed.items() if concerned(token)]:
            del self._believed[key]

    def _derived(self, kind: str, token: str) -> str:
        made = hmac.digest(self._key, f"{kind}:{token}".encode(), sha256)
        return urlsafe_b64encode(made).decode().rstrip("=")


_LOCK = "SELECT 1 FROM oauth_grant WHERE id = %s FOR UPDATE"
"""Before a change to a token: whatever ends a grant locks it before its tokens, so the other order could deadlock."""
_WHOSE = """
    SELECT g.id, g.client_id, g.resource, p.id, p.account_id, p.extension_id
    FROM oauth_token t JOIN oauth_grant g ON g.id = t.oauth_grant JOIN person p ON p.id = g.person
        JOIN ringcentral_login l ON l.person = p.id
    WHERE t.digest = %s AND t.kind = 'access' AND t.expires > %s
"""
_FORGET_OLDEST = """
    DELETE FROM oauth_token WHERE digest IN (SELECT digest FROM (
        SELECT digest, row_number() OVER (PARTITION BY kind ORDER BY expires DESC) AS place
        FROM oauth_token WHERE oauth_grant = %s
    ) AS ranked WHERE place > %s)
"""
_OF = """
    SELECT g.id, g.client_id, p.id, p.account_id, p.extension_id
    FROM oauth_token t JOIN oauth_grant g ON g.id = t.oauth_grant JOIN person p ON p.id = g.person
    WHERE t.digest = %s
"""
_NEEDLESS = """
    SELECT p.id, p.account_id, p.extension_id FROM ringcentral_login l JOIN person p ON p.id = l.person
    WHERE NOT EXISTS (SELECT 1 FROM oauth_grant WHERE person = p.id)
"""


async def _insert(db: _Db, secret: str, kind: str, grant: str, expires: datetime, detail: str = "") -> None:
    await db.execute(
        "INSERT INTO oauth_token (digest, kind, oauth_grant, expires, detail) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",  # the tokens that follow a refresh token are the same each time
        (digest(secret), kind, grant, expires, detail),
    )


async def _find(db: _Db, secret: str, kind: str) -> tuple[str, str, datetime, datetime | None, str] | None:
    """Return grant, client, end, time of use and detail of a code or token."""
    found = await db.execute(
        "SELECT g.id, g.client_id, t.expires, t.used_at, t.detail FROM oauth_token t"
        " JOIN oauth_grant g ON g.id = t.oauth_grant WHERE t.digest = %s AND t.kind = %s",
        (digest(secret[:_TOKEN_CHARS]), kind),
    )
    return cast("tuple[str, str, datetime, datetime | None, str] | None", await found.fetchone())
