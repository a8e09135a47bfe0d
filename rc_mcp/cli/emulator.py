"""rc-mcp emulator: the emulator over HTTP, for any SDK and any language."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rc_mcp.emulator import Emulator


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The API's port; 0 lets the system choose. Media has a port of its own, always chosen by the system.",
)
@click.option("--db", type=click.Path(dir_okay=False, path_type=Path), help="Keep the mailbox in this file.")
@click.option("--messages", type=click.IntRange(0, 1_000_000), help="Add this many made-up messages.")
@click.option("--seed", default=1, show_default=True, help="Decides ids and made-up messages.")
@click.option("--rate-limits/--no-rate-limits", default=True, show_default=True, help="RingCentral's limits.")
def emulator(host: str, port: int, db: Path | None, messages: int | None, seed: int, rate_limits: bool) -> None:
    """Serve an embedded RingCentral over HTTP.

    The first line on stdout is a JSON object with its addresses and a login. Ends on SIGINT or SIGTERM.
    """
    import anyio

    from rc_mcp.emulator import Emulator

    with Emulator(db=db or ":memory:", messages=messages, seed=seed, rate_limits=rate_limits) as served:
        anyio.run(_serve, served, host, port)


async def _serve(emulator: "Emulator", host: str, port: int) -> None:
    import json
    import signal

    import anyio

    # The handlers stand before the line is out: whoever reads it may stop us at once.
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with emulator.serve(host, port):
            names = ("server_url", "media_url", "client_id", "client_secret", "jwt", "account_id", "extension_id")
            click.echo(json.dumps({name: getattr(emulator, name) for name in names}))
            async for _ in signals:
                return
