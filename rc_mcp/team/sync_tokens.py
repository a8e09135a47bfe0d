"""The memory of people's sync tokens, which all replicas share.

A client that follows a mailbox may ask another replica each time. Without this, an answer could not tell new messages
from changed ones. Where the database is away, nothing is remembered, and the answer says that this is unknown.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.key_ring import KeyRing, NotOpened
from rc_mcp.views.syncs import TokenMemory

KEPT_FOR = timedelta(days=30)
MOST = 100
"""For each person."""
_PURPOSE = "sync-token"


@dataclass(frozen=True, slots=True)
class TeamTokens:
    """The sync tokens of one person."""

    database: Database
    keys: KeyRing
    person_id: str

    async def recall(self, token: str) -> TokenMemory:
        """Return what was remembered about a token; an empty memory if nothing was."""
        with suppress(DatabaseAway, NotOpened):
            async with self.database.transaction() as db:
                found = await db.execute("SELECT sealed FROM sync_token WHERE digest = %s", (self._digest(token),))
                row = await found.fetchone()
            if row:
                last, filters = json.loads(self.keys.open(bytes(row[0]), _PURPOSE))
                return TokenMemory(last and datetime.fromisoformat(last), filters)
        return TokenMemory()

    async def remember(self, token: str, memory: TokenMemory) -> None:
        """Remember this about a token, and forget old tokens."""
        last = memory.last and memory.last.isoformat()
        sealed = self.keys.seal(json.dumps([last, memory.filters]).encode(), _PURPOSE)
        now = self.database.now()
        with suppress(DatabaseAway):
            async with self.database.transaction() as db:
                await db.execute(
                    "INSERT INTO sync_token VALUES (%s, %s, %s, %s) ON CONFLICT (digest) DO UPDATE SET sealed = %s",
                    (self._digest(token), self.person_id, now, sealed, sealed),
                )
                await db.execute(
                    "DELETE FROM sync_token WHERE person = %s AND (issued < %s OR digest IN"
                    " (SELECT digest FROM sync_token WHERE person = %s ORDER BY issued DESC OFFSET %s))",
                    (self.person_id, now - KEPT_FOR, self.person_id, MOST),
                )

    def _digest(self, token: str) -> str:
        return hashlib.sha256(f"{self.person_id}\n{token}".encode("utf-8", "surrogatepass")).hexdigest()
