"""The logins of people, as simple as can be: sealed in the database, and ended at RingCentral."""

import json
from dataclasses import asdict

import httpx2 as httpx

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral.oauth.token_endpoint import TokenEndpoint
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.ringcentral.oauth.user_login import revoke
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.people import Person

_PURPOSE = "ringcentral-login"


class SimpleLogins:
    """Keeps one login for each person."""

    def __init__(self, database: Database, keys: KeyRing, emulator: Emulator) -> None:
        self._database = database
        self._keys = keys
        self._endpoint = TokenEndpoint(emulator.server_url, emulator.client_id, emulator.client_secret)

    async def keep(self, person: Person, tokens: Tokens) -> None:
        await self.forget(person)
        sealed = self._keys.seal(json.dumps(asdict(tokens)).encode(), _PURPOSE)
        async with self._database.transaction() as db:
            await db.execute("INSERT INTO ringcentral_login (person, sealed) VALUES (%s, %s)", (person.id, sealed))

    async def forget(self, person: Person) -> None:
        async with self._database.transaction() as db:
            gone = await db.execute("DELETE FROM ringcentral_login WHERE person = %s RETURNING sealed", (person.id,))
            row = await gone.fetchone()
        if row:
            tokens = Tokens(**json.loads(self._keys.open(row[0], _PURPOSE)))
            async with httpx.AsyncClient() as http:
                await revoke(http, self._endpoint, tokens)
