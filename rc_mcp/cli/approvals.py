"""rc-mcp approvals: where a person says yes or no outside of the assistant."""

import sys
from typing import TYPE_CHECKING

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
        _print_line(f"{plan.id}  until {plan.expires:%H:%M:%S} UTC  {plan.draft.question.splitlines()[0]}")
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
def approve(plan_id: str) -> None:
    """Agree to PLAN. It is carried out when the assistant calls its tool again, once, as shown."""
    store = _store()
    with usable_or_exit():
        _print(_plan(store, plan_id))
        said = f"Approved {plan_id}. Nothing has been done yet; the assistant may go on."
        _settle(store.approve(plan_id), said, plan_id)


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


def _print(plan: "Plan") -> None:
    """The question. What an app has typed in is left out: in the terminal the command itself is the yes."""
    for line in plan.message.splitlines():
        if line != f"To agree, type: {plan.draft.phrase}":
            _print_line(line)
    _print_line(f"({plan.tool}, until {plan.expires:%H:%M:%S} UTC)")


def _print_line(line: str) -> None:
    # The file is ours, but whoever can write it could have put anything there.
    from rc_mcp.views.text import clean

    click.echo(clean(line, _LINE))


def _settle(done: bool, said: str, plan_id: str) -> None:
    if not done:
        click.echo(f"Plan {plan_id} was answered already, or has expired. {NOTHING_DONE}", err=True)
        sys.exit(1)
    click.echo(said)
