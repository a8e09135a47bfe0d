"""Subscriptions to mailbox changes in protocols before 2026-07-28.

Nothing here calls RingCentral; only `sync_messages` reports changes. Since 2026-07-28, clients listen on a stream that
the SDK serves. Earlier clients subscribe to an address, which the SDK leaves to us.
"""

import logging
from dataclasses import dataclass, field

import anyio
from mcp.server.connection import Connection

from rc_mcp import time_limits

_log = logging.getLogger(__name__)


@dataclass
class Subscribers:
    """Connections of older protocols with the addresses each subscribed to."""

    _addresses: dict[Connection, set[str]] = field(default_factory=dict[Connection, set[str]])

    def add(self, connection: Connection, uri: str) -> None:
        """Subscribe this client to this address, until it disconnects."""
        if connection not in self._addresses:
            self._addresses[connection] = set()
            connection.exit_stack.callback(self._addresses.pop, connection, None)
        self._addresses[connection].add(uri)

    def remove(self, connection: Connection, uri: str) -> None:
        """Unsubscribe this client from this address."""
        self._addresses.get(connection, set()).discard(uri)

    async def notify(self, uri: str) -> None:
        """Notify the clients that subscribed to this address."""
        for connection, addresses in list(self._addresses.items()):
            if uri in addresses:
                with anyio.move_on_after(time_limits.NOTIFICATION_S) as waited:
                    await connection.send_resource_updated(uri)
                if waited.cancelled_caught:
                    _log.warning("a subscribed client does not read; it was not notified of a change")
