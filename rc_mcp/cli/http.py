"""MCP over streamable HTTP: on which address, under which names, and for whom.

It fails closed. Beyond this machine it takes a token, or the operator's word that none is wanted; and it answers only
to names it was given, so that a page in somebody's browser cannot reach it under a name of its own (DNS rebinding).
"""

import hmac
import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from mcp.server.transport_security import TransportSecuritySettings

    from rc_mcp.server import RingCentralServer

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LAST_WORDS_S = 8
"""What is under way at SIGTERM may end; container engines kill after 10 seconds."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_name(host: str) -> bool:
    """Whether it is a host name or an IPv4 address, without a port and without a pattern."""
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", host) is not None


def serve_http(
    server: "RingCentralServer", host: str, port: int, *, names: Iterable[str], token: SecretStr | None
) -> None:
    """Serves at /mcp until SIGTERM or SIGINT. uvicorn's own line on stderr says where; stdout stays empty.

    Args:
        names: what beside this machine's own names a Host header may say.
        token: what every request has to bring; None lets everybody in.
    """
    import uvicorn

    app: ASGIApp = server.streamable_http_app(transport_security=_only_for([*_LOOPBACK, *_own_name(host), *names]))
    if token:
        app = _OnlyWith(token, app)
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_WORDS_S,
    )


def _own_name(host: str) -> list[str]:
    """The address that is listened on, unless it stands for all of them."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    return [] if address.is_unspecified else [f"[{host}]" if address.version == 6 else host]


def _only_for(names: list[str]) -> "TransportSecuritySettings":
    from mcp.server.transport_security import TransportSecuritySettings

    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(allowed_hosts=_any_port(names), allowed_origins=_any_port(origins))


def _any_port(names: list[str]) -> list[str]:
    return [*names, *(f"{name}:*" for name in names)]


class _OnlyWith:
    """Lets requests through that bring the token, and nothing else."""

    def __init__(self, token: SecretStr, app: ASGIApp) -> None:
        self._expected = token.get_secret_value().encode()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or hmac.compare_digest(self._given(scope), self._expected):
            await self._app(scope, receive, send)
        else:
            refusal = PlainTextResponse("A bearer token is required.\n", 401, {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)

    def _given(self, scope: Scope) -> bytes:
        given = Headers(scope=scope).get("authorization", "").encode("latin-1")
        scheme, _, token = given.partition(b" ")
        return token.strip() if scheme.lower() == b"bearer" else b""
