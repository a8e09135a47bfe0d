"""The policy of each tenant: its own in the database, or else the one of the operator's file.

A session keeps the policy that it was opened with. So each replica looks every two seconds whether an operator has set
another one, and gives the people of that tenant a new session for their next call.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from rc_mcp.guard.policy.policy_file import PolicyError, parse_policy
from rc_mcp.guard.policy.rules import Policy
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.people import Person
from rc_mcp.team.sessions import NoSession

BAD_POLICY = "The operator's policy cannot be used ({error}). Nothing was done. The operator must fix it."
_LOOK_EVERY_S = 2.0


@dataclass(frozen=True, eq=False)
class _Use:
    """A session, and the text of the policy that it was opened with."""

    person: Person
    text: str | None


@dataclass(frozen=True)
class TenantPolicies:
    database: Database
    default: Policy
    """Of the operator's file, for tenants without their own."""
    _uses: set[_Use] = field(default_factory=set[_Use])

    @asynccontextmanager
    async def used_by(self, person: Person) -> AsyncGenerator[Policy]:
        """Yield the policy for this person's session, which lasts as long as the block.

        Raises:
            NoSession: it cannot be used.
            DatabaseAway: the database cannot be used now.
        """
        use = _Use(person, (await self._texts([person.account_id])).get(person.account_id))
        try:
            policy = self.default if use.text is None else parse_policy(use.text, "policy")
        except PolicyError as error:
            raise NoSession(BAD_POLICY.format(error=error)) from None
        self._uses.add(use)
        try:
            yield policy
        finally:
            self._uses.discard(use)

    async def follow(self, retire: Callable[[str], None]) -> None:
        """Retire the sessions of people whose tenant has another policy now, until canceled."""
        while True:
            await anyio.sleep(_LOOK_EVERY_S)
            try:
                await self.look(retire)
            except DatabaseAway:
                continue  # without it the guard refuses every delete

    async def look(self, retire: Callable[[str], None]) -> None:
        """Call `retire` with the id of each of these people."""
        uses = list(self._uses)
        if not uses:
            return
        texts = await self._texts(list({use.person.account_id for use in uses}))
        for use in uses:
            if use.text != texts.get(use.person.account_id) and use in self._uses:
                self._uses.discard(use)
                retire(use.person.id)

    async def _texts(self, account_ids: list[str]) -> dict[str, str | None]:
        async with self.database.transaction() as db:
            found = await db.execute("SELECT account_id, policy FROM tenant WHERE account_id = ANY(%s)", (account_ids,))
            return dict(await found.fetchall())
