"""rc-mcp audit: what was asked of the guard, who agreed, and what came of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from rc_mcp.cli.configured import fail, state_dir, usable_or_exit

if TYPE_CHECKING:
    from rc_mcp.guard.journal import Entry, Journal, Operation

_NO_OPERATION = "-"
_FOR_PROGRAMS = 1000
"""Columns where nobody looks: `rc-mcp audit | grep purge` gets whole lines."""
_AGREED = {"client": "in the app", "chat": "in the chat", "terminal": "in a terminal", "policy": "by the policy"}


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="An entry a line, as it is kept: for other programs.")
@click.option("--since", metavar="WHEN", help="From this time on: ISO 8601, or a span back such as 1d.")
@click.pass_context
def audit(ctx: click.Context, as_json: bool, since: str | None) -> None:
    """Show what was asked of the guard, refused, agreed to and done."""
    if ctx.invoked_subcommand is not None:
        return
    moment, journal = _moment(since), _journal()
    with usable_or_exit():
        if as_json:
            for entry in journal.entries(moment):
                click.echo(json.dumps(asdict(entry), default=repr))  # bytes, which somebody else put there
            return
        try:
            _show(journal, moment)
        except (ValueError, LookupError, TypeError, AttributeError):
            fail("An entry cannot be read. rc-mcp audit verify says which ones were changed.")


@audit.command()
@click.argument("head", required=False)
def verify(head: str | None) -> None:
    """Check that no entry was changed, removed or moved. HEAD is one that was noted before.

    Whoever owns the file can cut off its end, or write it anew from some entry on. Only a head that was noted where
    they cannot write shows that: it has to be there still.
    """
    journal = _journal()
    with usable_or_exit():
        verified = journal.verify()
        noted_is_gone = head is not None and head not in {entry.hash for entry in journal.entries()}
    for fault in verified.faults:
        click.echo(fault, err=True)
    if noted_is_gone:
        click.echo("The head that was noted is not there: the end was cut off, or written anew.", err=True)
    if verified.faults or noted_is_gone:
        fail("The journal is not as it was written.")
    click.echo(f"{verified.entries} entries in {journal.state_dir}, each as it was written after the one before it.")
    click.echo(f"Head: {verified.head}")
    click.echo("Note it where nobody else can write. `rc-mcp audit verify HEAD` then shows that nothing was cut off.")


def _journal() -> "Journal":
    from rc_mcp.guard.journal import Journal

    return Journal(state_dir())


def _moment(since: str | None) -> datetime | None:
    from rc_mcp.tools.arguments import instant

    try:
        return instant(since, datetime.now(UTC), None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _show(journal: "Journal", since: datetime | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from rc_mcp.cli.terminal import terminal
    from rc_mcp.views.text import clean

    rows = [*map(_operation_row, journal.operations(since)), *_lone_rows(journal.entries(since))]
    if not rows:
        then = "" if since is None else " since then"
        click.echo(f"Nothing was asked of the guard{then} (state folder {journal.state_dir}).")
        return
    zone = datetime.now().astimezone().tzname() or "local"
    shown = Table(f"when ({zone})", "operation", "what", "agreed", "came to", box=None, padding=(0, 2, 0, 0))
    for _, at, *cells in sorted(rows):
        # The file is ours, but whoever can write it could have put anything there.
        when = f"{datetime.fromisoformat(at).astimezone():%d %b %H:%M}"
        shown.add_row(when, *(Text(clean(cell, 200)) for cell in cells))
    console = terminal()
    if not console.is_terminal:
        console.width = _FOR_PROGRAMS
    console.print(shown)
    if any(operation != _NO_OPERATION for _, _, operation, *_ in rows):
        click.echo("\nrc-mcp undo OPERATION restores what a delete deleted.")


def _operation_row(operation: "Operation") -> tuple[int, *tuple[str, ...]]:
    by = operation.approved_by
    agreed = _AGREED.get(by or "", "-")
    first = operation.entries[0]
    return first.number, first.at, operation.id, _marked(_what(operation), first), agreed, _came_to(operation)


def _lone_rows(entries: "list[Entry]") -> Iterator[tuple[int, *tuple[str, ...]]]:
    for entry in entries:
        if entry.operation is None:
            what = _marked(_counted({"action": entry.tool, **entry.details}), entry)
            agreed, came_to = _rehearsed(entry) if entry.event == "rehearsed" else ("-", f"refused: {_reason(entry)}")
            yield entry.number, entry.at, _NO_OPERATION, what, agreed, came_to


def _rehearsed(entry: "Entry") -> tuple[str, str]:
    against = entry.details.get("against")
    asked = f", and a person would be asked: {against}" if against else ""
    return "-" if against else _AGREED["policy"], f"dry run, not done{asked}"


def _reason(entry: "Entry") -> str:
    return str(entry.details.get("reason", "")).replace("_", " ")


def _marked(what: str, entry: "Entry") -> str:
    return f"{what} (demo)" if entry.is_demo else what


def _what(operation: "Operation") -> str:
    return _counted(operation.asked) if operation.asked else f"undo of {(operation.begun or {}).get('undoes')}"


def _counted(asked: Mapping[str, Any]) -> str:
    action, n = str(asked["action"]), len(asked.get("ids", ()))
    return f"{action} {n} message{'' if n == 1 else 's'}" if n else action


def _came_to(operation: "Operation") -> str:
    from rc_mcp.views.changes import tally

    outcomes, done = operation.outcomes, operation.done
    counted = tally(outcomes)
    if done is not None:
        came_to = counted or done["status"]
        return f"{came_to} (cut short)" if done.get("cut_short") else came_to
    if operation.begun is not None:
        doubt = len(operation.in_doubt)
        known = ", ".join(part for part in (counted, f"{doubt} in doubt" if doubt else "") if part)
        return f"under way, or cut short{f': {known}' if known else ''}"
    last = operation.entries[-1]
    if last.event == "declined":
        return f"declined {_AGREED.get(last.details['by'], '')}"
    return f"refused: {_reason(last)}" if last.event == "refused" else "not carried out"
