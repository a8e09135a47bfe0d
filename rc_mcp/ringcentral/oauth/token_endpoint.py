"""Builds requests to RingCentral's OAuth endpoints, and reads the answers. It sends nothing itself.

Sources: RingCentral's guide ("JWT auth flow", "Auth code flow with PKCE", "Refresh tokens") and its OpenAPI document
for the token endpoint.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import cast

import httpx2 as httpx

from rc_mcp.ringcentral.errors import RUN_LOGIN, APIError, InvalidRequest, LoginEnded, LoginFailed
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.deadlines import in_time
from rc_mcp.ringcentral.transport.entry_points import entry_point
from rc_mcp.ringcentral.transport.responses import fields_of, login_refusal, parsed, without

TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105  an address
REVOKE_PATH = "/restapi/oauth/revoke"
AUTHORIZE_PATH = "/restapi/oauth/authorize"

# OAuth's errors for an app that is unknown or not permitted: a new login would not help.
_THE_APPS_FAULT = ("invalid_client", "unauthorized_client")


@dataclass(frozen=True)
class Issued:
    """The tokens in an answer. An app that is not configured for it gets no refresh token."""

    access_token: str = field(repr=False)
    lifetime_s: float
    refresh_token: str = field(default="", repr=False)
    owner_id: str = ""
    scope: str = ""

    @property
    def good_for_s(self) -> float:
        """How many seconds the access token is used before it is renewed."""
        return self.lifetime_s - min(LIMITS.token_renewal_s, self.lifetime_s / 2)


class TokenEndpoint:
    """The OAuth endpoints of one server for one app.

    Raises:
        InvalidRequest: a credential is empty or unprintable, or `server_url` is not an https origin.
    """

    def __init__(self, server_url: str, client_id: str, client_secret: str) -> None:
        self.server = entry_point("server_url", server_url)
        self.client_id = credential("client_id", client_id)
        self._client_secret = credential("client_secret", client_secret) if client_secret else ""

    def __repr__(self) -> str:
        return f"TokenEndpoint({str(self.server)!r}, {self.client_id!r}, ***)"

    def request(
        self, form: Mapping[str, str], *, path: str = TOKEN_PATH, like: httpx.Request | None = None
    ) -> httpx.Request:
        """Build a POST for this app, with its secret or a public app's id, and with the timeouts of `like`."""
        # `read_bounded` does not decode answers.
        headers, fields = {"Accept": "application/json", "Accept-Encoding": "identity"}, dict(form)
        if self._client_secret:
            headers["Authorization"] = f"Basic {self._id_and_secret()}"
        else:
            fields["client_id"] = self.client_id
        # A request without timeouts in its extensions would wait for ever.
        timeouts = {key: value for key, value in like.extensions.items() if key == "timeout"} if like else None
        return httpx.Request("POST", self.server.join(path), data=fields, headers=headers, extensions=timeouts)

    def issued(self, answer: httpx.Response, *secrets: str) -> Issued:
        """Return the tokens in an answer whose body was read. `secrets` were sent, and must not be shown.

        Raises:
            APIError: the answer has no tokens.
        """
        fields = fields_of(parsed(answer.content))
        token, expires_in, refresh = (fields.get(name) for name in ("access_token", "expires_in", "refresh_token"))
        owner, scope = fields.get("owner_id"), fields.get("scope")
        if answer.status_code != 200 or not isinstance(token, str) or not printable(token):
            raise self.refusal(answer, *secrets)
        lifetime_s = expires_in if isinstance(expires_in, int | float) and expires_in > 0 else 3600
        return Issued(
            token,
            float(min(lifetime_s, LIMITS.token_lifetime_s)),
            refresh if isinstance(refresh, str) and printable(refresh) else "",
            owner if isinstance(owner, str) and printable(owner) else "",
            scope if isinstance(scope, str) else "",
        )

    def refusal(self, answer: httpx.Response, *secrets: str, path: str = TOKEN_PATH) -> APIError:
        """Return the error for an answer without tokens. It masks these secrets and the app's own."""
        own = [self._client_secret, self._id_and_secret()] if self._client_secret else []
        body = parsed(answer.content[: LIMITS.error_body_bytes], *secrets, *own)
        return login_refusal(answer.status_code, body, without(answer.headers, *secrets, *own), path)

    def refused_refresh(self, answer: httpx.Response, refused: APIError, advice: str = RUN_LOGIN) -> APIError:
        """Return `LoginEnded` with this advice if the user must log in again, otherwise `refused`."""
        word = fields_of(parsed(answer.content[: LIMITS.error_body_bytes])).get("error")
        if type(refused) is not LoginFailed or refused.status not in (400, 401) or word in _THE_APPS_FAULT:
            return refused
        if not refused.error_code:
            return refused  # a proxy may have answered, which does not know this login
        return LoginEnded(
            refused.status,
            error_code=refused.error_code,
            message=refused.message,
            request_id=refused.request_id,
            method=refused.method,
            path=refused.path,
            advice=advice,
        )

    def _id_and_secret(self) -> str:
        return b64encode(f"{self.client_id}:{self._client_secret}".encode()).decode()


def credential(name: str, value: str) -> str:
    """Return a value that a header can contain.

    Raises:
        InvalidRequest: a header cannot contain it. The error does not show it.
    """
    if not printable(value):
        raise InvalidRequest(f"{name} is empty, or has spaces, line breaks or characters that are not ASCII")
    return value


def printable(value: str) -> bool:
    return bool(value) and all("!" <= char <= "~" for char in value)


async def read_bounded(answer: httpx.Response) -> None:
    """Read the body of an answer inside an authentication flow, up to `LIMITS.login_bytes`.

    It is not decoded, because a few bytes can expand to more than the memory. Logins ask for no encoding.

    Raises:
        httpx.HTTPError: the connection failed, or the body took longer than `LIMITS.answer_s`.
    """
    answer.headers.pop("content-encoding", None)
    # httpx reads this answer too, so it must be marked as read: a loop here would not do that.
    answer.stream = _Beginning(answer.stream)
    with in_time(answer.request):
        await answer.aread()


class _Beginning(httpx.AsyncByteStream):
    """A body that ends after `LIMITS.login_bytes`."""

    def __init__(self, whole: object) -> None:
        assert isinstance(whole, httpx.AsyncByteStream)  # noqa: S101  always so in an async client
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = LIMITS.login_bytes
        # A client's stream is a generator, which trio does not leave to the garbage collector.
        async with aclosing(cast("AsyncGenerator[bytes]", aiter(self._whole))) as chunks:
            async for chunk in chunks:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

    async def aclose(self) -> None:
        await self._whole.aclose()
