"""rc-mcp approvals: where a user agrees or refuses outside of the assistant."""

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from rc_mcp.cli.configured import state_dir, usable_or_exit
from rc_mcp.guard.database import NOTHING_DONE

if TYPE_CHECKING:
    from rc_mcp.guard.plans import Plan, PlanStore

_LINE = 400
"""Characters; the longest line of a question is shorter."""


@click.group(invoke_without_command=True)
@click.pass_context
def approvals(ctx: click.Context) -> None:
    """Plans that wait for a person: list, show, approve or deny them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_plans)


@approvals.command("list")
def list_plans() -> None:
    """List the plans that wait for an answer."""
    with usable_or_exit():
        waiting = _store().waiting()
    for plan in waiting:
        _print_line(f"{plan.id}  until {_expires(plan)}  {plan.draft.question.splitlines()[0]}")
    if not waiting:
        click.echo("No plan waits for an answer.")


@approvals.command()
@click.argument("plan_id", metavar="PLAN")
def show(plan_id: str) -> None:
    """Show what PLAN would do."""
    store = _store()
    with usable_or_exit():
        _print(_plan(store, plan_id))
        still_waits = plan_id in {plan.id for plan in store.waiting()}
    if still_waits:
        click.echo(f"To agree: rc-mcp approvals approve {plan_id}\nTo refuse: rc-mcp approvals deny {plan_id}")


@approvals.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--yes", is_flag=True, help="Agree without being asked, to what can be undone.")
@click.option("--phrase", metavar="TEXT", help='Agree without being asked, to what cannot be undone: "PURGE 3".')
def approve(plan_id: str, yes: bool, phrase: str | None) -> None:
    """Show PLAN, ask, and agree to it. It is carried out when the assistant calls its tool again, once, as shown.

    What can be undone takes a y; what cannot takes the phrase that is shown, typed. Any other answer approves nothing.
    """
    store = _store()
    with usable_or_exit():
        plan = _plan(store, plan_id)
        _print(plan)
        if plan not in store.waiting():
            _settle(False, "", plan_id)
        if not _agrees(plan, yes=yes, phrase=phrase):
            needed = plan.draft.phrase
            _not_approved(
                plan_id, f"It takes the phrase {_clean(needed)}." if needed else "It takes a yes: y, or --yes."
            )
        said = f"Approved {plan_id}. Nothing has been done yet; the assistant may go on."
        # The plan as it was shown: what has become of it since was not agreed to.
        _settle(store.approve(plan_id, plan), said, plan_id)


@approvals.command()
@click.argument("plan_id", metavar="PLAN")
def deny(plan_id: str) -> None:
    """Refuse PLAN for good."""
    store = _store()
    with usable_or_exit():
        _plan(store, plan_id)
        _settle(store.deny(plan_id), f"Denied {plan_id}. {NOTHING_DONE}", plan_id)


def _store() -> "PlanStore":
    from rc_mcp.guard.plans import PlanStore

    return PlanStore(state_dir())


def _plan(store: "PlanStore", plan_id: str) -> "Plan":
    found = store.get(plan_id)
    if found is None:
        click.echo(f"There is no plan {plan_id!r}; plans expire after 10 minutes. {NOTHING_DONE}", err=True)
        sys.exit(1)
    return found[0]


def _agrees(plan: "Plan", *, yes: bool, phrase: str | None) -> bool:
    """What the user answers, or said in the command line. Each kind of plan takes its own kind of answer only."""
    needed = plan.draft.phrase
    if phrase is not None or yes:
        return phrase is not None and phrase.strip() == needed if needed else phrase is None
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        how = f'--phrase "{_clean(needed)}"' if needed else "--yes"
        _not_approved(plan.id, f"This is not a terminal, so you could not be asked. Run it in one, or with {how}.")
    try:
        if needed:
            return click.prompt("To agree, type " + _clean(needed), default="", show_default=False).strip() == needed
        return click.confirm("Agree?", default=False)
    except click.Abort:
        click.echo()
        return False


def _not_approved(plan_id: str, why: str) -> NoReturn:
    click.echo(f"{why} Plan {plan_id} was not approved. {NOTHING_DONE}", err=True)
    sys.exit(1)


def _print(plan: "Plan") -> None:
    """The question. What has to be typed is left out: `approve` says so when it asks for it."""
    for line in plan.message.splitlines():
        if line != f"To agree, type: {plan.draft.phrase}":
            _print_line(line)
    _print_line(f"({plan.tool}, until {_expires(plan)})")


def _expires(plan: "Plan") -> str:
    from rc_mcp.settings import load_time_zone

    return f"{plan.expires.astimezone(load_time_zone()):%H:%M:%S %Z}"


def _print_line(line: str) -> None:
    click.echo(_clean(line))


def _clean(line: str) -> str:
    # The file is ours, but another process of this user could have put anything there.
    from rc_mcp.views.text import clean

    return clean(line, _LINE)


def _settle(done: bool, said: str, plan_id: str) -> None:
    if not done:
        click.echo(f"Plan {plan_id} was answered already, or has expired. {NOTHING_DONE}", err=True)
        sys.exit(1)
    click.echo(said)
