"""rc-mcp stop and rc-mcp resume: block and allow deletes, for every server that uses a state folder or of a tenant."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import click

from rc_mcp import time_limits
from rc_mcp.cli.exits import state_dir
from rc_mcp.cli.tenants import for_tenant, tenant_option
from rc_mcp.guard.refusals import Busy, GuardError
from rc_mcp.guard.state import stopping
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.folder import Folder, stop_file
from rc_mcp.guard.state.state import State
from rc_mcp.private_files import is_there

if TYPE_CHECKING:
    from rc_mcp.team.operators import Operators, Switched

QUIET = "No change is in progress. rc-mcp audit lists operations; rc-mcp undo OPERATION restores one."
RESUMED = "Resumed. Stopped deletes do not continue: the assistant must ask again."
WAITING = "Waiting for a change in progress ..."
PERHAPS_IN_PROGRESS = "A change may still be in progress. rc-mcp audit shows sent requests."
NOT_STOPPED = "Deletes were not stopped."
NEVER_USED = "NOT stopped: no server has used the state folder"
NOT_RECORDED = "This is not recorded: "
STOPPED_TENANT = "Stopped: no replica deletes anything of account {tenant} until rc-mcp resume --tenant {tenant}."
QUIET_TENANT = "No change is in progress. rc-mcp audit --tenant {tenant} lists operations."
STILL_STOPPED = "Still stopped: "


@click.command()
@tenant_option
def stop(tenant: str | None) -> None:
    """Stop all deletes now. A request already sent cannot be recalled; no more are sent."""
    if tenant is not None:
        _stop_tenant(tenant)
        return
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
    anyio.run(_wait_until_quiet, Folder(folder), QUIET)


@click.command()
@tenant_option
def resume(tenant: str | None) -> None:
    """Allow deletes again. Each needs approval as before; stopped deletes do not continue."""
    if tenant is not None:
        _say_resumed(for_tenant(lambda operators: operators.resume(tenant, "resume"), STILL_STOPPED))
        return
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


def _stop_tenant(account_id: str) -> None:
    async def stopped(operators: "Operators") -> None:
        switched = await operators.stop(account_id, "stop")
        click.echo(STOPPED_TENANT.format(tenant=account_id))
        if switched.not_recorded:
            click.echo(f"{NOT_RECORDED}{switched.not_recorded}", err=True)
        await _wait_until_quiet(operators.state_of(account_id), QUIET_TENANT.format(tenant=account_id))

    for_tenant(stopped, "NOT stopped: ")


def _say_resumed(switched: "Switched") -> None:
    click.echo(RESUMED if switched.changed else NOT_STOPPED)
    if switched.not_recorded:
        click.echo(f"{NOT_RECORDED}{switched.not_recorded}", err=True)


async def _wait_until_quiet(state: State, quiet: str) -> None:
    """Wait for a change in progress, normally seconds, and say whether it has ended."""
    try:
        is_quiet = await _is_quiet(state)
    except GuardError:
        click.echo(PERHAPS_IN_PROGRESS, err=True)
        return
    if is_quiet:
        click.echo(quiet)
    else:
        click.echo("A change is still checking the result of its last request. rc-mcp audit shows which.", err=True)


async def _is_quiet(state: State) -> bool:
    try:
        async with one_change_at_a_time(state, patience_s=0):
            return True
    except Busy:
        click.echo(WAITING)
    try:
        async with one_change_at_a_time(state, time_limits.CHANGE_ENDS_S):
            return True
    except Busy:
        return False
