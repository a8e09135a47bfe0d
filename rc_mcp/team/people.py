"""The people of a team: each is one extension of one RingCentral account. The account is the tenant."""

import hashlib
from dataclasses import dataclass

from rc_mcp.team.database import Database, add_tenant


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    """The principal: the owner of plans, the same on each replica. It reveals neither account nor extension."""
    account_id: str
    """The tenant."""
    extension_id: str


def principal_of(server_url: str, account_id: str, extension_id: str) -> str:
    """Return the principal of this extension at this RingCentral server."""
    return hashlib.sha256("\n".join(("team", server_url, account_id, extension_id)).encode()).hexdigest()


async def admit(database: Database, server_url: str, account_id: str, extension_id: str) -> Person:
    """Return the person of this extension, who may be new, and whose account may be.

    Raises:
        DatabaseAway: the database cannot be used now.
        ValueError: these are not ids of RingCentral.
    """
    person = Person(principal_of(server_url, account_id, extension_id), account_id, extension_id)
    async with database.transaction() as db:
        await add_tenant(db, account_id)
        await db.execute(
            "INSERT INTO person (id, account_id, extension_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (person.id, account_id, extension_id),
        )
    return person


async def find(database: Database, person_id: str) -> Person | None:
    """Return the person with this id.

    Raises:
        DatabaseAway: the database cannot be used now.
    """
    async with database.transaction() as db:
        found = await db.execute("SELECT id, account_id, extension_id FROM person WHERE id = %s", (person_id,))
        row = await found.fetchone()
    return Person(*row) if row else None


async def tenants(database: Database) -> list[str]:
    """Return the ids of all accounts that have people here.

    Raises:
        DatabaseAway: the database cannot be used now.
    """
    async with database.transaction() as db:
        found = await db.execute("SELECT account_id FROM tenant ORDER BY account_id")
        return [account_id for (account_id,) in await found.fetchall()]
