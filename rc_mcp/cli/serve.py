"""rc-mcp serve: MCP over stdio, or over streamable HTTP."""

from typing import TYPE_CHECKING

import click

from rc_mcp.cli.configured import refuse, settings_or_exit
from rc_mcp.cli.logs import log_to_stderr

if TYPE_CHECKING:
    from rc_mcp.emulator import Emulator
    from rc_mcp.server import RingCentralServer


@click.command()
@click.option("--demo", is_flag=True, help="On the embedded emulator: a made-up mailbox, no account.")
@click.option("--http", is_flag=True, help="Streamable HTTP at /mcp instead of stdio.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: the address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="With --http: the port.")
@click.option(
    "--access",
    type=click.Choice(["read", "triage", "delete", "purge", "admin"]),
    help="How far tools may go. Overrides RC_MCP_ACCESS.",
)
def serve(demo: bool, http: bool, host: str, port: int, access: str | None) -> None:
    """Serve MCP: over stdio, or with --http over streamable HTTP at /mcp."""
    log_to_stderr()
    server = _demo_server(access) if demo else _server(access)
    if http:
        import uvicorn

        if host not in {"127.0.0.1", "localhost", "::1"}:
            click.echo(f"rc-mcp: whoever can reach {host}:{port} can use this mailbox; there is no login.", err=True)
        # uvicorn's own line on stderr says where it listens; stdout stays empty.
        uvicorn.run(server.streamable_http_app(host=host), host=host, port=port, access_log=False)
    else:
        server.run()


def _server(access: str | None) -> "RingCentralServer":
    settings = settings_or_exit(RC_MCP_ACCESS=access)
    from rc_mcp.ringcentral import InvalidRequest
    from rc_mcp.server import build_server, client_for
    from rc_mcp.settings import SettingsError

    try:
        client_for(settings)  # now, while there is still a terminal to say what is wrong
        return build_server(settings)
    except (SettingsError, InvalidRequest) as error:
        refuse(str(error))


def _demo_server(access: str | None) -> "RingCentralServer":
    import secrets

    import httpx2 as httpx

    from rc_mcp.emulator import Emulator
    from rc_mcp.guard.journal import DEMO
    from rc_mcp.server import build_server
    from rc_mcp.settings import SettingsError

    # Without the limits: they are per minute, and a person trying things out should not wait for the next one.
    emulator = Emulator(rate_limits=False)
    settings = settings_or_exit(RC_MCP_ACCESS=access, **_login(emulator))
    transport = httpx.ASGITransport(app=emulator.app)
    try:
        # Each demo has a mailbox of its own behind the same ids: a plan of one must not fit another.
        return build_server(settings, transport=transport, principal=f"{DEMO}{secrets.token_hex(8)}")
    except SettingsError as error:
        refuse(str(error))


def _login(emulator: "Emulator") -> dict[str, str]:
    return {
        "RC_SERVER_URL": emulator.server_url,
        "RC_MEDIA_URL": emulator.media_url,
        "RC_APP_CLIENT_ID": emulator.client_id,
        "RC_APP_CLIENT_SECRET": emulator.client_secret,
        "RC_USER_JWT": emulator.jwt,
        "RC_ACCESS_TOKEN": "",  # a real one in the environment has no business here
    }
