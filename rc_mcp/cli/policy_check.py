"""rc-mcp policy: validates a policy file and shows its effect on a mailbox; sets the policy of a tenant."""

import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import click
import httpx2 as httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rc_mcp.cli.exits import fail, settings_or_exit
from rc_mcp.cli.tenants import for_tenant
from rc_mcp.cli.terminal import terminal
from rc_mcp.emulator import Emulator
from rc_mcp.guard.policy.policy_file import PolicyError, parse_policy, policy_text
from rc_mcp.guard.policy.rules import Policy, Rule
from rc_mcp.ringcentral import InvalidRequest, JWTAuth, Message, MessageStoreClient, RingCentralError
from rc_mcp.ringcentral.limits import BEGINNING
from rc_mcp.settings import SettingsError
from rc_mcp.views.error_texts import in_words
from rc_mcp.views.untrusted_text import counted
from rc_mcp.wiring import client_for

NO_OWN_POLICY = "Account {account_id} has no policy of its own. The one of RC_MCP_POLICY holds for it, if there is one."
EMPTY = "The policy in {name} is empty and would protect nothing. Nothing was changed. To have none, use policy remove."
_STDIN = Path("-")
SAMPLE = 10_000
"""How many of the newest messages are checked: ten requests."""


@click.group()
def policy() -> None:
    """Check the operator's policy file, or set the policy of a tenant."""


@policy.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Use the emulator's made-up mailbox: no account.")
def check(file: Path, demo: bool) -> None:
    """Validate the policy in FILE and show its effect on your mailbox.

    The exit code is 1 if the file is wrong. Without credentials the effect is not checked: a line says so, and the exit
    code is 0 if the file is valid.
    """
    checked = _parsed(_text(file), file)
    click.echo(f"{file} is valid.")
    if checked.dry_run:
        click.echo("It is a dry run: nothing is deleted.")
    if demo:
        anyio.run(_check_on_demo, checked)
    else:
        anyio.run(_check_on_account, checked)


_tenant = click.option(
    "--tenant", metavar="ACCOUNT_ID", required=True, help="The RingCentral account, on a team's server."
)


@policy.command("set")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_tenant
def set_(file: Path, tenant: str) -> None:
    """Set the policy of a tenant to the one in FILE, if it is valid. RC_MCP_POLICY then no longer holds for it.

    A FILE of - is standard input, such as for a container that does not see the file.
    """
    text = _text(file)  # read once: what is checked is what is set
    checked = _parsed(text, file)
    if not text.strip():
        fail(EMPTY.format(name=_name(file)))
    for_tenant(lambda operators: operators.set_policy(tenant, text))
    click.echo(f"Account {tenant} has the policy in {_name(file)}{', a dry run' if checked.dry_run else ''}.")


@policy.command()
@_tenant
def show(tenant: str) -> None:
    """Print the policy of a tenant, in TOML."""
    text = for_tenant(lambda operators: operators.policy(tenant))
    if text is None:
        click.echo(NO_OWN_POLICY.format(account_id=tenant), err=True)
    else:
        click.echo(text, nl=not text.endswith("\n"))


@policy.command()
@_tenant
def remove(tenant: str) -> None:
    """Remove the policy of a tenant. The one of RC_MCP_POLICY then holds for it."""
    for_tenant(lambda operators: operators.set_policy(tenant, None))
    click.echo(NO_OWN_POLICY.format(account_id=tenant))


def _text(file: Path) -> str:
    """Return the text of a policy file; exit with code 1 if it cannot be read."""
    with _faults_shown():
        return sys.stdin.read() if file == _STDIN else policy_text(file)


def _parsed(text: str, file: Path) -> Policy:
    """Return the policy; exit with code 1 and all faults if it has any."""
    with _faults_shown():
        return parse_policy(text, _name(file))


def _name(file: Path) -> str:
    return "standard input" if file == _STDIN else str(file)


@contextmanager
def _faults_shown() -> Generator[None]:
    try:
        yield
    except PolicyError as error:
        click.echo("\n".join(error.faults), err=True)
        sys.exit(1)


async def _check_on_demo(checked: Policy) -> None:
    with Emulator(rate_limits=False) as emulator:
        auth = JWTAuth(emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt)
        transport = httpx.ASGITransport(app=emulator.app)
        client = MessageStoreClient(
            auth, server_url=emulator.server_url, media_url=emulator.media_url, transport=transport
        )
        await check_on(client, checked, "the demo's mailbox")


async def _check_on_account(checked: Policy) -> None:
    try:
        client = client_for(settings_or_exit())
    except (SettingsError, InvalidRequest) as error:
        click.echo(f"Its effect on a mailbox was not checked (--demo uses a made-up one). {error}")
        return
    await check_on(client, checked, "your mailbox")


