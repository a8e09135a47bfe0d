"""What operators do for a tenant, a RingCentral account: see people and operations, stop deletes, set a policy.

`rc-mcp stop --tenant` and its sisters call this, and so do the addresses under `/operator`. Operators see ids, counts
and times: no message, no name, no number.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from rc_mcp.guard.policy.policy_file import parse_policy
from rc_mcp.guard.state import stopping
from rc_mcp.guard.state.journal import Entry, Journal
from rc_mcp.guard.state.state import State
from rc_mcp.guard.state.store import in_thread
from rc_mcp.team.database import Database
from rc_mcp.team.schema import ACCOUNT_ID

MOST_TENANTS = 1_000
POLICY_NAME = "policy"
"""What a fault calls a policy that is no file."""


class NoTenant(Exception):  # noqa: N818  a state
    """No person of this account has logged in, so it has no journal and nothing to stop."""

    def __str__(self) -> str:
        return (
            "There is no such tenant: no person of this RingCentral account has logged in. Nothing was done. "
            "rc-mcp database tenants lists all."
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    account_id: str
    since: datetime
    """When the first of its people logged in."""
    people: int
    stopped: bool
    has_policy: bool


@dataclass(frozen=True, slots=True)
class Switched:
    """The result of a stop or a resume."""

    stopped: bool
    changed: bool
    """False if it was so before."""
    not_recorded: str | None
    """Why the journal does not say so; it counts all the same."""


@dataclass(frozen=True, slots=True)
class Operators:
    """The operations, on the tables of all tenants and the state of each.

    Raises:
        NoTenant: (every method that takes an account) there is no such tenant.
        DatabaseAway: (every method) the database cannot be used now.
        GuardError: (`audit`, `stop`, `resume`) the tenant's state cannot be used now.
    """

    database: Database
    state_of: Callable[[str], State]

    async def tenants(self, after: str = "") -> tuple[list[Tenant], bool]:
        """Return tenants in the order of their ids, those after this id; and whether there are more."""
        query = (
            "SELECT account_id, since, (SELECT count(*) FROM person WHERE person.account_id = tenant.account_id),"
            " stopped, policy IS NOT NULL FROM tenant WHERE account_id > %s ORDER BY account_id LIMIT %s"
        )
        async with self.database.transaction() as db:
            rows = await (await db.execute(query, (after, MOST_TENANTS + 1))).fetchall()
        return [Tenant(*row) for row in rows[:MOST_TENANTS]], len(rows) > MOST_TENANTS

    async def extensions(self, account_id: str) -> dict[str, str]:
        """Return the extension of each principal of a tenant."""
        await self._check(account_id)
        async with self.database.transaction() as db:
            found = await db.execute("SELECT id, extension_id FROM person WHERE account_id = %s", (account_id,))
            return dict(await found.fetchall())

    async def audit(
        self, account_id: str, last: int, since: datetime | None = None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return all entries of the newest operations and refusals, oldest first; and whether there are more."""
        extensions = await self.extensions(account_id)
        entries, has_more = await in_thread(newest, Journal(self.state_of(account_id)), last, since)
        return [as_json(entry, extensions) for entry in entries], has_more

    async def stop(self, account_id: str, by: str) -> Switched:
        """Stop all deletes of a tenant, on every replica. `by`: what the journal says did it."""
        await self._check(account_id)
        return await in_thread(partial(_switch, self.state_of(account_id), stop=True, by=by))

    async def resume(self, account_id: str, by: str) -> Switched:
        """Allow the deletes of a tenant again."""
        await self._check(account_id)
        return await in_thread(partial(_switch, self.state_of(account_id), stop=False, by=by))

    async def policy(self, account_id: str) -> str | None:
        """Return a tenant's own policy, in TOML; None if it has none."""
        await self._check(account_id)
        async with self.database.transaction() as db:
            found = await db.execute("SELECT policy FROM tenant WHERE account_id = %s", (account_id,))
            row = await found.fetchone()
        return row[0] if row else None

    async def set_policy(self, account_id: str, text: str | None) -> None:
        """Set a tenant's own policy; None takes it away, so that RC_MCP_POLICY holds for it.

        Raises:
            PolicyError: it has a fault. The former policy stays.
        """
        await self._check(account_id)
        if text is not None:
            parse_policy(text, POLICY_NAME)
        async with self.database.transaction() as db:
            await db.execute("UPDATE tenant SET policy = %s WHERE account_id = %s", (text, account_id))

    async def _check(self, account_id: str) -> None:
        if not re.fullmatch(ACCOUNT_ID, account_id, re.ASCII):
            raise NoTenant
        async with self.database.transaction() as db:
            found = await db.execute("SELECT 1 FROM tenant WHERE account_id = %s", (account_id,))
            if await found.fetchone() is None:
                raise NoTenant


def newest(journal: Journal, last: int, since: datetime | None) -> tuple[list[Entry], bool]:
    """Return all entries of the newest operations, and those without an operation; and whether there are more."""
    if not journal.state.exists():
        return [], False
    operations, notes, has_more = journal.latest(last, since)
    entries = [entry for operation in operations for entry in operation.entries]
    return sorted([*entries, *notes], key=lambda entry: entry.number), has_more


def as_json(entry: Entry, extensions: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry as `rc-mcp audit --json` prints it, with the extension of its principal."""
    return {**asdict(entry), "extension_id": extensions.get(entry.principal)}


def _switch(state: State, *, stop: bool, by: str) -> Switched:
    changed = state.stop() if stop else state.resume()
    not_recorded = None
    if changed:
        try:
            stopping.record(state, "stopped" if stop else "resumed", by)
        except stopping.NotRecorded as error:
            not_recorded = str(error)
    return Switched(stop, changed, not_recorded)
