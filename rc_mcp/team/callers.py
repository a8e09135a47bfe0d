"""Gives each MCP request the session of the person who sent it. A request of an unknown caller gets none."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from math import inf
from typing import Any

from anyio import move_on_after
from mcp import MCPError
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.types import INTERNAL_ERROR, INVALID_REQUEST, SubscriptionsListenResult

from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.sessions import NoSession, Sessions

LISTENS_S = 900.0
"""A stream of events: its client then listens again, which takes a good token. Nothing else ends it after a logout."""
_LISTEN = "subscriptions/listen"
UNKNOWN_CALLER = "This server does not know who sent this request. Nothing was done. Log in again."

_CALLER: ContextVar[str | None] = ContextVar("caller", default=None)


def caller() -> str | None:
    """Return the id of the person whose request is being served; None outside of a request."""
    return _CALLER.get()


@contextmanager
def serving(person_id: str) -> Generator[None]:
    """Serve a request of this person within the block."""
    token = _CALLER.set(person_id)
    try:
        yield
    finally:
        _CALLER.reset(token)


class Callers:
    """Middleware of the MCP server."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve one request in the session of its caller."""
        token = get_access_token()
        if token is None or not token.subject:
            raise MCPError(INVALID_REQUEST, UNKNOWN_CALLER)
        try:
            async with self._sessions.of(token.subject) as session:
                with serving(token.subject), move_on_after(LISTENS_S if ctx.method == _LISTEN else inf):
                    return await call_next(replace(ctx, lifespan_context=session))
                return SubscriptionsListenResult(_meta={SUBSCRIPTION_ID_META_KEY: ctx.request_id})
        except (NoSession, DatabaseAway) as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from error
