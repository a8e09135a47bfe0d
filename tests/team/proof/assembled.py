"""One replica in this process, with everything that the operator's own has, on the practice's clock."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from unittest.mock import patch

import httpx2 as httpx
from starlette.types import ASGIApp

from rc_mcp.settings import Settings, load_settings
from rc_mcp.team import replica as replica_module
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import Logins
from rc_mcp.team.oauth import Addresses, AuthorizationServer, SaysWhenAway, routes
from rc_mcp.team.oauth.ringcentral_login import RingCentralLogin
from rc_mcp.team.replica import Entrance, open_replica
from tests.desk import no_waiting
from tests.team.proof.practice import Practice

PUBLIC_URL = "http://127.0.0.1:8999"
KEYS = "a-key-of-the-proof-with-32-characters-or-more"


def settings(practice: Practice, database_url: str, **other: str) -> Settings:
    """Return the operator's settings."""
    emulator = practice.emulator
    own = {
        "RC_SERVER_URL": emulator.server_url,
        "RC_MEDIA_URL": emulator.media_url,
        "RC_APP_CLIENT_ID": emulator.client_id,
        "RC_APP_CLIENT_SECRET": emulator.client_secret,
        "RC_MCP_DATABASE_URL": database_url,
        "RC_MCP_PUBLIC_URL": PUBLIC_URL,
        "RC_MCP_SECRET_KEYS": KEYS,
    }
    return load_settings(**{**own, **other})


@asynccontextmanager
async def assembled(practice: Practice, database_url: str, **other: str) -> AsyncGenerator[ASGIApp]:
    """Yield the application of a replica."""
    emulator = practice.emulator
    given = settings(practice, database_url, **other)
    transport = httpx.ASGITransport(app=practice.app())
    keys = KeyRing([key.get_secret_value() for key in given.secret_keys])
    addresses = Addresses(PUBLIC_URL)
    async with Database(database_url, now=practice.clock) as database:
        logins = Logins(
            database, keys, emulator.server_url, emulator.client_id, emulator.client_secret, transport=transport
        )
        login = RingCentralLogin(
            emulator.server_url,
            emulator.client_id,
            emulator.client_secret,
            addresses.redirect_uri,
            transport=transport,
            now=lambda: practice.clock().timestamp(),
        )
        server = AuthorizationServer(database, keys, addresses, emulator.server_url, login, logins)
        with patch.object(replica_module, "Database", partial(Database, now=practice.clock)):
            async with open_replica(
                given,
                entrance=Entrance(server, routes(server), logins.auth_for),
                transport=transport,
                clock=practice.clock.elapsed,
                time=no_waiting(),
            ) as replica:
                yield SaysWhenAway(replica.app)
