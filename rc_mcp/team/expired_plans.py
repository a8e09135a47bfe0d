"""Removes plans that expired. The next plan of a tenant does so too, but there may be none for months."""

from contextlib import suppress

import anyio

from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.guard.state.store import in_thread
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.people import tenants
from rc_mcp.team.tenant_state import GuardDatabase

_EVERY_S = 600.0


async def forget_expired_plans(database: Database, states: GuardDatabase) -> None:
    """Remove the expired plans of all tenants at intervals, until canceled."""
    while True:
        with suppress(DatabaseAway):
            for account_id in await tenants(database):
                with suppress(GuardError):  # the others have theirs
                    await in_thread(PlanStore(states.of(account_id), database.now).forget_expired)
        await anyio.sleep(_EVERY_S)
