"""One replica in this process, as the operator's command assembles it, on the practice's clock."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from unittest.mock import patch

import httpx2 as httpx
from starlette.types import ASGIApp

from rc_mcp.settings import load_settings
from rc_mcp.team import replica
from rc_mcp.team.database import Database
from tests.desk import no_waiting
from tests.team.proof.practice import Practice
from tests.team.proof.processes import KEYS, PUBLIC_URL, environment

__all__ = ["KEYS", "PUBLIC_URL", "assembled"]


@asynccontextmanager
async def assembled(practice: Practice, database_url: str, **other: str) -> AsyncGenerator[ASGIApp]:
    """Yield the application of a replica."""
    settings = load_settings(**{**environment(practice.emulator, database_url), **other})
    with patch.object(replica, "Database", partial(Database, now=practice.clock)):
        opening = replica.open_replica(
            settings,
            transport=httpx.ASGITransport(app=practice.app()),
            clock=practice.clock.elapsed,
            time=no_waiting(),
        )
        async with opening as opened:
            yield opened.app
