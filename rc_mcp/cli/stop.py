"""rc-mcp stop and rc-mcp resume: block and allow deletes for every server that uses this state folder."""

import sys
from pathlib import Path
from typing import Literal

import anyio
import click

from rc_mcp import time_limits
from rc_mcp.cli.exits import state_dir
from rc_mcp.guard.refusals import Busy, GuardError
from rc_mcp.guard.state import stopping
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.folder import Folder, stop_file
from rc_mcp.private_files import is_there

QUIET = "No change is in progress. rc-mcp audit lists operations; rc-mcp undo OPERATION restores one."
RESUMED = "Resumed. Stopped deletes do not continue: the assistant must ask again."
WAITING = "Waiting for a change in progress ..."
PERHAPS_IN_PROGRESS = "A change may still be in progress. rc-mcp audit shows sent requests."
NOT_STOPPED = "Deletes were not stopped."
NEVER_USED = "NOT stopped: no server has used the state folder"
NOT_RECORDED = "This is not recorded: "


@click.command()
def stop() -> None:
    """Stop all deletes now. A request already sent cannot be recalled; no more are sent."""
    folder = state_dir()
    try:
        if not is_there(folder):  # each server makes its folder when it starts
            click.echo(
                f"{NEVER_USED} {folder}: it does not exist. Run this as the server's user, or with the server's "
                "RC_MCP_STATE_DIR.",
                err=True,
            )
            sys.exit(1)
        is_new = Folder(folder).stop()
    except OSError as error:
        click.echo(f"NOT stopped: cannot write to {folder} ({type(error).__name__}). End the server instead.", err=True)
        sys.exit(1)
    click.echo(f"Stopped: no server whose state folder is {folder} deletes anything until rc-mcp resume.")
    if is_new:
        _record(folder, "stopped", "stop")
    try:
        is_quiet = anyio.run(_is_quiet, folder)
    except GuardError:
        click.echo(PERHAPS_IN_PROGRESS, err=True)
        return
    if not is_quiet:
        click.echo("A change is still checking the result of its last request. rc-mcp audit shows which.", err=True)
        return
    click.echo(QUIET)


@click.command()
def resume() -> None:
    """Allow deletes again. Each needs approval as before; stopped deletes do not continue."""
    folder = state_dir()
    try:
        was_stopped = Folder(folder).resume()
    except OSError as error:
        file = stop_file(folder)
        click.echo(f"Still stopped: cannot remove {file} ({type(error).__name__}). Remove it yourself.", err=True)
        sys.exit(1)
    click.echo(RESUMED if was_stopped else NOT_STOPPED)
    if was_stopped:
        _record(folder, "resumed", "resume")


def _record(folder: Path, event: Literal["stopped", "resumed"], command: str) -> None:
    """Journal that the STOP file was made or removed, or say why that is not possible."""
    try:
        stopping.record(Folder(folder), event, command)
    except stopping.NotRecorded as error:
        click.echo(f"{NOT_RECORDED}{error}", err=str(error) != stopping.NO_JOURNAL)


async def _is_quiet(folder: Path) -> bool:
    """Wait for a change in progress, normally seconds, and return whether it has ended."""
    try:
        async with one_change_at_a_time(Folder(folder), patience_s=0):
            return True
    except Busy:
        click.echo(WAITING)
    try:
        async with one_change_at_a_time(Folder(folder), time_limits.CHANGE_ENDS_S):
            return True
    except Busy:
        return False
