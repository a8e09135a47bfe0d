"""A user's login: made with an authorization code and PKCE (RFC 7636), stored, and renewed with refresh tokens.

RingCentral's refresh tokens can be used once. A used one still returns the same new tokens until 10 s after their first
use, or for an hour if they are never used, so that a process that crashed before it stored them can ask again. So new
tokens are stored before use, and one process at a time renews. Source: RingCentral's guide ("Refresh tokens").
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic, time

import httpx2 as httpx

from rc_mcp.ringcentral.errors import RUN_LOGIN, APIError, LoginEnded, LoginNotKept, RingCentralError
from rc_mcp.ringcentral.oauth.auth import RenewingAuth
from rc_mcp.ringcentral.oauth.permissions import permissions_of
from rc_mcp.ringcentral.oauth.token_endpoint import AUTHORIZE_PATH, REVOKE_PATH, Issued, TokenEndpoint, read_bounded
from rc_mcp.ringcentral.oauth.token_store import SharedLogin, Tokens
from rc_mcp.ringcentral.transport.connection import failures_named
from rc_mcp.ringcentral.transport.deadlines import in_time

ANOTHER_USER = "another user is logged in now; restart the server to use that user's mailbox"
EXPIRED = "it has expired, and the app gets no refresh tokens; {advice}"


class PersonAuth(RenewingAuth):
    """Authentication with a user's browser login (`rc-mcp login`), shared by all processes that use it.

    One process at a time renews the tokens, a minute before they expire and once after a 401 (see `RenewingAuth`). The
    other processes use the tokens it stored. A refused renewal raises `LoginEnded`.

    Args:
        server_url, client_id, client_secret: as for `JWTAuth`; a public app has no secret.
        login: the stored login, such as a `LoginStore`.
        owner_id: the owner of the login. If another user logs in, that login is not used.
        scope: the stored permissions of the login; may be empty.
        advice: how the user logs in again, for `LoginEnded`.
        clock: returns monotonic seconds. Tests set it.
        now: returns seconds since 1970.
    """

    def __init__(
        self,
        server_url: str,
        client_id: str,
        client_secret: str,
        login: SharedLogin,
        *,
        owner_id: str,
        scope: str = "",
        advice: str = RUN_LOGIN,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], float] = time,
    ) -> None:
        super().__init__(TokenEndpoint(server_url, client_id, client_secret), clock)
        self.owner_id = owner_id
        self.granted = permissions_of(scope)
        self._stored = login
        self._advice = advice
        self._now = now
        self._tokens: Tokens | None = None
        self._refused = ""

    def _has_token_other_than(self, refused: str, request: httpx.Request) -> bool:
        # A DELETE is not repeated after a 401, so it must not use a token that another process has renewed: each
        # DELETE reads the stored login.
        return request.method != "DELETE" and self._token != "" and self._is_good(self._tokens, refused)

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        try:
            async with self._stored.locked():
                yield
        except LoginNotKept as error:
            # The store does not know the request. A renewal, or a request that got a 401, may have been sent.
            raise LoginNotKept(f"{error} The request was not carried out.") from None

    async def _load_token_other_than(self, refused: str) -> bool:
        before, self._tokens = self._tokens, await self._stored.current()
        if self._tokens is None:
            raise LoginEnded(401, advice=self._advice)
        if self._tokens.owner_id != self.owner_id:
            raise LoginEnded(401, message=ANOTHER_USER)
        if before and before.refresh_token != self._tokens.refresh_token:
            self._failure = None
        self.granted = permissions_of(self._tokens.scope)
        if self._is_good(self._tokens, refused):
            self._token = self._tokens.access_token
            return True
        if not self._tokens.refresh_token:
            raise LoginEnded(401, message=EXPIRED.format(advice=self._advice))
        return False

    def _is_good(self, tokens: Tokens | None, refused: str) -> bool:
        bad = ("", refused, self._refused)
        return tokens is not None and tokens.access_token not in bad and self._now() < tokens.good_until

    def _login(self, request: httpx.Request) -> httpx.Request:
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token()}
        return self._endpoint.request(form, like=request)

    def _refresh_token(self) -> str:
        return self._tokens.refresh_token if self._tokens else ""

    async def _keep_token(self, answer: httpx.Response) -> None:
        try:
            issued = self._endpoint.issued(answer, self._refresh_token())
        except APIError as refused:
            raise self._endpoint.refused_refresh(answer, refused, self._advice) from None
        # Without a refresh token in the answer, the old one stays valid (RFC 6749, 6).
        issued = replace(issued, refresh_token=issued.refresh_token or self._refresh_token())
        tokens = tokens_of(issued, self._now(), self.owner_id)
        await self._stored.keep(tokens)
        self._tokens, self._token = tokens, tokens.access_token
        self.granted = permissions_of(tokens.scope)

    def _forget(self, refused: str) -> None:
        super()._forget(refused)
        self._refused = refused


def tokens_of(issued: Issued, now: float, owner_id: str = "") -> Tokens:
    """Return the tokens to store. If RingCentral names no owner, the login keeps a random owner id."""
    owner = owner_id or issued.owner_id or secrets.token_hex(16)
    return Tokens(issued.access_token, issued.refresh_token, owner, now, now + issued.good_for_s, issued.scope)


@dataclass(frozen=True)
class Authorization:
    """One attempt to log in: the URL for the user's browser, and the values to exchange the code for tokens."""

    endpoint: TokenEndpoint
    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)

    @property
    def url(self) -> str:
        challenge = urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self.endpoint.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return str(self.endpoint.server.join(AUTHORIZE_PATH).copy_merge_params(asked))

    async def exchange(self, http: httpx.AsyncClient, code: str, now: Callable[[], float] = time) -> Tokens:
        """Exchange a code for tokens.

        Raises:
            LoginFailed, RateLimited, NotSent, AnswerLost: no tokens were issued.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        answer = await _answer(http, self.endpoint.request({**form, "code_verifier": self.verifier}))
        return tokens_of(self.endpoint.issued(answer, code, self.verifier), now())


async def revoke(http: httpx.AsyncClient, endpoint: TokenEndpoint, tokens: Tokens) -> RingCentralError | None:
    """End the whole session at RingCentral. Return the error if that failed."""
    token = tokens.refresh_token or tokens.access_token
    try:
        answer = await _answer(http, endpoint.request({"token": token}, path=REVOKE_PATH))
    except RingCentralError as error:
        return error
    return None if answer.is_success else endpoint.refusal(answer, token, path=REVOKE_PATH)


async def _answer(http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    request.extensions = {**request.extensions, "timeout": http.timeout.as_dict()}
    with failures_named(request):
        with in_time(request):
            answer = await http.send(request, stream=True, follow_redirects=False)
        await read_bounded(answer)
    return answer
