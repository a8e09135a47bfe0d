"""rc-mcp stop and rc-mcp resume: end all deleting at once, over every server on this state folder; allow it again."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from rc_mcp.cli.configured import state_dir

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE_S = 60.0


@click.command()
def stop() -> None:
    """Stop all deletes now. A request that is out is not called back; no other follows it."""
    import anyio

    from rc_mcp.guard.database import GuardError
    from rc_mcp.guard.stopping import stop_file

    folder = state_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Anything of that name stops already, a link to nothing too: it is neither followed nor replaced.
        with suppress(FileExistsError):
            stop_file(folder).touch(mode=0o600, exist_ok=False)
    except OSError as error:
        click.echo(f"NOT stopped: {folder} cannot be written ({type(error).__name__}). End the server.", err=True)
        sys.exit(1)
    click.echo(f"Stopped: no server whose state folder is {folder} deletes anything until rc-mcp resume.")
    try:
        is_quiet = anyio.run(_is_quiet, folder)
    except GuardError:
        click.echo("Whether a change is still under way cannot be told. rc-mcp audit shows what was sent.", err=True)
        return
    if not is_quiet:
        click.echo("A change still reads back what its last request did. rc-mcp audit shows which.", err=True)
        return
    click.echo("Nothing is under way. rc-mcp audit shows what was done; rc-mcp undo OPERATION restores it.")


@click.command()
def resume() -> None:
    """Allow deletes again. Each needs its yes, as before; what was stopped is not taken up again."""
    from rc_mcp.guard.stopping import stop_file

    file = stop_file(state_dir())
    try:
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    except FileNotFoundError:
        click.echo("It was not stopped.")
    except OSError as error:
        click.echo(f"Still stopped: {file} cannot be removed ({type(error).__name__}).", err=True)
        sys.exit(1)
    else:
        click.echo("Resumed. What was stopped is not taken up again: the assistant has to ask anew.")


async def _is_quiet(folder: "Path") -> bool:
    """Whether what was under way has ended, as it does within seconds."""
    from rc_mcp.guard.alone import alone
    from rc_mcp.guard.not_now import Busy

    try:
        async with alone(folder, patience_s=0):
            return True
    except Busy:
        click.echo("Waiting for a change that is under way ...")
    try:
        async with alone(folder, _PATIENCE_S):
            return True
    except Busy:
        return False
