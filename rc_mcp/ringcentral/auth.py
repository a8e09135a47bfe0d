"""Who the client is to RingCentral, as httpx authentication flows: they yield requests and are given the answers.

Sources: RingCentral's guide ("JWT auth flow", "Refresh tokens", "Rate limits") and its OpenAPI document for the token
endpoint.
"""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from time import monotonic

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.bounds import read_bounded
from rc_mcp.ringcentral.entry_points import origin
from rc_mcp.ringcentral.errors import APIError, InvalidRequest, LoginUnavailable, RateLimited, RingCentralError
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.permissions import permissions_of
from rc_mcp.ringcentral.token_endpoint import TokenEndpoint, credential
from rc_mcp.ringcentral.waiting import is_sent_once

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class BearerAuth(httpx.Auth):
    """What all kinds share: a token goes to the origins of the client it was given to, and nowhere else.

    Attributes:
        granted: what RingCentral granted this login; None until it has said so.
    """

    def __init__(self) -> None:
        self.granted: frozenset[str] | None = None
        self._origins: set[tuple[str, str, int | None]] = set()

    def allow(self, *entry_points: httpx.URL) -> None:
        """Lets the token go to these. Before this it goes nowhere."""
        self._origins.update(map(origin, entry_points))

    def _authorize(self, request: httpx.Request, token: str) -> None:
        if origin(request.url) not in self._origins:
            raise InvalidRequest(f"{request.url.host} is no entry point of this client: the token stayed here")
        request.headers["Authorization"] = f"Bearer {token}"


class TokenAuth(BearerAuth):
    """A ready access token. It is not renewed: once it expires, calls raise `Unauthorized`."""

    def __init__(self, access_token: str) -> None:
        super().__init__()
        self._token = credential("access_token", access_token)

    def __repr__(self) -> str:
        return "TokenAuth(***)"

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        self._authorize(request, self._token)
        yield request


class RenewingAuth(BearerAuth):
    """What logs in by itself: once for all who wait, again when the token runs out, and never as a hammer.

    A request turned away with 401 is sent a second time with a new token. Not so a DELETE, or what is sent `at_once`:
    something between us and RingCentral may answer 401 while the request still arrives, and a second DELETE purges, or
    a retention period comes into force after one that was set later. Such a 401 stands, and the next call
    renews. A refused login is not repeated for a minute (10 s after an outage, longer where RingCentral says so, and as
    long as it says after a 429); calls meanwhile raise the same error. A renewal that did not help is not repeated for
    a minute either, and the minute after a DELETE was turned away counts as that. A login that got no answer at all is
    tried again by the next call.
    """

    def __init__(self, endpoint: TokenEndpoint, clock: Callable[[], float]) -> None:
        super().__init__()
        self.server = endpoint.server
        self._endpoint = endpoint
        self._clock = clock
        self._one_login = anyio.Lock()
        self._token = ""
        self._failure: RingCentralError | None = None
        self._no_login_before = 0.0
        self._no_renewal_before = 0.0

    @abstractmethod
    def _has_token_other_than(self, turned_away: str, request: httpx.Request) -> bool:
        """Whether `_token` will do for this request."""

    def _alone(self) -> AbstractAsyncContextManager[None]:
        """What is held while a new token is looked for."""
        return nullcontext()

    async def _found_another_than(self, turned_away: str) -> bool:
        """Whether a good token was found without a login. It is `_token` then."""
        return False

    @abstractmethod
    def _login(self, request: httpx.Request) -> httpx.Request:
        """What to send for a new token; it waits no longer than `request`."""

    @abstractmethod
    async def _keep_token(self, answer: httpx.Response) -> None:
        """Makes `_token` of the answer, which has been read."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        turned_away = ""
        for _ in range(2):
            async with self._one_login:
                if not self._has_token_other_than(turned_away, request):
                    async with self._alone():
                        if not await self._found_another_than(turned_away):
                            self._hold_back_after_failure()
                            answer = yield self._login(request)
                            await read_bounded(answer)
                            await self._kept(answer)
                token = self._token
            self._authorize(request, token)
            response = yield request
            if response.status_code != 401 or not self._may_renew(token):
                return
            if request.method == "DELETE" or is_sent_once():
                self._forget(token)
                return
            await read_bounded(response)
            turned_away = token
        self._no_renewal_before = self._clock() + LIMITS.login_pause_s

    def _may_renew(self, turned_away: str) -> bool:
        return self._token != turned_away or self._clock() >= self._no_renewal_before

    def _forget(self, turned_away: str) -> None:
        """Leaves the login to the next call: one that failed here would say that the DELETE was not sent."""
        if self._token == turned_away:
            self._token = ""
            self._no_renewal_before = self._clock() + LIMITS.login_pause_s

    def _hold_back_after_failure(self) -> None:
        if self._failure and self._clock() < self._no_login_before:
            raise self._failure.with_traceback(None)

    async def _kept(self, answer: httpx.Response) -> None:
        try:
            await self._keep_token(answer)
        except RingCentralError as failure:
            self._failure, self._no_login_before = failure, self._clock() + _pause_s(failure)
            raise
        self._failure = None


def _pause_s(failure: RingCentralError) -> float:
    if isinstance(failure, RateLimited):
        return failure.retry_after_s
    is_outage = isinstance(failure, APIError) and failure.status >= 500
    told_s = failure.retry_after_s if isinstance(failure, LoginUnavailable) else None
    return max(LIMITS.outage_pause_s if is_outage else LIMITS.login_pause_s, told_s or 0.0)


class JWTAuth(RenewingAuth):
    """Logs in with a JWT credential from RingCentral's developer console, and again when the token runs out.

    One login at a time, whoever waits for it: RingCentral allows 5 a minute and ends older sessions. A token is renewed
    a minute before it expires, and once when it is turned away with 401 (see `RenewingAuth`).

    Args:
        server_url: where to log in, an https origin; the client's own `server_url`.
        client_id: of the app.
        client_secret: of a confidential app; empty for a public one, which names its `client_id` in the form instead.
        jwt: the credential. Sent to `server_url` only.
        clock: seconds, never going back. Tests set it.

    Raises:
        InvalidRequest: an empty or unprintable credential, or a `server_url` that is not an https origin.
    """

    def __init__(
        self,
        server_url: str,
        client_id: str,
        client_secret: str,
        jwt: str,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(TokenEndpoint(server_url, client_id, client_secret), clock)
        self._jwt = credential("jwt", jwt)
        self._good_until = 0.0

    def __repr__(self) -> str:
        return f"JWTAuth({str(self.server)!r}, {self._endpoint.client_id!r}, ***)"

    def _has_token_other_than(self, turned_away: str, request: httpx.Request) -> bool:
        return self._token not in ("", turned_away) and self._clock() < self._good_until

    def _login(self, request: httpx.Request) -> httpx.Request:
        return self._endpoint.request({"grant_type": _GRANT_TYPE, "assertion": self._jwt}, like=request)

    async def _keep_token(self, answer: httpx.Response) -> None:
        issued = self._endpoint.issued(answer, self._jwt)
        self.granted = permissions_of(issued.scope)
        self._token, self._good_until = issued.access_token, self._clock() + issued.good_for_s
