"""rc-mcp audit: what was asked of the guard, who agreed, and what came of it."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from rc_mcp.cli.configured import settings_or_exit

if TYPE_CHECKING:
    from rc_mcp.guard.journal import Entry, Journal, Operation


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as it is kept: for other programs.")
@click.option("--since", metavar="WHEN", help="From this time on: ISO 8601, or a span back such as 1d.")
@click.pass_context
def audit(ctx: click.Context, as_json: bool, since: str | None) -> None:
    """Show what was asked of the guard, refused, agreed to and done, oldest first."""
    if ctx.invoked_subcommand is not None:
        return
    journal = _journal()
    entries = _or_exit(lambda: journal.entries(_moment(since)))
    if as_json:
        for entry in entries:
            click.echo(json.dumps({**asdict(entry), "detail": entry.details}))
    elif entries:
        _show(entries, journal)
    else:
        click.echo("Nothing was asked of the guard." if since is None else "Nothing was asked of the guard since then.")


@audit.command()
@click.argument("head", required=False)
def verify(head: str | None) -> None:
    """Check that no entry was changed, removed or moved. HEAD: one that was noted before; it still has to be there.

    Whoever owns the file can cut off its end, or write it anew from some entry on. Only a head that was noted where they
    cannot write shows that.
    """
    journal = _journal()
    verified = _or_exit(journal.verify)
    faults = list(verified.faults)
    if head is not None and head not in {entry.hash for entry in _or_exit(journal.entries)}:
        faults.append("The head that was noted is not there: the end was cut off, or written anew.")
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        click.echo(f"The journal in {journal.state_dir} is not as it was written.", err=True)
        sys.exit(1)
    click.echo(f"{verified.entries} entries, each as it was written after the one before.")
    click.echo(f"Head: {verified.head}")
    click.echo("Note it where nobody can change it: rc-mcp audit verify HEAD shows later that nothing up to here is gone.")
