"""The folders of a mailbox, how many messages each may hold, and what becomes of the oldest when one overflows.

The figures are of RingCentral's guide. It says that the oldest are deleted automatically; that they become Deleted,
as if somebody had deleted them, and that only an overfull Deleted folder purges, is a reading.
"""

from dataclasses import dataclass

from rc_mcp.emulator.selection import Selection
from rc_mcp.emulator.vocabulary import Availability
from rc_mcp.emulator.wire import Message


@dataclass(frozen=True)
class Folder:
    name: str
    holds: int
    selection: Selection
    overflows_to: Availability

    def has(self, message: Message) -> bool:
        what = self.selection
        directed = not what.directions or message.direction in what.directions
        return directed and message.type in what.types and message.availability in what.availabilities


# A text is in the Outbox until it is sent. Nothing on the wire tells that folder from Sent, so both count as one.
# The Deleted folder comes last, because the others overflow into it.
FOLDERS = (
    Folder(
        "inbox",
        200,
        Selection(types=("Fax", "VoiceMail"), directions=("Inbound",), availabilities=("Alive",)),
        "Deleted",
    ),
    Folder(
        "text inbox", 5_000, Selection(types=("SMS",), directions=("Inbound",), availabilities=("Alive",)), "Deleted"
    ),
    Folder(
        "sent texts", 5_000, Selection(types=("SMS",), directions=("Outbound",), availabilities=("Alive",)), "Deleted"
    ),
    Folder("deleted texts", 5_000, Selection(types=("SMS",), availabilities=("Deleted",)), "Purged"),
)
