"""The check of a bearer token that each request over HTTP must have."""

import hmac
import ipaddress
import logging
from collections import Counter

import anyio
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp import time_limits

NO_TOKEN, WRONG_TOKEN = "A bearer token is required.\n", "This bearer token is wrong. Nothing was done.\n"

_log = logging.getLogger(__name__)


class OnlyWith:
    """Middleware that requires the bearer token. It logs requests with none or a wrong one, without showing it."""

    def __init__(self, token: SecretStr, app: ASGIApp) -> None:
        self._expected = token.get_secret_value().encode()
        self._app = app
        self._logged_at: dict[str, float] = {}
        self._not_logged = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = b"" if scope["type"] == "lifespan" else self._given(scope)
        if scope["type"] == "lifespan" or hmac.compare_digest(given, self._expected):
            await self._app(scope, receive, send)
            return
        self._log("with a wrong" if given else "without a", _address_of(scope))
        refusal = PlainTextResponse(WRONG_TOKEN if given else NO_TOKEN, 401, {"WWW-Authenticate": "Bearer"})
        await refusal(scope, receive, send)

    def _log(self, kind: str, address: str) -> None:
        """Log a refused request, each kind at most once in `time_limits.SAY_AGAIN_S`; the next line counts the others.

        So no client can fill the log, and many requests without a token do not hide one with a wrong token.
        """
        now = anyio.current_time()
        if now - self._logged_at.get(kind, float("-inf")) < time_limits.SAY_AGAIN_S:
            self._not_logged[kind] += 1
            return
        others = self._not_logged.pop(kind, 0)
        before = f"; {others} more since the last such line" if others else ""
        _log.warning("a request from %s %s bearer token was refused%s", address, kind, before)
        self._logged_at[kind] = now

    def _given(self, scope: Scope) -> bytes:
        given = Headers(scope=scope).get("authorization", "").encode("latin-1")
        scheme, _, token = given.partition(b" ")
        return token.strip() if scheme.lower() == b"bearer" else b""


def _address_of(scope: Scope) -> str:
    """Return the client's address for the log. A proxy's header may have set it, to any text."""
    try:
        return str(ipaddress.ip_address(scope["client"][0]))
    except (ValueError, TypeError, LookupError):
        return "an unknown address"
