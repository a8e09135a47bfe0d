"""rc-mcp approvals: lets a user approve or deny plans outside the assistant."""

import sys
from typing import NoReturn

import click

from rc_mcp.cli.exits import state_dir, usable_or_exit
from rc_mcp.guard.preview import phrase_line
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.plans import Plan, PlanStore
from rc_mcp.settings import load_time_zone
from rc_mcp.views.untrusted_text import clean

OF_A_DEMO = (
    "The plan belongs to a demo, whose mailbox exists only in its server. The assistant can carry it out only while "
    "that server runs."
)
_LINE = 400
"""Maximum characters of a line; every line of a question is shorter."""
ENDED = {
    "approved": "was already approved, and waits for the assistant",
    "denied": "was denied",
    "used": "was already approved and used: rc-mcp audit shows the result",
    "expired": "has expired: plans are valid for 10 minutes",
}
"""Why a plan awaits no approval."""
UNCHANGED = "This command changed nothing."


@click.group(invoke_without_command=True)
@click.pass_context
def approvals(ctx: click.Context) -> None:
    """List, show, approve or deny plans that await approval."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_plans)


@approvals.command("list")
def list_plans() -> None:
    """List the plans that await approval, oldest first."""
    store = PlanStore(Folder(state_dir()))
    with usable_or_exit():
        # Reading would create the folder, and a wrong one would then look like a server's.
        waiting = store.waiting() if store.state.exists() else []
    for plan in waiting:
        of_demo = "(demo) " if plan.is_demo else ""
        _print_line(f"{plan.id}  until {_expires(plan)}  {of_demo}{plan.draft.question.splitlines()[0]}")
    if any(plan.is_demo for plan in waiting):
        click.echo(f"Marked as demo: {OF_A_DEMO}")
    if not waiting:
        click.echo(f"No plan awaits approval ({store.state}).")


@approvals.command()
@click.argument("plan_id", metavar="PLAN")
def show(plan_id: str) -> None:
    """Show the effect of PLAN."""
    store = PlanStore(Folder(state_dir()))
    with usable_or_exit():
        _print(_plan(store, plan_id))
        is_waiting = plan_id in {plan.id for plan in store.waiting()}
    if is_waiting:
        click.echo(f"To approve: rc-mcp approvals approve {plan_id}\nTo deny: rc-mcp approvals deny {plan_id}")


@approvals.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--yes", is_flag=True, help="Approve without a question, if the plan can be undone.")
@click.option("--phrase", metavar="TEXT", help='Approve without a question a plan that cannot be undone: "PURGE 3".')
def approve(plan_id: str, yes: bool, phrase: str | None) -> None:
    """Show PLAN, ask for approval, and record it. The assistant can then carry it out once, exactly as shown.

    To approve, type y or yes if the plan can be undone, otherwise the phrase shown. Any other answer approves nothing.
    """
    store = PlanStore(Folder(state_dir()))
    with usable_or_exit():
        plan = _plan(store, plan_id)
        if plan not in store.waiting():
            _refuse_ended(store, plan_id)
        _print(plan)
        if not _agrees(plan, yes=yes, phrase=phrase):
            needed = plan.draft.phrase
            _not_approved(
                plan_id, f"Type the phrase {_clean(needed)}." if needed else "Answer y or yes, or pass --yes."
            )
        then = OF_A_DEMO if plan.is_demo else "The assistant may now carry it out."
        said = f"Approved {plan_id}. Nothing has been done yet. {then}"
        # Approve the plan as shown: the user did not approve later changes to it.
        if not store.approve(plan_id, plan):
            _refuse_ended(store, plan_id)
        click.echo(said)


@approvals.command()
@click.argument("plan_id", metavar="PLAN")
def deny(plan_id: str) -> None:
    """Deny PLAN. This is final."""
    store = PlanStore(Folder(state_dir()))
    with usable_or_exit():
        _plan(store, plan_id)
        if not store.deny(plan_id):
            _refuse_ended(store, plan_id)
        click.echo(f"Denied {plan_id}. {NOTHING_DONE}")


def _plan(store: PlanStore, plan_id: str) -> Plan:
    is_there = store.state.exists()
    found = store.get(plan_id) if is_there else None
    if found is None:
        if is_there and Journal(store.state).operation(plan_id):
            _refuse_ended(store, plan_id)
        where = f"There is no plan {plan_id!r} in the {store.state}"
        click.echo(f"{where}; plans expire after 10 minutes. {NOTHING_DONE}", err=True)
        sys.exit(1)
    return found[0]


def _agrees(plan: Plan, *, yes: bool, phrase: str | None) -> bool:
    """Return whether the user approves, by option or when asked. Each kind of plan needs its own kind of answer."""
    needed = plan.draft.phrase
    if phrase is not None or yes:
        return phrase is not None and phrase.strip() == needed if needed else phrase is None
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        how = f'--phrase "{_clean(needed)}"' if needed else "--yes"
        _not_approved(plan.id, f"This is not a terminal, so you were not asked. Use one, or pass {how}.")
    try:
        if needed:
            return click.prompt("To approve, type " + _clean(needed), default="", show_default=False).strip() == needed
        return click.confirm("Approve?", default=False)
    except click.Abort:
        click.echo()
        return False


def _not_approved(plan_id: str, why: str) -> NoReturn:
    click.echo(f"{why} Plan {plan_id} was not approved. {NOTHING_DONE}", err=True)
    sys.exit(1)


def _print(plan: Plan) -> None:
    """Print the question without the phrase to type: `approve` shows it in its prompt."""
    left_out = phrase_line(plan.draft.phrase) if plan.draft.phrase else None
    for line in plan.message.splitlines():
        if line != left_out:
            _print_line(line)
    _print_line(f"({plan.tool}, until {_expires(plan)}){' (demo)' if plan.is_demo else ''}")


def _expires(plan: Plan) -> str:
    return f"{plan.expires.astimezone(load_time_zone()):%H:%M:%S %Z}"


def _print_line(line: str) -> None:
    click.echo(_clean(line))


def _clean(line: str) -> str:
    # Another process of this user could have changed the file.
    return clean(line, _LINE)


def _refuse_ended(store: PlanStore, plan_id: str) -> NoReturn:
    """Say why the plan awaits no approval, and exit."""
    click.echo(f"Plan {plan_id} {_ended(store, plan_id)}. {UNCHANGED}", err=True)
    sys.exit(1)


def _ended(store: PlanStore, plan_id: str) -> str:
    if found := store.get(plan_id):
        return ENDED.get(found[1], "differs from the plan that was shown")
    # An expired plan is no longer stored; the journal keeps its steps.
    operation = Journal(store.state).operation(plan_id)
    events = {entry.event for entry in operation.entries} if operation else set[str]()
    return ENDED["used" if "begun" in events else "denied" if "declined" in events else "expired"]
