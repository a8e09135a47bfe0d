"""rc-mcp database: makes or migrates the tables of a team's PostgreSQL, checks it, and lists the tenants in it."""

import sys

import click
from rich.table import Table

from rc_mcp.cli.exits import fail, settings_or_exit
from rc_mcp.cli.tenants import database_url, for_tenant
from rc_mcp.cli.terminal import terminal

MIGRATED = "The tables have version {version}."
READY = "Ready."
NO_TENANTS = "There are no tenants: nobody has logged in yet."


@click.group()
def database() -> None:
    """Make, migrate and check the tables of a team's PostgreSQL (RC_MCP_DATABASE_URL)."""


@database.command()
def migrate() -> None:
    """Make the tables, or bring older ones to the version of this rc-mcp, in one transaction.

    Run it before the replicas of a new version start. It can run again, and at the same time as another one.
    """
    url = database_url()
    import psycopg  # late: only with the extra

    from rc_mcp.team.database import WrongVersion, reason
    from rc_mcp.team.database import migrate as migrated

    try:
        version = migrated(url)
    except WrongVersion as error:
        fail(str(error))
    except psycopg.Error as error:
        fail(f"The database was not changed: {reason(error)}. rc-mcp database check says more.")
    click.echo(MIGRATED.format(version=version))


@database.command()
def check() -> None:
    """Check the database: connection, version, rights, writing, tenants, logins, clock.

    It changes nothing. The exit code is 1 if there is a fault.
    """
    url = database_url()
    from rc_mcp.team.checks import findings  # late: only with the extra
    from rc_mcp.team.key_ring import KeyRing

    keys = settings_or_exit().secret_keys
    faults = 0
    for finding in findings(url, KeyRing([key.get_secret_value() for key in keys]) if keys else None):
        click.echo(f"{finding.verdict:<5} {finding.what}")
        if finding.advice:
            click.echo(f"      {finding.advice}")
        faults += finding.verdict == "fault"
    if faults:
        click.echo("Fix the faults above, then run rc-mcp database check again.")
        sys.exit(1)
    click.echo(READY)


@database.command()
def tenants() -> None:
    """List the tenants: RingCentral accounts whose people have logged in. Other commands take their ids (--tenant)."""
    rows, has_more = for_tenant(lambda operators: operators.tenants())
    while has_more:
        last = rows[-1].account_id
        more, has_more = for_tenant(lambda operators, last=last: operators.tenants(last))
        rows += more
    if not rows:
        click.echo(NO_TENANTS)
        return
    shown = Table("account", "people", "since", "deletes", "policy", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        deletes, policy = "stopped" if row.stopped else "allowed", "own" if row.has_policy else "-"
        shown.add_row(row.account_id, f"{row.people:,}", f"{row.since:%d %b %Y}", deletes, policy)
    terminal().print(shown)
