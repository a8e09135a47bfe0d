"""--tenant: the commands for one RingCentral account of a team's server, whose state is in PostgreSQL."""

import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

import anyio
import click

from rc_mcp.cli.exits import fail, refuse
from rc_mcp.guard.refusals import GuardError
from rc_mcp.settings import SettingsError, load_database_url

if TYPE_CHECKING:
    from rc_mcp.guard.state.journal import Journal
    from rc_mcp.team.operators import Operators

NO_EXTRA = "The packages for a team are not installed. Nothing was done. Install rc-mcp[team]."

T = TypeVar("T")

tenant_option = click.option(
    "--tenant", metavar="ACCOUNT_ID", help="On a team's server (RC_MCP_DATABASE_URL): this RingCentral account."
)


def database_url() -> str:
    """Return the address of the team's database; exit with code 2 without one, or without the extra."""
    try:
        url = load_database_url()
    except SettingsError as error:
        refuse(str(error))
    if any(find_spec(package) is None for package in ("psycopg", "psycopg_pool", "cryptography")):
        refuse(NO_EXTRA)
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # its warnings have the address
    return url.get_secret_value()


def for_tenant(act: Callable[["Operators"], Awaitable[T]], or_else: str = "") -> T:
    """Return the result of an operation; exit with code 1 if it is not possible.

    Args:
        or_else: what the error's line begins with.
    """
    url = database_url()
    from rc_mcp.guard.policy.policy_file import PolicyError
    from rc_mcp.team.database import Database, DatabaseAway  # late: only with the extra
    from rc_mcp.team.operators import NoTenant, Operators
    from rc_mcp.team.tenant_state import GuardDatabase

    async def run() -> T:
        with GuardDatabase(url) as states:
            async with Database(url) as database:
                return await act(Operators(database, states.of))

    try:
        return anyio.run(run)
    except (NoTenant, DatabaseAway, GuardError, PolicyError) as error:
        fail(f"{or_else}{error}")


@contextmanager
def tenant_journal(account_id: str) -> Generator[tuple["Journal", Mapping[str, str]]]:
    """Yield the journal of a tenant, and the extension of each principal in it; exit if there is no such tenant."""
    extensions = for_tenant(lambda operators: operators.extensions(account_id))
    from rc_mcp.guard.state.journal import Journal
    from rc_mcp.team.tenant_state import GuardDatabase  # late: only with the extra

    with GuardDatabase(database_url()) as states:
        yield Journal(states.of(account_id)), extensions
