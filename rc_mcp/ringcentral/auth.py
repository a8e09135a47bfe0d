"""Who the client is to RingCentral, as httpx authentication flows: they yield requests and are given the answers.

Sources: RingCentral's guide ("JWT auth flow", "Refresh tokens", "Rate limits") and its OpenAPI document for the token
endpoint.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from time import monotonic

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral.answers import fields_of, login_refusal, parsed, without
from rc_mcp.ringcentral.entry_points import entry_point, origin
from rc_mcp.ringcentral.errors import APIError, InvalidRequest, RateLimited
from rc_mcp.ringcentral.limits import LIMITS

_TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105  an address
_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class BearerAuth(httpx.Auth):
    """What both kinds share: a token goes to the origins of the client it was given to, and nowhere else."""

    def __init__(self) -> None:
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
        self._token = _credential("access_token", access_token)

    def __repr__(self) -> str:
        return "TokenAuth(***)"

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        self._authorize(request, self._token)
        yield request


class JWTAuth(BearerAuth):
    """Logs in with a JWT credential from RingCentral's developer console, and again when the token runs out.

    One login at a time, whoever waits for it: RingCentral allows 5 a minute and ends older sessions. A token is renewed
    a minute before it expires, and once when it is turned away with 401; the request is then sent a second time. Not so
    a DELETE: something between us and RingCentral may answer 401 after RingCentral acted, and a second DELETE purges.
    Its 401 stands, and the next call logs in. A refused login is not repeated for a minute (10 s after an outage, as
    long as RingCentral says after a 429); calls meanwhile raise the same error. A renewal that did not help is not
    repeated for a minute either, and the minute after a DELETE was turned away counts as that. A login that got no
    answer at all is tried again by the next call.

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
        super().__init__()
        self.server = entry_point("server_url", server_url)
        self._client_id = _credential("client_id", client_id)
        self._client_secret = _credential("client_secret", client_secret) if client_secret else ""
        self._jwt = _credential("jwt", jwt)
        self._clock = clock
        self._one_login = anyio.Lock()
        self._token = ""
        self._good_until = 0.0
        self._failure: APIError | None = None
        self._no_login_before = 0.0
        self._no_renewal_before = 0.0

    def __repr__(self) -> str:
        return f"JWTAuth({str(self.server)!r}, {self._client_id!r}, ***)"

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        turned_away = ""
        for _ in range(2):
            async with self._one_login:
                if not self._has_token_other_than(turned_away):
                    self._hold_back_after_failure()
                    answer = yield self._login(request)
                    await self._keep_token(answer)
                token = self._token
            self._authorize(request, token)
            response = yield request
            if response.status_code != 401 or not self._may_renew(token):
                return
            if request.method == "DELETE":
                self._forget(token)
                return
            turned_away = token
        self._no_renewal_before = self._clock() + LIMITS.login_pause_s

    def _may_renew(self, turned_away: str) -> bool:
        return self._token != turned_away or self._clock() >= self._no_renewal_before

    def _forget(self, turned_away: str) -> None:
        """Leaves the login to the next call: one that failed here would say that the DELETE was not sent."""
        if self._token == turned_away:
            self._token = ""
            self._no_renewal_before = self._clock() + LIMITS.login_pause_s

    def _has_token_other_than(self, turned_away: str) -> bool:
        return self._token not in ("", turned_away) and self._clock() < self._good_until

    def _hold_back_after_failure(self) -> None:
        if self._failure and self._clock() < self._no_login_before:
            raise self._failure.with_traceback(None)

    def _login(self, request: httpx.Request) -> httpx.Request:
        form = {"grant_type": _GRANT_TYPE, "assertion": self._jwt}
        headers = {"Accept": "application/json"}
        if self._client_secret:
            headers["Authorization"] = f"Basic {self._id_and_secret()}"
        else:
            form["client_id"] = self._client_id
        # The extensions carry the timeouts; a request without them would wait for ever.
        timeouts = {key: value for key, value in request.extensions.items() if key == "timeout"}
        url = self.server.join(_TOKEN_PATH)
        return httpx.Request("POST", url, data=form, headers=headers, extensions=timeouts)

    def _id_and_secret(self) -> str:
        return b64encode(f"{self._client_id}:{self._client_secret}".encode()).decode()

    async def _keep_token(self, answer: httpx.Response) -> None:
        fields = fields_of(parsed(await answer.aread()))
        token, lifetime_s = fields.get("access_token"), fields.get("expires_in")
        if answer.status_code != 200 or not isinstance(token, str) or not _printable(token):
            raise self._remember(self._refusal(answer))
        told_s = lifetime_s if isinstance(lifetime_s, int | float) and lifetime_s > 0 else 3600
        good_s = min(told_s, LIMITS.token_lifetime_s)
        self._token, self._failure = token, None
        self._good_until = self._clock() + good_s - min(LIMITS.token_renewal_s, good_s / 2)

    def _refusal(self, answer: httpx.Response) -> APIError:
        secrets = [self._jwt, *([self._client_secret, self._id_and_secret()] if self._client_secret else [])]
        body = parsed(answer.content[: LIMITS.error_body_bytes], *secrets)
        return login_refusal(answer.status_code, body, without(answer.headers, *secrets), _TOKEN_PATH)

    def _remember(self, failure: APIError) -> APIError:
        pause_s = LIMITS.outage_pause_s if failure.status >= 500 else LIMITS.login_pause_s
        if isinstance(failure, RateLimited):
            pause_s = failure.retry_after_s
        self._failure, self._no_login_before = failure, self._clock() + pause_s
        return failure


def _credential(name: str, value: str) -> str:
    if not _printable(value):
        raise InvalidRequest(f"{name} is empty, or has spaces, line breaks or characters that are not ASCII")
    return value


def _printable(value: str) -> bool:
    return bool(value) and all("!" <= char <= "~" for char in value)
