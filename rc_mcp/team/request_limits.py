"""Limits of requests before they are read: the size of a stranger's body, and how many one person has in progress.

The whole body of a request is in memory before an application sees it, so a few hundred connections could fill the
memory. A large body is only read after a good token, and of one person only so many at a time. That counts streams too,
which a client of 2025-11-25 opens with GET and no session knows of.
"""

from collections import Counter

from mcp.server.auth.provider import TokenVerifier
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.http_gates import OnlyWhole
from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.oauth.away import refusal
from rc_mcp.team.sessions import MOST_AT_ONCE, TOO_MANY

MOST_BYTES = 65_536
"""The body of a stranger. No page and no address of the login takes more."""


class RequestLimits:
    """Middleware that passes on whole requests: a stranger's up to `MOST_BYTES`, a person's up to `MOST_AT_ONCE`."""

    def __init__(self, tokens: TokenVerifier, app: ASGIApp) -> None:
        self._tokens = tokens
        self._from_stranger = OnlyWhole(app, MOST_BYTES)
        self._from_person = OnlyWhole(app)
        self._in_progress = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        try:
            person_id = await self._sender(authorization)
        except DatabaseAway as away:  # the application would wait for it once more
            await refusal(Request(scope), str(away))(scope, receive, send)
            return
        if person_id is None:
            await self._from_stranger(scope, receive, send)
        elif self._in_progress[person_id] >= MOST_AT_ONCE:
            await refusal(Request(scope), TOO_MANY)(scope, receive, send)
        else:
            self._in_progress[person_id] += 1
            try:
                await self._from_person(scope, receive, send)
            finally:
                self._in_progress[person_id] -= 1
                if not self._in_progress[person_id]:
                    del self._in_progress[person_id]

    async def _sender(self, authorization: str) -> str | None:
        """Return the person with this token; None if it is not good.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        scheme, _, token = authorization.partition(" ")
        found = await self._tokens.verify_token(token) if scheme.lower() == "bearer" else None
        return found and found.subject
