"""rc-mcp emulator: serves the emulator over HTTP, for any SDK and any language."""

import json
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryFile

import anyio
import click

from rc_mcp import time_limits
from rc_mcp.cli.exits import fail
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.scenarios.scenarios import SCENARIOS, Scenario
from rc_mcp.emulator.service.message_page import Picture
from rc_mcp.media.kinds import HEAD_BYTES, UNKNOWN, is_document, true_kind
from rc_mcp.media.reading import no_progress, read_document
from rc_mcp.media.selection import EVERYTHING


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The API's port; 0 lets the system choose. The system always chooses the media port.",
)
@click.option(
    "--scenario",
    show_default="office",
    type=click.Choice(SCENARIOS),
    help="The mailbox to start with: an ordinary one, an empty one, 5,000 messages, 200 unheard voicemails, "
    "messages that attack their readers, or rare forms of messages.",
)
@click.option("--db", type=click.Path(dir_okay=False, path_type=Path), help="Keep the mailbox in this file.")
@click.option("--messages", type=click.IntRange(0, 1_000_000), help="Add this many made-up messages.")
@click.option("--seed", default=1, show_default=True, help="Decides ids and made-up messages.")
@click.option("--rate-limits/--no-rate-limits", default=True, show_default=True, help="RingCentral's limits.")
@click.option(
    "--full-removals",
    is_flag=True,
    help="An incremental sync has whole records of deleted messages, not only ids.",
)
@click.option(
    "--time-scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1_000_000),
    help="How many times faster than real time the clock runs; 0 stops it.",
)
@click.option("--admin", is_flag=True, help="Serve an admin address as well, to this machine only.")
def emulator(
    host: str,
    port: int,
    scenario: Scenario | None,
    db: Path | None,
    messages: int | None,
    seed: int,
    rate_limits: bool,
    full_removals: bool,
    time_scale: float,
    admin: bool,
) -> None:
    """Serve an emulated RingCentral over HTTP.

    The first line on stdout is a JSON object with its addresses and a login. Open server_url in a browser to watch the
    mailbox: its messages, with their recordings and pages, and the last requests.
    SIGINT or SIGTERM ends it.
    """
    try:
        with Emulator(
            scenario=scenario or "office",
            db=db or ":memory:",
            messages=messages,
            seed=seed,
            rate_limits=rate_limits,
            full_removals=full_removals,
            time_scale=time_scale,
            draw_pages=draw_pages,
        ) as served:
            if scenario not in {None, served.scenario}:
                click.echo(f"rc-mcp: {db} holds {served.scenario!r}; --scenario was ignored.", err=True)
            anyio.run(_serve, served, host, port, 0 if admin else None)
    except sqlite3.Error as error:
        fail(f"cannot use {db}: {error}")
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror or error}")


async def draw_pages(data: bytes) -> list[Picture]:
    """Draw the first pages of a fax, or a picture, in the process with limits; an empty list for any other file."""
    kind = true_kind(data[:HEAD_BYTES], UNKNOWN)
    if not is_document(kind):
        return []
    with TemporaryFile() as file, anyio.move_on_after(time_limits.DRAWING_S):
        file.write(data)
        file.flush()
        reading = await read_document(file, kind, ["picture"], EVERYTHING, no_progress)
        return [Picture(page.mime_type, page.base64) for page in reading.pictures]
    return []


def login_to(emulator: Emulator) -> dict[str, str]:
    """Return the variables that send a server to this emulator."""
    return {
        "RC_SERVER_URL": emulator.server_url,
        "RC_MEDIA_URL": emulator.media_url,
        "RC_APP_CLIENT_ID": emulator.client_id,
        "RC_APP_CLIENT_SECRET": emulator.client_secret,
        "RC_USER_JWT": emulator.jwt,
        "RC_ACCESS_TOKEN": "",  # never use a real token from the environment
    }


async def _serve(emulator: Emulator, host: str, port: int, admin_port: int | None) -> None:
    # Install the handlers before the line is printed: its reader may send a signal at once.
    with _signals() as signals:
        async with emulator.serve(host, port, admin_port=admin_port):
            names = ["server_url", "media_url", "client_id", "client_secret", "jwt", "account_id", "extension_id"]
            if admin_port is not None:
                names.append("admin_url")
            click.echo(json.dumps({name: getattr(emulator, name) for name in names}))
            async for _ in signals:
                return


def _signals() -> "AbstractContextManager[AsyncIterator[int]]":
    """Return SIGINT and SIGTERM as they arrive. On Windows asyncio has none; Ctrl-C ends the process as usual."""
    return (
        nullcontext(_none()) if sys.platform == "win32" else anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM)
    )


async def _none() -> AsyncGenerator[int]:
    await anyio.sleep_forever()
    yield 0
