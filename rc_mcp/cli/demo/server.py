"""The server of `rc-mcp serve --demo`: the real one, on an emulator in the same process."""

import os
import secrets
import socket
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import click
import httpx2 as httpx

from rc_mcp.cli.emulator import draw_pages, login_to
from rc_mcp.cli.exits import refuse, settings_or_exit
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.service.admin import LOOPBACK
from rc_mcp.emulator.service.serving import address, bound_sockets
from rc_mcp.guard.state.journal import DEMO
from rc_mcp.server import RingCentralServer, build_server
from rc_mcp.settings import Settings, SettingsError

WATCH = "This is a demo. A browser on this machine shows its made-up mailbox at"
UNWATCHED = "This is a demo. A browser cannot show its made-up mailbox: this program may not listen on this machine."


@contextmanager
def demo_server(access: str | None, *, quiet: bool = False) -> Generator[tuple[RingCentralServer, Settings]]:
    """Yield a server on a made-up mailbox, and its settings.

    Args:
        access: overrides RC_MCP_ACCESS.
        quiet: do not say on stderr where the mailbox is shown.
    """
    # Rate limits are per minute; trials should not need to wait for the next one.
    with (
        Emulator(rate_limits=False, draw_pages=draw_pages) as emulator,
        _page_socket() as bound,
        tempfile.TemporaryDirectory(prefix="rc-mcp-demo-") as copy_dir,
    ):
        watch = f"{WATCH} {address(bound)}/" if bound else UNWATCHED
        settings = settings_or_exit(
            RC_MCP_ACCESS=access, RC_MCP_MIRROR=os.environ.get("RC_MCP_MIRROR", "on"), **login_to(emulator)
        )
        transport = httpx.ASGITransport(app=emulator.app)
        try:
            # All demos use the same ids for different mailboxes: a plan of one demo must not be valid in another.
            server = build_server(
                settings,
                transport=transport,
                principal=f"{DEMO}{secrets.token_hex(8)}",
                beside=partial(_shown, emulator, bound, None if quiet else watch),
                copy_dir=Path(copy_dir),
                note=f"{watch}\n",
            )
        except SettingsError as error:
            refuse(str(error))
        yield server, settings


@asynccontextmanager
async def _shown(emulator: Emulator, bound: socket.socket | None, watch: str | None) -> AsyncGenerator[None]:
    """Say where the demo's mailbox is shown, if `watch` is given, and show it while the server runs."""
    if watch:
        click.echo(f"rc-mcp: {watch}", err=True)
    async with emulator.watched(bound) if bound else nullcontext():
        yield


@contextmanager
def _page_socket() -> Generator[socket.socket | None]:
    """Yield a socket for the demo's pages; None where a program may not listen, as in some sandboxes."""
    with ExitStack() as opened:
        try:
            (bound,) = opened.enter_context(bound_sockets(LOOPBACK, 0))
        except OSError:
            bound = None
        yield bound
