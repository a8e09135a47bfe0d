"""The limit for the body of a request whose sender is not known yet.

The whole body of a request is in memory before an application sees it, so a few hundred connections could fill the
memory. A large body is only read after a good token.
"""

from mcp.server.auth.provider import TokenVerifier
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.http_gates import OnlyWhole
from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.oauth import answer_when_away

MOST_BYTES = 65_536
"""The body of a stranger. No page and no address of the login takes more."""


class LittleFromStrangers:
    """Middleware that passes on whole requests: those of strangers only up to `MOST_BYTES`."""

    def __init__(self, tokens: TokenVerifier, app: ASGIApp) -> None:
        self._tokens = tokens
        self._from_stranger = OnlyWhole(app, MOST_BYTES)
        self._from_person = OnlyWhole(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            is_known = scope["type"] == "http" and await self._knows(Headers(scope=scope).get("authorization", ""))
        except DatabaseAway as away:
            # The application would look for the token again, and wait as long again.
            await answer_when_away(away, scope, receive, send)
            return
        await (self._from_person if is_known else self._from_stranger)(scope, receive, send)

    async def _knows(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        return await self._tokens.verify_token(token) is not None
