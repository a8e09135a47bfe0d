"""rc-mcp audit: shows each operation's request, approval and result, and each stop and resume, oldest first."""

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from rc_mcp.cli.exits import fail, state_dir, usable_or_exit
from rc_mcp.cli.tenants import tenant_journal, tenant_option
from rc_mcp.cli.terminal import terminal
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import BEGINNING, Entry, Journal, Operation
from rc_mcp.guard.state.plans import LIFETIME
from rc_mcp.tools.arguments import instant
from rc_mcp.views.changes import tally
from rc_mcp.views.untrusted_text import clean, counted

_NO_OPERATION = "-"
_LAST = 200
_FOR_PROGRAMS = 1000
"""Width for other programs: `rc-mcp audit | grep purge` gets unbroken lines."""
_AGREED = {
    "client": "in the app",
    "chat": "in the chat",
    "terminal": "in a terminal",
    "policy": "by the policy",
    "app": "by a button in the app",
    "browser": "in the browser",
}
NOTHING_ASKED = "The guard was not asked for anything"
NO_JOURNAL = "There is no journal: nothing was asked for yet, or it was removed"
NO_JOURNAL_WITH_HEAD = (
    "There is no journal, so it does not contain this head: it was removed, or this is another folder"
)
NO_HEAD = "A head has 64 characters, 0 to 9 and a to f, as `rc-mcp audit verify` prints it. Nothing was checked."
HEAD_MISSING = "The journal does not contain this head: its end was cut off or rewritten."
CHANGED = "The journal was changed."


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print each stored entry as a line of JSON, for other programs.")
@click.option("--since", metavar="WHEN", help="From this time on: ISO 8601, or how far back, e.g. 1d.")
@click.option(
    "--last",
    metavar="N",
    type=click.IntRange(1, 10_000),
    help=f"Only the newest N operations and refusals. Default: {_LAST}; with --json all.",
)
@tenant_option
@click.pass_context
def audit(ctx: click.Context, as_json: bool, since: str | None, last: int | None, tenant: str | None) -> None:
    """Show operations: request, approval, refusal, result. The oldest comes first."""
    if ctx.invoked_subcommand is not None:
        return
    moment = _moment(since)
    with usable_or_exit(), _journal(tenant) as (journal, extensions):
        if as_json:
            for entry in _entries(journal, moment, last):
                whose = {} if extensions is None else {"extension_id": extensions.get(entry.principal)}
                click.echo(json.dumps({**asdict(entry), **whose}, default=repr))  # bytes, written by another process
            return
        try:
            _show(journal, moment, last or _LAST, extensions)
        except (ValueError, LookupError, TypeError, AttributeError):
            fail("An entry cannot be read. rc-mcp audit verify shows which ones were changed.")


@audit.command()
@click.argument("head", required=False)
@tenant_option
def verify(head: str | None, tenant: str | None) -> None:
    """Check that no entry was changed, removed or moved. HEAD is a head that you noted before.

    A process that can write the file can cut off its end, or rewrite it from some entry on. Only a head that you noted
    elsewhere shows that: it must still be in the journal.

    The exit code is 1 if an entry or that head is missing or was changed, also if there is no journal. Without HEAD,
    no journal is no fault.
    """
    if head is not None and not re.fullmatch("[0-9a-f]{64}", head):
        raise click.BadParameter(NO_HEAD, param_hint="HEAD")
    with usable_or_exit(), _journal(tenant) as (journal, _):
        if not journal.state.exists():
            if head is not None:
                fail(f"{NO_JOURNAL_WITH_HEAD} ({journal.state}).")
            click.echo(f"{NO_JOURNAL} ({journal.state}).")
            return
        verified = journal.verify()
        hashes = {BEGINNING, *(entry.hash for entry in journal.entries())}
        head_is_missing = head is not None and head not in hashes
    for fault in verified.faults:
        click.echo(fault, err=True)
    if head_is_missing:
        click.echo(HEAD_MISSING, err=True)
    if verified.faults or head_is_missing:
        fail(CHANGED)
    entries = f"{verified.entries:,} {'entry' if verified.entries == 1 else 'entries'}"
    click.echo(f"{entries} in the {journal.state}; none was changed, removed or moved.")
    click.echo(f"Head: {verified.head}")
    whose = f" --tenant {tenant}" if tenant else ""
    click.echo(f"Note it where no other user can write. `rc-mcp audit verify{whose} HEAD` then detects a cut-off end.")


@contextmanager
def _journal(tenant: str | None) -> Generator[tuple[Journal, Mapping[str, str] | None]]:
    """Yield the journal of this tenant and the extensions of its people, or else the one of the state folder."""
    if tenant is None:
        yield Journal(Folder(state_dir())), None
        return
    with tenant_journal(tenant) as found:
        yield found


