"""The operator's policy of each tenant, and what happens when an operator changes one."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio

from rc_mcp.guard.policy.policy_file import PolicyError, parse_policy
from rc_mcp.guard.policy.rules import Policy
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.sessions import NoSession

_LOOKED_AT_EVERY_S = 2.0
_ALL = (
    "SELECT md5(string_agg(account_id || ' ' || policy, ' ' ORDER BY account_id)) FROM tenant WHERE policy IS NOT NULL"
)

BAD_POLICY = "The operator's policy cannot be used ({error}). Nothing was done. The operator must fix it."


@dataclass(frozen=True)
class Policies:
    """The policies in the database.

    Args:
        default: for tenants that have none there.
    """

    database: Database
    default: Policy

    async def of(self, account_id: str) -> Policy:
        """Return the policy of a tenant.

        Raises:
            NoSession: it cannot be used.
            DatabaseAway: the database cannot be used now.
        """
        async with self.database.transaction() as db:
            found = await db.execute("SELECT policy FROM tenant WHERE account_id = %s", (account_id,))
            row = await found.fetchone()
        if row is None or row[0] is None:
            return self.default
        try:
            return parse_policy(row[0], "policy")
        except PolicyError as error:
            raise NoSession(BAD_POLICY.format(error=error)) from None

    async def follow(self, changed: Callable[[], None]) -> None:
        """Call `changed` soon after an operator changed any of them, until canceled."""
        before = None
        while True:
            with suppress(DatabaseAway):
                async with self.database.transaction() as db:
                    row = await (await db.execute(_ALL)).fetchone()
                if before is not None and row != before:
                    changed()
                before = row
            await anyio.sleep(_LOOKED_AT_EVERY_S)
