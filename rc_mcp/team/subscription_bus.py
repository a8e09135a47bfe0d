"""Passes events of one replica to the listeners of the same person on all replicas, over LISTEN and NOTIFY.

Everyone's own mailbox has the same address (`~`), so an event goes by person and address. Events are hints: a client
that gets one reads again. They hold no messages, and a client that missed one finds the change when it reads the next
time.
"""

import json
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import psycopg
from mcp import MCPError
from mcp.server.subscriptions import ServerEvent as Event
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ResourceUpdated, ToolsListChanged
from mcp.types import INTERNAL_ERROR
from psycopg import AsyncConnection, sql

from rc_mcp.team.callers import caller
from rc_mcp.team.database import Database, DatabaseAway

CHANNEL = "rc_mcp_event"
_TRY_AGAIN_S = 1.0
MOST_LISTENERS = 20
"""Of one person on a replica. The SDK takes 1,024 for all people."""
TOO_MANY = "Too many of your clients listen already. Nothing was done. Close one."
_MOST_BYTES = 4_000
"""PostgreSQL passes on less than 8,000."""
_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (ToolsListChanged, PromptsListChanged, ResourcesListChanged, ResourceUpdated)
}

_log = logging.getLogger(__name__)

Listener = Callable[[Event], None]


class TeamSubscriptionBus:
    """The SDK's `SubscriptionBus` of a replica. `publish` and `subscribe` are for the caller of the request.

    Args:
        missed: called when events may have been lost, because the database was away.
    """

    def __init__(self, database: Database, missed: Callable[[], None]) -> None:
        self._database = database
        self._missed = missed
        self._replica = secrets.token_hex(8)
        self._listeners: dict[str, dict[object, Listener]] = {}

    async def publish(self, event: Event) -> None:
        """Deliver an event to the caller's listeners here, and have other replicas deliver it there."""
        person = caller()
        if person is None:
            return
        self._deliver(person, event)
        sent = json.dumps({"from": self._replica, "person": person, "kind": type(event).__name__, **_fields(event)})
        if len(sent) > _MOST_BYTES:
            return
        with suppress(DatabaseAway):
            async with self._database.transaction() as db:
                await db.execute("SELECT pg_notify(%s, %s)", (CHANNEL, sent))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Register a listener of the caller; return what ends it, which may be called twice.

        Raises:
            MCPError: this person has too many.
        """
        person, token = caller() or "", object()
        if len(self._listeners.get(person, {})) >= MOST_LISTENERS:
            raise MCPError(INTERNAL_ERROR, TOO_MANY)
        self._listeners.setdefault(person, {})[token] = listener

        def unsubscribe() -> None:
            of_person = self._listeners.get(person, {})
            of_person.pop(token, None)
            if not of_person:
                self._listeners.pop(person, None)

        return unsubscribe

    async def follow(self) -> None:
        """Deliver the events of other replicas, until canceled. A lost connection is made again."""
        is_first, is_reported = True, False
        while True:
            try:
                async with await self._connected() as db:
                    if not is_first:
                        self._missed()
                    is_first = is_reported = False
                    async for sent in db.notifies():
                        self._heard(sent.payload)
            except psycopg.Error as error:
                if not is_reported:
                    _log.warning("events of other replicas are not heard for now: %s", type(error).__name__)
                is_reported = True
            await anyio.sleep(_TRY_AGAIN_S)

    async def _connected(self) -> AsyncConnection[tuple[Any, ...]]:
        db = await AsyncConnection.connect(
            self._database.url,
            autocommit=True,
            connect_timeout=2,
            application_name="rc-mcp events",
            keepalives_idle=20,  # a connection that died is noticed within 35 s
            keepalives_interval=5,
            keepalives_count=3,
        )
        try:
            await db.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        except BaseException:
            await db.close()
            raise
        return db

    def _heard(self, payload: str) -> None:
        try:
            sent = json.loads(payload)
            if sent.pop("from") == self._replica:
                return
            person, kind = sent.pop("person"), _KINDS[sent.pop("kind")]
            event = kind(**sent)
            is_ours = all(isinstance(word, str) for word in (person, *sent.values()))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return  # of another version, or of another program: every role of the database may notify
        if is_ours:
            self._deliver(person, event)

    def _deliver(self, person: str, event: Event) -> None:
        for listener in list(self._listeners.get(person, {}).values()):
            listener(event)


def _fields(event: Event) -> dict[str, str]:
    return {"uri": event.uri} if isinstance(event, ResourceUpdated) else {}