def _moment(since: str | None) -> datetime | None:
    try:
        return instant(since, datetime.now(UTC), None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _entries(journal: Journal, since: datetime | None, last: int | None) -> list[Entry]:
    """Return the entries since that time; or all entries of the newest operations, and those without an operation."""
    if not journal.state.exists():
        return []
    if last is None:
        return journal.entries(since)
    operations, notes, _ = journal.latest(last, since)
    entries = [entry for operation in operations for entry in operation.entries]
    return sorted([*entries, *notes], key=lambda entry: entry.number)


def _show(journal: Journal, since: datetime | None, last: int, extensions: Mapping[str, str] | None) -> None:
    # Reading would create the folder, and a wrong one would then look like a server's.
    is_there = journal.state.exists()
    operations, notes, has_more = journal.latest(last, since) if is_there else ([], [], False)
    rows = [*map(_operation_row, operations), *_note_rows(notes)]
    if not rows:
        then = "" if since is None else " since then"
        click.echo(f"{NOTHING_ASKED}{then} ({journal.state}).")
        return
    zone = datetime.now().astimezone().tzname() or "local"
    columns = ["operation", "request", "approved", "result", *([] if extensions is None else ["extension"])]
    shown = Table(f"when ({zone})", *columns, box=None, padding=(0, 2, 0, 0))
    whose = {} if extensions is None else _extensions_by_number(operations, notes, extensions)
    for number, at, *cells in sorted(rows):
        # Another process of this user could have changed the file.
        when = f"{datetime.fromisoformat(at).astimezone():%d %b %H:%M}"
        if extensions is not None:
            cells.append(whose.get(number, "-"))
        shown.add_row(when, *(Text(clean(cell, 200)) for cell in cells))
    console = terminal()
    if not console.is_terminal:
        console.width = _FOR_PROGRAMS
    console.print(shown)
    if has_more:
        newest = "Only the newest is" if last == 1 else f"Only the newest {last:,} are"
        click.echo(f"\n{newest} shown; --last shows more, and --json without --last all entries.")
    if extensions is None and any(operation != _NO_OPERATION for _, _, operation, *_ in rows):
        click.echo("\nrc-mcp undo OPERATION restores deleted messages.")


def _extensions_by_number(
    operations: Iterable[Operation], notes: Iterable[Entry], extensions: Mapping[str, str]
) -> dict[int, str]:
    """Return the extension of whoever asked, by the number of a row's first entry."""
    firsts = [*(operation.entries[0] for operation in operations), *notes]
    return {entry.number: extensions.get(entry.principal, "-") for entry in firsts}


def _operation_row(operation: Operation) -> tuple[int, *tuple[str, ...]]:
    first, asked = operation.entries[0], operation.asked
    what = _request(asked) if asked else f"undo of {(operation.begun or {}).get('undoes')}"
    agreed = _AGREED.get(operation.approved_by or "", "-")
    result = f"{_result(operation)}{_more(operation.entries)}"
    return first.number, first.at, operation.id, _marked(what, first), agreed, result


def _note_rows(entries: list[Entry]) -> Iterator[tuple[int, *tuple[str, ...]]]:
    for entry in entries:
        if entry.operation is None:
            what = _marked(_request({"action": entry.tool, **entry.details}), entry)
            agreed, result = _rehearsed(entry) if entry.event == "rehearsed" else ("-", _not_rehearsed(entry))
            yield entry.number, entry.at, _NO_OPERATION, what, agreed, f"{result}{_more([entry])}"


def _rehearsed(entry: Entry) -> tuple[str, str]:
    if reason := _reason(entry):
        return "-", f"dry run, not done ({reason})"
    against = entry.details.get("against")
    asked = f", approval needed: {against}" if against else ""
    return "-" if against else _AGREED["policy"], f"dry run, not done{asked}"


def _not_rehearsed(entry: Entry) -> str:
    return f"refused: {_reason(entry)}" if entry.event == "refused" else entry.event


def _reason(entry: Entry) -> str:
    return str(entry.details.get("reason", "")).replace("_", " ")


def _more(entries: Iterable[Entry]) -> str:
    more = sum(entry.repeated for entry in entries)
    return f", and {more:,} similar" if more else ""


def _marked(what: str, entry: Entry) -> str:
    return f"{what} (demo)" if entry.is_demo else what


def _request(asked: Mapping[str, Any]) -> str:
    action, n = str(asked["action"]), len(asked.get("ids", ()))
    return f"{action} {counted(n, 'message')}" if n else action


def _result(operation: Operation) -> str:
    outcomes, done = operation.outcomes, operation.done
    known = tally(outcomes)
    if done is not None:
        result = known or done["status"]
        return f"{result} (interrupted)" if done.get("cut_short") else result
    if operation.begun is not None:
        doubt = len(operation.in_doubt)
        known = ", ".join(part for part in (known, f"{doubt} in doubt" if doubt else "") if part)
        return f"in progress, or interrupted{f': {known}' if known else ''}"
    last = operation.entries[-1]
    if last.event == "declined":
        return f"declined {_AGREED.get(last.details['by'], '')}"
    if last.event == "refused":
        return f"refused: {_reason(last)}"
    until = operation.entries[0].moment + LIFETIME
    agreed = "not approved" if operation.approved_by is None else "approved"
    if datetime.now(UTC) >= until:
        return f"{agreed}, expired, not carried out"
    return f"{agreed}, not yet carried out (until {until.astimezone():%H:%M})"
