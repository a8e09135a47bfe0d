"""Authentication with RingCentral as httpx authentication flows, which yield requests and receive the answers.

Sources: RingCentral's guide ("JWT auth flow", "Refresh tokens", "Rate limits") and its OpenAPI document for the token
endpoint.
"""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from time import monotonic

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.errors import APIError, InvalidRequest, LoginUnavailable, RateLimited, RingCentralError
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.oauth.permissions import permissions_of
from rc_mcp.ringcentral.oauth.token_endpoint import TokenEndpoint, credential, read_bounded
from rc_mcp.ringcentral.transport.deadlines import is_sent_once

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port, which decide whether a token may be sent there."""
    return url.scheme, url.host, url.port


class BearerAuth(httpx.Auth):
    """Authentication whose token is sent only to the client's own origins.

    Attributes:
        granted: the permissions of this login; None until RingCentral has stated them.
    """

    def __init__(self) -> None:
        self.granted: frozenset[str] | None = None
        self._origins: set[tuple[str, str, int | None]] = set()

    def allow(self, *entry_points: httpx.URL) -> None:
        """Allow the token to be sent to these origins. Until then it is not sent at all."""
        self._origins.update(map(origin, entry_points))

    def _authorize(self, request: httpx.Request, token: str) -> None:
        if origin(request.url) not in self._origins:
            raise InvalidRequest(f"{request.url.host} is not an entry point of this client. The token was not sent.")
        request.headers["Authorization"] = f"Bearer {token}"


class TokenAuth(BearerAuth):
    """Authentication with a given access token, which is not renewed. When it expires, calls raise `Unauthorized`."""

    def __init__(self, access_token: str) -> None:
        super().__init__()
        self._token = credential("access_token", access_token)

    def __repr__(self) -> str:
        return "TokenAuth(***)"

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        self._authorize(request, self._token)
        yield request


class RenewingAuth(BearerAuth):
    """Authentication that logs in on demand: one login for all waiting requests, renewed on expiry, paused on failure.

    A request that gets a 401 is sent again with a new token, except a DELETE or a request in `at_once`. A proxy may
    answer 401 while the request still arrives; then a second DELETE would purge, and a repeated retention period could
    override a newer one. Such a 401 is raised, and the next call renews the token.

    A refused login is not repeated for 60 s (10 s after a 5xx, longer if RingCentral says so; after a 429 as long as
    it says). Calls in the meantime raise the same error; after a 429 they raise a held-back `RateLimited` with the
    seconds that are left. For 60 s after a renewal that did not help, or after a 401 to a DELETE, another 401 starts no
    renewal. The next call repeats a login that got no answer.
    """

    def __init__(self, endpoint: TokenEndpoint, clock: Callable[[], float]) -> None:
        super().__init__()
        self.server = endpoint.server
        self._endpoint = endpoint
        self._clock = clock
        self._login_lock = anyio.Lock()
        self._token = ""
        self._failure: RingCentralError | None = None
        self._no_login_before = 0.0
        self._no_renewal_before = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.server)!r}, {self._endpoint.client_id!r}, ***)"

    @abstractmethod
    def _has_token_other_than(self, refused: str, request: httpx.Request) -> bool:
        """Return whether `_token` is usable for this request."""

    def _locked(self) -> AbstractAsyncContextManager[None]:
        """Return the lock to hold during a search for a new token."""
        return nullcontext()

    async def _load_token_other_than(self, refused: str) -> bool:
        """Set `_token` to a valid one found without a login. Return whether there was one."""
        return False

    @abstractmethod
    def _login(self, request: httpx.Request) -> httpx.Request:
        """Return the request for a new token, with the timeouts of `request`."""

    @abstractmethod
    async def _keep_token(self, answer: httpx.Response) -> None:
        """Set `_token` from the answer, whose body has been read."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        refused = ""
        for _ in range(2):
            async with self._login_lock:
                if not self._has_token_other_than(refused, request):
                    async with self._locked():
                        if not await self._load_token_other_than(refused):
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
            refused = token
        self._no_renewal_before = self._clock() + LIMITS.login_pause_s

    def _may_renew(self, refused: str) -> bool:
        return self._token != refused or self._clock() >= self._no_renewal_before

    def _forget(self, refused: str) -> None:
        """Leave the login to the next call: its failure here would suggest that the DELETE was not sent."""
        if self._token == refused:
            self._token = ""
            self._no_renewal_before = self._clock() + LIMITS.login_pause_s

    def _hold_back_after_failure(self) -> None:
        left_s = self._no_login_before - self._clock()
        if self._failure and left_s > 0:
            raise _as_of_now(self._failure, left_s)

    async def _kept(self, answer: httpx.Response) -> None:
        try:
            await self._keep_token(answer)
        except RingCentralError as failure:
            self._failure, self._no_login_before = failure, self._clock() + _pause_s(failure)
            raise
        self._failure = None


def _as_of_now(failure: RingCentralError, left_s: float) -> RingCentralError:
    """Return the error for a login that was not sent, `left_s` before the pause after `failure` ends."""
    if not isinstance(failure, RateLimited):
        return failure.with_traceback(None)
    group = failure.group or "auth"
    return RateLimited(retry_after_s=left_s, group=group, held_back=True, method=failure.method, path=failure.path)


def _pause_s(failure: RingCentralError) -> float:
    if isinstance(failure, RateLimited):
        return failure.retry_after_s
    is_outage = isinstance(failure, APIError) and failure.status >= 500
    retry_after_s = failure.retry_after_s if isinstance(failure, LoginUnavailable) else None
    return max(LIMITS.outage_pause_s if is_outage else LIMITS.login_pause_s, retry_after_s or 0.0)


class JWTAuth(RenewingAuth):
    """Authentication with a JWT credential from RingCentral's developer console.

    It logs in once at a time, because RingCentral allows 5 logins a minute and ends older sessions. It renews a token a
    minute before it expires, and once after a 401 (see `RenewingAuth`).

    Args:
        server_url: the https origin to log in at; the same as the client's.
        client_id: the app's id.
        client_secret: a confidential app's secret; empty for a public app, whose `client_id` goes into the form.
        jwt: the credential. It is sent only to `server_url`.
        clock: returns monotonic seconds. Tests set it.

    Raises:
        InvalidRequest: a credential is empty or unprintable, or `server_url` is not an https origin.
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

    def _has_token_other_than(self, refused: str, request: httpx.Request) -> bool:
        return self._token not in ("", refused) and self._clock() < self._good_until

    def _login(self, request: httpx.Request) -> httpx.Request:
        return self._endpoint.request({"grant_type": _GRANT_TYPE, "assertion": self._jwt}, like=request)

    async def _keep_token(self, answer: httpx.Response) -> None:
        issued = self._endpoint.issued(answer, self._jwt)
        self.granted = permissions_of(issued.scope)
        self._token, self._good_until = issued.access_token, self._clock() + issued.good_for_s