async def check_on(client: MessageStoreClient, checked: Policy, whose: str) -> None:
    """Read a sample of this mailbox and print the policy's effect on it."""
    messages: list[Message] = []
    try:
        async with client:
            found = client.iter_messages(date_from=BEGINNING, availability=("Alive", "Deleted"))
            async with aclosing(found) as listed:
                async for message in listed:
                    messages.append(message)
                    if len(messages) == SAMPLE:
                        break
    except RingCentralError as error:
        click.echo(f"rc-mcp: The mailbox could not be read completely: {in_words(error)}", err=True)
        if not messages:
            sys.exit(1)
    _explain(terminal(), checked, messages, whose)


def _explain(console: Console, checked: Policy, messages: Sequence[Message], whose: str) -> None:
    """Print protected entries, the effect of each rule, and the limits."""
    newest = "the newest " if len(messages) == SAMPLE else ""
    alive = [m for m in messages if m.availability == "Alive"]
    checked_ones = "1 message" if len(messages) == 1 else f"{len(messages):,} messages"
    console.print(f"Checked {newest}{checked_ones} of {whose}: {len(alive):,} Alive, the rest Deleted.")
    _protected(console, checked, messages)
    _rule(console, checked, alive, purge=False)
    _rule(console, checked, messages, purge=True)
    limits = {name: cap for name, cap in checked.limits.model_dump().items() if cap is not None}
    capped = ", ".join(f"{name} {cap:,}" for name, cap in limits.items())
    _heading(console, "[limits]", f"for all rules: {capped or 'only 200 messages per plan'}")


def _protected(console: Console, checked: Policy, messages: Sequence[Message]) -> None:
    if not checked.protects_anybody:
        _heading(console, "[protected]", "no numbers or names")
        return
    _heading(console, "[protected]", "never deleted, even with approval")
    table = _table("messages")
    by_message = [checked.protectors(m) for m in messages]
    entries = dict.fromkeys((*checked.protected.numbers, *checked.protected.names), 0)
    entries |= Counter(entry for fitting in by_message for entry in set(fitting))
    for entry, n in entries.items():
        table.add_row(entry, f"{n:,}")
    table.add_section()
    table.add_row("total", f"{sum(map(bool, by_message)):,}", style="bold")
    console.print(table)
    for entry in (entry for entry, n in entries.items() if n == 0):
        console.print(f"{entry!r} matches no message here. Check its spelling.")


def _rule(console: Console, checked: Policy, messages: Sequence[Message], *, purge: bool) -> None:
    rule = checked.rule(purge=purge)
    section, done = ("[unattended.purge]", "purged") if purge else ("[unattended.delete]", "deleted")
    if rule is None:
        _heading(console, section, f"not in the file: nothing is {done} without approval")
        return
    _heading(console, section, f"{done} without approval, {_caps(rule)}")
    now = datetime.now(UTC)
    misfits = [checked.misfits([m], now, purge=purge) or {} for m in messages]
    table = _table("met", "not met")
    for line, shown in _lines(checked, rule).items():
        fail = sum(line in lines for lines in misfits)
        table.add_row(f"{line} {shown}".strip(), f"{len(messages) - fail:,}", f"{fail:,}")
    table.add_section()
    fail = sum(map(bool, misfits))
    table.add_row(f"could be {done}", f"{len(messages) - fail:,}", f"{fail:,}", style="bold")
    console.print(table)


def _heading(console: Console, section: str, meaning: str) -> None:
    console.print(Text.assemble("\n", (section, "bold"), f" {meaning}"))


def _lines(checked: Policy, rule: Rule) -> dict[str, str]:
    """Return the conditions on single messages, named as in answers, and their values in the file."""
    lines = {
        "types": ", ".join(rule.types),
        "older_than": _span(rule.older_than),
        "read_status": rule.read_status,
    }
    if rule.direction:
        lines["direction"] = rule.direction
    return lines | ({"not protected": "", "known sender": ""} if checked.protects_anybody else {})


def _caps(rule: Rule) -> str:
    hour = f", {rule.max_per_hour:,} an hour" if rule.max_per_hour else ""
    return f"at most {rule.max_per_call:,} in one call{hour}, {rule.max_per_day:,} a day"


def _span(span: timedelta) -> str:
    hours, days = span.total_seconds() / 3600, span.days
    if timedelta(days=days) == span:
        return counted(days, "day")
    return f"{hours:g} {'hour' if hours == 1 else 'hours'}"


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    table.add_column("", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
