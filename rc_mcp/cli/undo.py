"""rc-mcp undo: restores the messages that one operation deleted, and shows the result for each."""

import sys
from collections.abc import Mapping

import anyio
import click
from rich.table import Table

from rc_mcp.cli.exits import refuse, settings_or_exit
from rc_mcp.cli.terminal import terminal
from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.restore import undo as undo_operation
from rc_mcp.guard.restore import undoable
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal
from rc_mcp.ringcentral import InvalidRequest, RingCentralError
from rc_mcp.settings import Settings, SettingsError
from rc_mcp.views.changes import ChangeResult
from rc_mcp.views.error_texts import in_words
from rc_mcp.wiring import open_guard

MEANS = {
    "restored": "restored, and read back",
    "already": "not deleted now",
    "purged": "purged in the meantime: final",
    "not_found": "not found: gone, or in another mailbox",
    "failed": "still deleted",
    "unknown": "unknown: run this again in a minute",
}
NOT_ALL_BACK = "Not all messages are back."

_FEW = 10
"""More ids than this are only listed for messages that are not back."""


@click.command()
@click.argument("operation")
def undo(operation: str) -> None:
    """Restore the messages that OPERATION deleted.

    rc-mcp audit lists operations. The exit code is 1 unless all messages are back.
    """
    changes = anyio.run(_undone, settings_or_exit(), operation)
    _show(changes.outcomes)
    if changes.operation_id:
        click.echo(f"This undo is operation {changes.operation_id}; rc-mcp audit --json has every id.")
    if changes.status not in {"done", "nothing_to_do"}:
        click.echo(f"{NOT_ALL_BACK} {changes.said}", err=True)
        sys.exit(1)


async def _undone(settings: Settings, operation: str) -> ChangeResult:
    try:
        undoable(Journal(Folder(settings.state_dir)), operation)  # before it needs a login
        async with open_guard(settings) as guard:
            return await undo_operation(guard, operation)
    except (SettingsError, InvalidRequest) as error:
        refuse(str(error))
    except GuardError as error:
        click.echo(str(error), err=True)
    except RingCentralError as error:
        click.echo(f"The mailbox could not be read: {in_words(error)} Nothing was restored.", err=True)
    sys.exit(1)


def _show(outcomes: Mapping[str, str]) -> None:
    shown = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for word, meaning in MEANS.items():
        ids = [i for i, became in outcomes.items() if became == word]
        if ids:
            is_back = word in {"restored", "already"}
            shown.add_row(str(len(ids)), meaning, "" if is_back and len(ids) > _FEW else ", ".join(ids))
    terminal().print(shown)
