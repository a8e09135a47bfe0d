"""RingCentral's OAuth addresses: what is sent to them as one app, and what their answers say. Nothing is sent here.

Sources: RingCentral's guide ("JWT auth flow", "Auth code flow with PKCE", "Refresh tokens") and its OpenAPI document
for the token endpoint.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2 as httpx

from rc_mcp.ringcentral.answers import fields_of, login_refusal, parsed, without
from rc_mcp.ringcentral.entry_points import entry_point
from rc_mcp.ringcentral.errors import APIError, InvalidRequest, LoginEnded, LoginFailed
from rc_mcp.ringcentral.limits import LIMITS

TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105  an address
REVOKE_PATH = "/restapi/oauth/revoke"
AUTHORIZE_PATH = "/restapi/oauth/authorize"

# OAuth's words for an app that is not known or may not do this: logging in again would not help.
_THE_APPS_FAULT = ("invalid_client", "unauthorized_client")


@dataclass(frozen=True)
class Issued:
    """What a token endpoint gave. An app that is not set up for it gets no refresh token."""

    access_token: str = field(repr=False)
    lifetime_s: float
    refresh_token: str = field(default="", repr=False)
    owner_id: str = ""
    scope: str = ""

    @property
    def good_for_s(self) -> float:
        """How long it is used before it is renewed."""
        return self.lifetime_s - min(LIMITS.token_renewal_s, self.lifetime_s / 2)


class TokenEndpoint:
    """The OAuth addresses of one server, as one app.

    Raises:
        InvalidRequest: an empty or unprintable credential, or a `server_url` that is not an https origin.
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
        """A POST as this app: by its secret, or by the id of a public one. It waits no longer than `like`."""
        # Encoded answers are not decoded (`read_bounded`).
        headers, fields = {"Accept": "application/json", "Accept-Encoding": "identity"}, dict(form)
        if self._client_secret:
            headers["Authorization"] = f"Basic {self._id_and_secret()}"
        else:
            fields["client_id"] = self.client_id
        # The extensions carry the timeouts; a request without them would wait for ever.
        timeouts = {key: value for key, value in like.extensions.items() if key == "timeout"} if like else None
        return httpx.Request("POST", self.server.join(path), data=fields, headers=headers, extensions=timeouts)

    def issued(self, answer: httpx.Response, *secrets: str) -> Issued:
        """The tokens in an answer that was read; `secrets` is what was sent and must not be shown.

        Raises:
            APIError: it has none.
        """
        fields = fields_of(parsed(answer.content))
        token, told_s, refresh = (fields.get(name) for name in ("access_token", "expires_in", "refresh_token"))
        owner, scope = fields.get("owner_id"), fields.get("scope")
        if answer.status_code != 200 or not isinstance(token, str) or not printable(token):
            raise self.refusal(answer, *secrets)
        lifetime_s = told_s if isinstance(told_s, int | float) and told_s > 0 else 3600
        return Issued(
            token,
            float(min(lifetime_s, LIMITS.token_lifetime_s)),
            refresh if isinstance(refresh, str) and printable(refresh) else "",
            owner if isinstance(owner, str) and printable(owner) else "",
            scope if isinstance(scope, str) else "",
        )

    def refusal(self, answer: httpx.Response, *secrets: str, path: str = TOKEN_PATH) -> APIError:
        """What an answer without tokens says, without these secrets and the app's own."""
        own = [self._client_secret, self._id_and_secret()] if self._client_secret else []
        body = parsed(answer.content[: LIMITS.error_body_bytes], *secrets, *own)
        return login_refusal(answer.status_code, body, without(answer.headers, *secrets, *own), path)

    def refused_refresh(self, answer: httpx.Response, refused: APIError) -> APIError:
        """The same refusal, told apart: a person has to log in again, or something else has to be mended."""
        word = fields_of(parsed(answer.content[: LIMITS.error_body_bytes])).get("error")
        if type(refused) is not LoginFailed or refused.status not in (400, 401) or word in _THE_APPS_FAULT:
            return refused
        if not refused.error_code:
            return refused  # a proxy answers 400 and 401 as well, and knows nothing of this login
        return LoginEnded(
            refused.status,
            error_code=refused.error_code,
            message=refused.message,
            request_id=refused.request_id,
            method=refused.method,
            path=refused.path,
        )

    def _id_and_secret(self) -> str:
        return b64encode(f"{self.client_id}:{self._client_secret}".encode()).decode()


def credential(name: str, value: str) -> str:
    """A value that can stand in a header.

    Raises:
        InvalidRequest: it cannot. It is not shown.
    """
    if not printable(value):
        raise InvalidRequest(f"{name} is empty, or has spaces, line breaks or characters that are not ASCII")
    return value


def printable(value: str) -> bool:
    return bool(value) and all("!" <= char <= "~" for char in value)
