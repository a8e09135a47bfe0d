"""Locks that all replicas share."""

from typing import Any

import pytest
from psycopg import AsyncConnection

from rc_mcp.team.advisory_locks import AdvisoryLocks
from rc_mcp.team.database import DatabaseAway

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_a_lock_whose_answer_was_lost_is_free_once_its_connection_has_no_user(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks, elsewhere = AdvisoryLocks(database_url), AdvisoryLocks(database_url)
    async with locks.held("one", 5):
        with monkeypatch.context() as lossy:
            lossy.setattr(AsyncConnection, "execute", _losing_the_answer(AsyncConnection.execute))
            with pytest.raises(DatabaseAway):
                async with locks.held("lost", 5):
                    pass
        long = locks.held("long", 5)  # such as one that another person takes in the meantime
        await long.__aenter__()

    async with elsewhere.held("lost", 5) as lock:
        assert lock
    await long.__aexit__(None, None, None)


def _losing_the_answer(execute: Any) -> Any:
    async def lost(*given: Any, **named: Any) -> None:
        await execute(*given, **named)
        raise TimeoutError

    return lost
