"""rc-mcp serve: MCP over stdio, or over streamable HTTP."""

import gc
import signal
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress

import click
from click.core import ParameterSource

from rc_mcp.access import LEVELS
from rc_mcp.cli.exits import refuse, settings_or_exit
from rc_mcp.cli.logs import log_to_stderr
from rc_mcp.private_files import make_folder
from rc_mcp.ringcentral import InvalidRequest
from rc_mcp.server import RingCentralServer, build_server
from rc_mcp.settings import Settings, SettingsError
from rc_mcp.wiring import client_for, policy_for

ONLY_WITH_HTTP = ("host", "port", "names", "unauthenticated", "team")
"""The parameters of `serve` that have no meaning over stdio."""


@click.command()
@click.option("--demo", is_flag=True, help="Use the emulator: a made-up mailbox, no account.")
@click.option("--http", is_flag=True, help="Serve streamable HTTP at /mcp instead of stdio.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: the address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="With --http: the port.")
@click.option(
    "--allow-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="With --http: another host name that clients use to reach it. May be repeated.",
)
@click.option(
    "--unauthenticated", is_flag=True, help="With --http beyond this machine: accept every client, without a token."
)
@click.option("--team", is_flag=True, help="With --http: several people, each with their own login, on PostgreSQL.")
@click.option(
    "--access",
    type=click.Choice(LEVELS),
    help="How far tools may go. Overrides RC_MCP_ACCESS.",
)
def serve(
    demo: bool,
    http: bool,
    host: str,
    port: int,
    names: tuple[str, ...],
    unauthenticated: bool,
    team: bool,
    access: str | None,
) -> None:
    """Serve MCP over stdio or streamable HTTP.

    Over HTTP, if RC_MCP_HTTP_TOKEN is set, every request must send it as a bearer token. If other machines can reach
    the address, you must set it or pass --unauthenticated. The server only answers requests for this machine's own
    names, the address it listens on, and names given with --allow-host. /health answers to all, for load balancers.

    With --team, everyone logs in at RingCentral themselves, and the server answers under the name in
    RC_MCP_PUBLIC_URL: see docs/how-to/run-for-a-team.md.

    With --demo, a line on stderr says at which address a browser on this machine shows the mailbox. If a
    script that you run in a terminal starts the demo over stdio, there is no such line: the demo ends with the script.
    """
    log_to_stderr()
    if not http:
        _refuse_options_of_http(click.get_current_context())
    if team:
        _serve_team(demo, host, port, names, unauthenticated, access)
        return
    with _demo(access, http=http) if demo else _server(access) as (server, settings):
        # `rc-mcp stop` refuses a folder that does not exist, so it must exist before the first delete. Where it cannot
        # be made, reading works and the guard refuses deletes.
        with suppress(OSError):
            make_folder(settings.state_dir)
        if http:
            from rc_mcp.cli.http import check_reach, listening_on, serve_http  # late: most servers need none of it

            check_reach(host, names, bool(settings.http_token), unauthenticated)
            mailbox = "demo: a made-up mailbox" if demo else f"mailbox on {settings.server_url}"
            about = ", ".join([mailbox, f"access {settings.access}", *_unusual(settings)])
            serve_http(server, listening_on(host, port), host, names=names, token=settings.http_token, about=about)
        else:
            _serve_stdio(server)


def _serve_team(
    demo: bool, host: str, port: int, names: tuple[str, ...], unauthenticated: bool, access: str | None
) -> None:
    for option, is_given in (("--demo", demo), ("--allow-host", names), ("--unauthenticated", unauthenticated)):
        if is_given:
            refuse(f"not started: {option} does not go with --team.")
    settings = settings_or_exit(RC_MCP_ACCESS=access)
    try:
        from rc_mcp.cli.team import check_start, serve_team  # late: it needs the extra, and most servers are for one
    except ModuleNotFoundError:
        refuse("not started: --team needs the extra rc-mcp[team], such as `pip install 'rc-mcp[team]'` installs.")
    from rc_mcp.cli.http import listening_on

    check_start(settings)
    serve_team(settings, listening_on(host, port))


def _unusual(settings: Settings) -> Generator[str]:
    """Yield the rules for deletes that are not the default, for the line at the start."""
    if settings.policy:
        yield f"policy {settings.policy}{' (a dry run)' if policy_for(settings).dry_run else ''}"
    if settings.approval != "auto":
        yield f"approval {settings.approval}"


def _demo(access: str | None, *, http: bool) -> AbstractContextManager[tuple[RingCentralServer, Settings]]:
    from rc_mcp.cli.demo.server import demo_server  # late: only a demo needs the emulator

    return demo_server(access, quiet=not http and _is_part_of_a_program())


def _is_part_of_a_program() -> bool:
    """Return whether a program in a terminal started this server, and shows its stderr: an app keeps that in a log.

    Such a program usually ends before its user could open the demo's page, so its terminal does not show the address.
    """
    return sys.stderr.isatty() and not sys.stdin.isatty()


def _serve_stdio(server: RingCentralServer) -> None:
    # End as at SIGTERM, which does no harm. Otherwise Python would wait for the SDK thread that reads stdin, which a
    # host may keep open.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server.run()


def _refuse_options_of_http(ctx: click.Context) -> None:
    """Refuse a forgotten --http: a server over stdio would wait for a client that connects to its port."""
    given = [
        parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name in ONLY_WITH_HTTP and ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        verb = "needs" if len(given) == 1 else "need"
        refuse(f"not started: {', '.join(given)} {verb} --http. Add --http, or leave out {', '.join(given)} for stdio.")


@contextmanager
def _server(access: str | None) -> Generator[tuple[RingCentralServer, Settings]]:
    with _starting():
        settings = settings_or_exit(RC_MCP_ACCESS=access)

        try:
            client_for(settings)  # report wrong settings now, while there is a terminal
            server = build_server(settings)
        except (SettingsError, InvalidRequest) as error:
            refuse(str(error))
    yield server, settings


@contextmanager
def _starting() -> Generator[None]:
    """Exempt objects made at startup from garbage collection: they live as long as the server."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
