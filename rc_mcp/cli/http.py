"""MCP over streamable HTTP: on which address, under which names, and for whom.

It fails closed. Beyond this machine it takes a token, or the operator's word that none is wanted; and it answers only
to names it was given, so that a page in somebody's browser cannot reach it under a name of its own (DNS rebinding).
"""

import hmac
import ipaddress
import re
import socket
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
_PORT = r"(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
"""1 to 65535, or none."""


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
    server: "RingCentralServer",
    listening: list[socket.socket],
    host: str,
    *,
    names: Iterable[str],
    token: SecretStr | None,
) -> None:
    """Serve at /mcp until SIGTERM or SIGINT. A line on stderr says where; stdout stays empty.

    Args:
        listening: sockets that are bound to `host`.
        names: what a Host header may say besides this machine's own names.
        token: what every request has to bring; None lets everybody in.
    """
    from rc_mcp.cli.http_server import Door, HttpServer, OnlyWhole

    allowed = [name.lower() for name in (*_LOOPBACK, *_own_name(host), *names)]
    mcp = server.streamable_http_app(transport_security=_security(allowed))
    door = Door(mcp, calls=lambda: server.calls, stop_listening=server.stop_listening)
    app: ASGIApp = _OnlyUnder(allowed, OnlyWhole(door))  # who may not come in is refused before the body is read
    if token:
        app = _OnlyWith(token, app)
    HttpServer(app, door).serve_on(listening)


def _own_name(host: str) -> list[str]:
    """The address that is listened on, as browsers write it, unless it stands for all of them."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    return [] if address.is_unspecified else [f"[{address}]" if address.version == 6 else str(address)]


def _security(names: list[str]) -> "TransportSecuritySettings":
    """The SDK's own check, behind ours: it takes anything for a port."""
    from mcp.server.transport_security import TransportSecuritySettings

    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(allowed_hosts=_any_port(names), allowed_origins=_any_port(origins))


def _any_port(names: list[str]) -> list[str]:
    return [*names, *(f"{name}:*" for name in names)]


class _OnlyUnder:
    """Lets requests through whose Host, and Origin if there is one, is one of these names, with or without a port.

    Each is compared whole and letter by letter: browsers write names in one way, and another spelling is refused.
    """

    def __init__(self, names: Iterable[str], app: ASGIApp) -> None:
        name = "|".join(re.escape(each) for each in names)
        self._host = re.compile(rf"(?:{name}){_PORT}", re.ASCII)
        self._origin = re.compile(rf"https?://(?:{name}){_PORT}", re.ASCII)
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._host.fullmatch(hosts[0]):
            refusal = PlainTextResponse("This server does not answer under that Host. Nothing was done.\n", 421)
        elif not all(self._origin.fullmatch(origin) for origin in origins):
            refusal = PlainTextResponse("Pages of that Origin may not use this server. Nothing was done.\n", 403)
        else:
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)


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
