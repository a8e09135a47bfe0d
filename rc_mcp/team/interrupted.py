"""Changes that a replica could not finish because it died: any other one settles them, though their person is away.

To settle a change is to read from RingCentral what became of it, with the login of its person. A session does that when
it is opened, so it is enough to open the sessions of those who have such a change.
"""

import logging
from contextlib import suppress

import anyio
from psycopg import sql

from rc_mcp import time_limits
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.people import tenants
from rc_mcp.team.schema import tenant_schema
from rc_mcp.team.sessions import Sessions

_log = logging.getLogger(__name__)


async def settle_for_absent(database: Database, sessions: Sessions) -> None:
    """Open the sessions of people with a change that is not settled, at intervals, until canceled."""
    while True:
        with suppress(DatabaseAway):
            for account_id in await tenants(database):
                with suppress(DatabaseAway):  # its own tables may be the fault: the others have theirs
                    for person_id in await _with_open_changes(database, account_id):
                        await _opened(sessions, person_id)
        await anyio.sleep(2 * time_limits.SETTLE_EVERY_S)


async def _opened(sessions: Sessions, person_id: str) -> None:
    try:
        async with sessions.of(person_id):
            pass
    except Exception as error:  # noqa: BLE001  the others have theirs
        _log.warning("a change cannot be settled, because no session can be opened: %s", type(error).__name__)


async def _with_open_changes(database: Database, account_id: str) -> list[str]:
    table = sql.Identifier(tenant_schema(account_id), "open_operation")
    async with database.transaction() as db:
        found = await db.execute(sql.SQL("SELECT DISTINCT principal FROM {}").format(table))
        return [person_id for (person_id,) in await found.fetchall()]
