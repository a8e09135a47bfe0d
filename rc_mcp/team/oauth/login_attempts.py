"""Logins in progress: from a client's request, over the consent page and RingCentral, to the client's code.

Until a person agrees, the request is only sealed into the page. What waits for RingCentral's answer is in the table
`login_attempt`: any replica can take it, once, and only for the browser in which the person agreed.
"""

import hashlib
import hmac
from datetime import datetime, timedelta

from pydantic import BaseModel, ValidationError

from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing, NotOpened

LASTS = timedelta(minutes=10)
MOST = 10_000
"""Logins that wait for RingCentral's answer, over all replicas. One more pushes out the oldest: a stranger can begin
as many as they like."""
_REQUEST, _FORM, _ATTEMPT = "oauth-request", "oauth-consent", "oauth-login-attempt"


class Asked(BaseModel):
    """A client's request for authorization, after it was checked."""

    client_id: str
    redirect_uri: str
    names_redirect_uri: bool
    state: str | None
    code_challenge: str
    client_name: str = ""


class _Sealed(BaseModel):
    asked: Asked
    expires: datetime
    browser: str = ""
    state: str = ""
    verifier: str = ""


class NoSuchLogin(Exception):  # noqa: N818  a state
    """A login is over, began in another browser, or never began."""


class LoginAttempts:
    """What is remembered between the steps of a login."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    def sealed_request(self, asked: Asked) -> str:
        """Return a checked request for the address of the consent page."""
        return self._seal(_Sealed(asked=asked, expires=self._database.now() + LASTS), _REQUEST)

    def request(self, sealed: str) -> Asked:
        """Return the request of a consent page.

        Raises:
            NoSuchLogin: it is over, or not ours.
        """
        return self._open(sealed, _REQUEST).asked

    def form(self, asked: Asked, browser: str) -> str:
        """Return what the form of the consent page sends, which only this browser can."""
        found = _Sealed(asked=asked, expires=self._database.now() + LASTS, browser=digest(browser))
        return self._seal(found, _FORM)

    def agreed(self, form: str, browser: str) -> Asked:
        """Return the request about which a person decided in this browser.

        Raises:
            NoSuchLogin: it is over, of another browser, or not ours.
        """
        found = self._open(form, _FORM)
        if not hmac.compare_digest(found.browser, digest(browser)):
            raise NoSuchLogin
        return found.asked

    async def begin(self, asked: Asked, browser: str, state: str, verifier: str) -> None:
        """Remember a login until RingCentral answers with this state.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        expires = self._database.now() + LASTS
        sealed = self._seal(_Sealed(asked=asked, expires=expires, state=state, verifier=verifier), _ATTEMPT).encode()
        async with self._database.transaction_for_stranger() as db:
            await db.execute("SELECT pg_advisory_xact_lock(hashtext('rc_mcp.login_attempt'))")  # none is removed twice
            await db.execute(
                "INSERT INTO login_attempt (state_digest, browser_digest, expires, sealed) VALUES (%s, %s, %s, %s)",
                (digest(state), digest(browser), expires, sealed),
            )
            await db.execute(
                "DELETE FROM login_attempt WHERE state_digest IN"
                " (SELECT state_digest FROM login_attempt ORDER BY expires DESC OFFSET %s)",
                (MOST,),
            )

    async def take(self, state: str, browser: str | None) -> tuple[Asked, str]:
        """Return the login with this state, and its verifier. It can be taken once.

        Raises:
            NoSuchLogin: it is over, of another browser, or not ours.
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            taken = await db.execute(
                "DELETE FROM login_attempt WHERE state_digest = %s AND browser_digest = %s RETURNING sealed",
                (digest(state), digest(browser or "")),
            )
            row = await taken.fetchone()
        if row is None:
            raise NoSuchLogin
        found = self._open(bytes(row[0]).decode(), _ATTEMPT)
        if not hmac.compare_digest(found.state, state):
            raise NoSuchLogin  # another row's content: the seal does not know the row
        return found.asked, found.verifier

    async def forget_expired(self) -> None:
        """Remove the logins that were not finished in time."""
        async with self._database.transaction() as db:
            await db.execute("DELETE FROM login_attempt WHERE expires < %s", (self._database.now(),))

    def _seal(self, found: _Sealed, purpose: str) -> str:
        return self._keys.seal(found.model_dump_json().encode(), purpose).decode()

    def _open(self, sealed: str, purpose: str) -> _Sealed:
        try:
            found = _Sealed.model_validate_json(self._keys.open(sealed.encode(), purpose))
        except (NotOpened, ValidationError, UnicodeError):
            raise NoSuchLogin from None
        if self._database.now() >= found.expires:
            raise NoSuchLogin
        return found


def digest(secret: str) -> str:
    """Return the digest that is kept in place of a secret, which must be long and random."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
