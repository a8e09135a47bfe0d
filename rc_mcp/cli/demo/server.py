"""The made-up mailbox of `--demo`: the real server, or the real inbox page, on an emulator in the same process."""

import os
import secrets
import socket
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
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
from rc_mcp.wiring import SessionArguments

WATCH = "This is a demo. A browser on this machine shows its made-up mailbox at"
UNWATCHED = "This is a demo. A browser cannot show its made-up mailbox: this program may not listen on this machine."


@dataclass(frozen=True)
class Demo:
    """A made-up mailbox.

    Attributes:
        watch: where a browser shows it, in words.
    """

    settings: Settings
    arguments: SessionArguments
    watch: str


@contextmanager
def demo_server(access: str | None, *, quiet: bool = False) -> Generator[tuple[RingCentralServer, Settings]]:
    """Yield a server on a made-up mailbox, and its settings.

    Args:
        access: overrides RC_MCP_ACCESS.
        quiet: do not say on stderr where the mailbox is shown.
    """
    with demo(access, quiet=quiet) as made_up:
        try:
            server = build_server(made_up.settings, note=f"{made_up.watch}\n", **made_up.arguments)
        except SettingsError as error:
            refuse(str(error))
        yield server, made_up.settings


@contextmanager
def demo(access: str | None, *, quiet: bool = False) -> Generator[Demo]:
    """Yield a made-up mailbox for as long as the block runs. `demo_server` explains the arguments."""
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
        yield Demo(
            settings,
            SessionArguments(
                transport=httpx.ASGITransport(app=emulator.app),
                # All demos use the same ids for different mailboxes: a plan of one demo must not be valid in another.
                principal=f"{DEMO}{secrets.token_hex(8)}",
                beside=partial(_shown, emulator, bound, None if quiet else watch),
                copy_dir=Path(copy_dir),
            ),
            watch,
        )


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
