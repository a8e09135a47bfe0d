"""MCP over streamable HTTP: checks of the host name, the origin and the token of each request.

It fails closed. Beyond this machine it requires a token, or the operator's --unauthenticated. It only answers under
known host names, so that a web page cannot reach it through a name of its own (DNS rebinding).
"""

import hmac
import ipaddress
import re
import socket
from collections.abc import Iterable

from mcp.server.transport_security import TransportSecuritySettings
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.cli.http_server import Door, HttpServer, OnlyWhole
from rc_mcp.server import RingCentralServer

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_PORT = r"(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
"""1 to 65535, or none."""

HOST_REFUSED = "This Host is not allowed; rc-mcp serve --allow-host NAME allows a host name. Nothing was done."


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_name(host: str) -> bool:
    """Return whether this is a host name or an IPv4 address, without a port or a wildcard."""
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", host) is not None


def serve_http(
    server: RingCentralServer,
    listening: list[socket.socket],
    host: str,
    *,
    names: Iterable[str],
    token: SecretStr | None,
) -> None:
    """Serve at /mcp until SIGTERM or SIGINT. A line on stderr shows the address; stdout stays empty.

    Args:
        listening: sockets that are bound to `host`.
        names: allowed Host headers besides this machine's own names.
        token: the bearer token that every request must send; None accepts every client.
    """
    allowed = [name.lower() for name in (*_LOOPBACK, *_own_name(host), *names)]
    mcp = server.streamable_http_app(transport_security=_security(allowed))
    door = Door(mcp, calls=lambda: server.calls, stop_listening=server.stop_listening)
    app: ASGIApp = _OnlyUnder(allowed, OnlyWhole(door))  # refused before the body is read
    if token:
        app = _OnlyWith(token, app)
    HttpServer(app, door).serve_on(listening)


def _own_name(host: str) -> list[str]:
    """Return the address that is listened on, as browsers write it, unless it means all addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    return [] if address.is_unspecified else [f"[{address}]" if address.version == 6 else str(address)]


def _security(names: list[str]) -> TransportSecuritySettings:
    """Configure the SDK's own check, which runs after ours and accepts anything as a port."""
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(allowed_hosts=_any_port(names), allowed_origins=_any_port(origins))


def _any_port(names: list[str]) -> list[str]:
    return [*names, *(f"{name}:*" for name in names)]


class _OnlyUnder:
    """Middleware that requires one of these names as Host, and as Origin if present, with or without a port.

    Names are compared exactly: browsers write a name in only one way, and another spelling is refused.
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
            refusal = PlainTextResponse(f"{HOST_REFUSED}\n", 421)
        elif not all(self._origin.fullmatch(origin) for origin in origins):
            refusal = PlainTextResponse("This Origin is not allowed. Nothing was done.\n", 403)
        else:
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)


class _OnlyWith:
    """Middleware that requires the bearer token."""

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
