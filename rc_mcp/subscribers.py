"""Who wants to hear that a mailbox changed.

Nothing here asks RingCentral: what a `sync_messages` call saw is passed on. In the protocol of 2026-07-28 clients
listen on a stream, which the SDK serves; before, they subscribe to an address, which it leaves to us.
"""

import logging
from dataclasses import dataclass, field

import anyio
from mcp.server.connection import Connection

_PATIENCE_S = 2.0
"""For a client that does not read: the call that saw the change has its own answer to give."""
_log = logging.getLogger(__name__)


@dataclass
class Subscribers:
    """Connections of the older protocol, and the addresses each subscribed to."""

    _addresses: dict[Connection, set[str]] = field(default_factory=dict[Connection, set[str]])

    def add(self, connection: Connection, uri: str) -> None:
        """This client wants to hear of this address, until it leaves."""
        if connection not in self._addresses:
            self._addresses[connection] = set()
            connection.exit_stack.callback(self._addresses.pop, connection, None)
        self._addresses[connection].add(uri)

    def remove(self, connection: Connection, uri: str) -> None:
        """No longer."""
        self._addresses.get(connection, set()).discard(uri)

    async def tell(self, uri: str) -> None:
        """Tells those who subscribed to this address."""
        for connection, addresses in list(self._addresses.items()):
            if uri in addresses:
                with anyio.move_on_after(_PATIENCE_S) as waited:
                    await connection.send_resource_updated(uri)
                if waited.cancelled_caught:
                    _log.warning("a client that subscribed to the mailbox does not read")
