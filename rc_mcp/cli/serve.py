"""rc-mcp serve: MCP over stdio, or over streamable HTTP."""

import gc
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from rc_mcp.cli.configured import refuse, settings_or_exit
from rc_mcp.cli.logs import log_to_stderr
from rc_mcp.levels import LEVELS

if TYPE_CHECKING:
    from rc_mcp.emulator import Emulator
    from rc_mcp.server import RingCentralServer
    from rc_mcp.settings import Settings


@click.command()
@click.option("--demo", is_flag=True, help="On the embedded emulator: a made-up mailbox, no account.")
@click.option("--http", is_flag=True, help="Streamable HTTP at /mcp instead of stdio.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: the address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="With --http: the port.")
@click.option(
    "--allow-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="With --http: a name it is reached by, beside this machine's own. May be repeated.",
)
@click.option(
    "--unauthenticated", is_flag=True, help="With --http beyond this machine: let everybody in who can reach it."
)
@click.option(
    "--access",
    type=click.Choice(LEVELS),
    help="How far tools may go. Overrides RC_MCP_ACCESS.",
)
def serve(
    demo: bool, http: bool, host: str, port: int, names: tuple[str, ...], unauthenticated: bool, access: str | None
) -> None:
    """Serve MCP: over stdio, or with --http over streamable HTTP at /mcp.

    Over HTTP every request has to bring RC_MCP_HTTP_TOKEN as a bearer token, if that is set. Beyond this machine it has
    to be set, or --unauthenticated given; and requests are answered only under the names given with --allow-host.
    """
    log_to_stderr()
    with _demo_server(access) if demo else _server(access) as (server, settings):
        if http:
            from rc_mcp.cli.http import serve_http

            _check_reach(host, names, bool(settings.http_token), unauthenticated)
            serve_http(server, _listening_on(host, port), host, names=names, token=settings.http_token)
        else:
            _serve_stdio(server)


def _serve_stdio(server: "RingCentralServer") -> None:
    # It ends as at SIGTERM, which does no harm. Else Python would wait for the SDK's thread that reads stdin, which a
    # host may keep open.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server.run()


def _check_reach(host: str, names: tuple[str, ...], token: bool, unauthenticated: bool) -> None:
    from rc_mcp.cli.http import is_loopback, is_name

    if wrong := [name for name in names if not is_name(name)]:
        refuse(f"--allow-host {wrong[0]!r}: it takes a host name or an IPv4 address, without a port.")
    if is_loopback(host) or token:
        return
    if not unauthenticated:
        refuse(
            f"whoever can reach {host} could use this mailbox. Set RC_MCP_HTTP_TOKEN, or say --unauthenticated if "
            "something in front of it decides who gets through."
        )
    click.echo(f"rc-mcp: whoever can reach {host} can use this mailbox; there is no login.", err=True)


def _listening_on(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of this name: `localhost` has two on most machines."""
    listening: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            listening.append(socket.create_server(address[:2], family=family))
    except OSError as error:
        for each in listening:
            each.close()
        click.echo(f"rc-mcp: cannot listen on {host}, port {port}: {error.strerror}. --port takes another.", err=True)
        sys.exit(1)
    return listening


@contextmanager
def _server(access: str | None) -> "Generator[tuple[RingCentralServer, Settings]]":
    with _starting():
        settings = settings_or_exit(RC_MCP_ACCESS=access)
        from rc_mcp.login import client_for
        from rc_mcp.ringcentral import InvalidRequest
        from rc_mcp.server import build_server
        from rc_mcp.settings import SettingsError

        try:
            client_for(settings)  # now, while there is still a terminal to say what is wrong
            server = build_server(settings)
        except (SettingsError, InvalidRequest) as error:
            refuse(str(error))
    yield server, settings


@contextmanager
def _starting() -> Generator[None]:
    """What starting makes stays as long as the server: garbage is not looked for in it, now or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _demo_server(access: str | None) -> "Generator[tuple[RingCentralServer, Settings]]":
    import secrets

    import httpx2 as httpx

    from rc_mcp.emulator import Emulator
    from rc_mcp.guard.journal import DEMO
    from rc_mcp.server import build_server
    from rc_mcp.settings import SettingsError

    # Without the limits: they are per minute, and a person trying things out should not wait for the next one.
    with Emulator(rate_limits=False) as emulator:
        settings = settings_or_exit(RC_MCP_ACCESS=access, **_login(emulator))
        transport = httpx.ASGITransport(app=emulator.app)
        try:
            # Each demo has a mailbox of its own behind the same ids: a plan of one must not fit another.
            server = build_server(settings, transport=transport, principal=f"{DEMO}{secrets.token_hex(8)}")
        except SettingsError as error:
            refuse(str(error))
        yield server, settings


def _login(emulator: "Emulator") -> dict[str, str]:
    return {
        "RC_SERVER_URL": emulator.server_url,
        "RC_MEDIA_URL": emulator.media_url,
        "RC_APP_CLIENT_ID": emulator.client_id,
        "RC_APP_CLIENT_SECRET": emulator.client_secret,
        "RC_USER_JWT": emulator.jwt,
        "RC_ACCESS_TOKEN": "",  # a real one in the environment has no business here
    }
