"""MCP over streamable HTTP: checks of the host name, the origin and the token of each request.

It fails closed. Beyond this machine it requires a token, or the operator's --unauthenticated. It only answers under
known host names, so that a web page cannot reach it through a name of its own (DNS rebinding).

Two pages need no token, because they show nothing about the mailbox: `/`, which says what this is, and `/health`, for a
load balancer. `/health` answers under any name too: a balancer asks by the address of the machine. An accepted request
for any other address but `PATH`, and one of a browser, is answered with an error and the text of `/`.
"""

import ipaddress
import re
import socket
import sys
from collections.abc import Iterable, Sequence

import click
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.cli.exits import refuse
from rc_mcp.cli.http_server import HttpServer
from rc_mcp.http_gates import Door, OnlyUnder, OnlyWhole, Page, Pages, transport_security
from rc_mcp.http_token import OnlyWith
from rc_mcp.server import RingCentralServer

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

PATH = "/mcp"
HOME = f"""\
rc-mcp: a RingCentral mailbox for AI assistants. This is not a web page.
Give an MCP client the address of this page with {PATH} at its end. Nothing about the mailbox is shown here.
/health says whether this server accepts requests.
"""
HEALTHY = "ok\n"
ENDING = "shutting down\n"

TOKEN_REQUIRED, NO_TOKEN_REQUIRED = "with a token", "without a token"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_name(host: str) -> bool:
    """Return whether this is a host name or an IPv4 address, without a port or a wildcard."""
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", host) is not None


def check_reach(host: str, names: tuple[str, ...], token: bool, unauthenticated: bool) -> None:
    """Exit if clients of other machines would need no token, unless the operator accepts that."""
    if wrong := [name for name in names if not is_name(name)]:
        refuse(f"--allow-host {wrong[0]!r} must be a host name or an IPv4 address, without a port.")
    if is_loopback(host) or token:
        return
    if not unauthenticated:
        refuse(
            f"not started: every client that can reach {host} could use this mailbox. Set RC_MCP_HTTP_TOKEN, or pass "
            "--unauthenticated if a proxy in front of it authenticates clients."
        )
    click.echo(f"rc-mcp: every client that can reach {host} can use this mailbox without a token.", err=True)


def listening_on(host: str, port: int) -> list[socket.socket]:
    """Return a socket for each address of this name: `localhost` has two on most machines. Exit if there is none."""
    listening: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            listening.append(socket.create_server(address[:2], family=family))
    except OSError as error:
        for each in listening:
            each.close()
        click.echo(f"rc-mcp: cannot listen on {host}, port {port}: {error.strerror}. Use another --port.", err=True)
        sys.exit(1)
    return listening


def serve_http(
    server: RingCentralServer,
    listening: list[socket.socket],
    host: str,
    *,
    names: Iterable[str],
    token: SecretStr | None,
    about: str,
) -> None:
    """Serve at `PATH` until SIGTERM or SIGINT. A line on stderr shows the address; stdout stays empty.

    Args:
        about: the mailbox and the access level, in a few words; the line shows it.
        listening: sockets that are bound to `host`.
        names: allowed Host headers besides this machine's own names.
        token: the bearer token that every request must send; None accepts every client.
    """
    allowed = [name.lower() for name in (*_LOOPBACK, *_own_name(host), *names)]
    app, door = application(server, allowed, token)
    who = TOKEN_REQUIRED if token else NO_TOKEN_REQUIRED
    HttpServer(app, door, path=PATH, about=f"{about}, {who}").serve_on(listening)


def application(server: RingCentralServer, names: Sequence[str], token: SecretStr | None) -> tuple[ASGIApp, Door]:
    """Return the application, and the gate before MCP. `names` are all allowed Host headers."""
    mcp = server.streamable_http_app(streamable_http_path=PATH, transport_security=transport_security(names))
    door = Door(mcp, calls=lambda: server.calls, stop_listening=server.stop_listening)
    app: ASGIApp = OnlyUnder(names, _OnlyMcp(OnlyWhole(door)))  # refused before the body is read
    if token:
        app = OnlyWith(token, app)
    home = OnlyUnder(names, Page(lambda: (HOME, 200)))
    health = Page(lambda: (ENDING, 503) if door.is_closed else (HEALTHY, 200))
    return Pages({"/": home, "/health": health}, app), door


def _own_name(host: str) -> list[str]:
    """Return the address that is listened on, as browsers write it, unless it means all addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    return [] if address.is_unspecified else [f"[{address}]" if address.version == 6 else str(address)]


class _OnlyMcp:
    """Middleware that answers requests for another address than `PATH`, and those of a browser, with `HOME`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = _misled(scope) if scope["type"] == "http" else None
        app = Page(lambda: (HOME, status)) if status else self._app
        await app(scope, receive, send)


def _misled(scope: Scope) -> int | None:
    """Return the status for a request that no MCP client with the right address sends; None for any other."""
    if scope["path"] not in {PATH, f"{PATH}/"}:  # the SDK redirects from the second to the first
        return 404
    is_browser = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
    return 406 if is_browser else None
