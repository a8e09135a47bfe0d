"""The folders of a mailbox: how many messages each can have, and where its oldest messages go when it is full.

The numbers are from RingCentral's guide. It says only that the oldest messages are deleted automatically. The emulator
assumes that they become Deleted, as when a user deletes them, and that only a full Deleted folder purges.
"""

from dataclasses import dataclass

from rc_mcp.emulator.mailbox.records import MessageRecord
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.vocabulary import Availability


@dataclass(frozen=True)
class Folder:
    name: str
    holds: int
    selection: Selection
    overflows_to: Availability

    def has(self, message: MessageRecord) -> bool:
        chosen = self.selection
        direction_fits = not chosen.directions or message.direction in chosen.directions
        return direction_fits and message.type in chosen.types and message.availability in chosen.availabilities


# A text is in the Outbox until it is sent. The API does not distinguish Outbox and Sent, so they count as one folder.
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
