"""rc-mcp emulator: the emulator over HTTP, for any SDK and any language."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rc_mcp.cli.configured import fail

if TYPE_CHECKING:
    from rc_mcp.emulator import Emulator
    from rc_mcp.emulator.scenarios import Scenario

# As in rc_mcp.emulator.scenarios, which takes too long to import for --help. A test holds them together.
SCENARIOS = ("office", "empty", "busy", "full", "hostile")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The API's port; 0 lets the system choose. Media has a port of its own, always chosen by the system.",
)
@click.option(
    "--scenario",
    show_default="office",
    type=click.Choice(SCENARIOS),
    help="The mailbox to start with: an ordinary one, an empty one, 5,000 messages, 200 unheard voicemails, or "
    "messages that attack whoever reads them.",
)
@click.option("--db", type=click.Path(dir_okay=False, path_type=Path), help="Keep the mailbox in this file.")
@click.option("--messages", type=click.IntRange(0, 1_000_000), help="Add this many made-up messages.")
@click.option("--seed", default=1, show_default=True, help="Decides ids and made-up messages.")
@click.option("--rate-limits/--no-rate-limits", default=True, show_default=True, help="RingCentral's limits.")
@click.option(
    "--time-scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1_000_000),
    help="How many times faster than real time passes; at 0 it stands still.",
)
@click.option("--admin", is_flag=True, help="Serve an admin address as well, to this machine only.")
def emulator(
    host: str,
    port: int,
    scenario: "Scenario | None",
    db: Path | None,
    messages: int | None,
    seed: int,
    rate_limits: bool,
    time_scale: float,
    admin: bool,
) -> None:
    """Serve an embedded RingCentral over HTTP.

    The first line on stdout is a JSON object with its addresses and a login. Open the first address in a browser to
    watch. Ends on SIGINT or SIGTERM.
    """
    import sqlite3

    import anyio

    from rc_mcp.emulator import Emulator

    try:
        with Emulator(
            scenario=scenario or "office",
            db=db or ":memory:",
            messages=messages,
            seed=seed,
            rate_limits=rate_limits,
            time_scale=time_scale,
        ) as served:
            if scenario not in {None, served.scenario}:
                click.echo(f"rc-mcp: {db} was filled as {served.scenario!r} and stays what it is.", err=True)
            anyio.run(_serve, served, host, port, 0 if admin else None)
    except sqlite3.Error as error:
        fail(f"{db} cannot be used: {error}")
    except OSError as error:
        fail(f"{host}:{port} cannot be listened on: {error.strerror or error}")


async def _serve(emulator: "Emulator", host: str, port: int, admin_port: int | None) -> None:
    import json

    # The handlers stand before the line is out: whoever reads it may stop us at once.
    with _signals() as signals:
        async with emulator.serve(host, port, admin_port=admin_port):
            names = ["server_url", "media_url", "client_id", "client_secret", "jwt", "account_id", "extension_id"]
            if admin_port is not None:
                names.append("admin_url")
            click.echo(json.dumps({name: getattr(emulator, name) for name in names}))
            async for _ in signals:
                return


def _signals() -> "AbstractContextManager[AsyncIterator[int]]":
    """SIGINT and SIGTERM as they come. On Windows asyncio has none; Ctrl-C ends the process as it does any other."""
    import signal

    import anyio

    return (
        nullcontext(_none()) if sys.platform == "win32" else anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM)
    )


async def _none() -> AsyncGenerator[int]:
    import anyio

    await anyio.sleep_forever()
    yield 0
