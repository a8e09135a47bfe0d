"""Which messages RingCentral's own limits took, without reporting it: the copy keeps those.

The limits take the oldest messages. So such a message is older than all that are left of its type and direction. It is
a fax or voicemail of an age at which a retention period may end, or there are as many others as RingCentral keeps.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rc_mcp.mirror.documents import NO_TIME_MS, decoded, milliseconds
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import Message
from rc_mcp.ringcentral.limits import LIMITS

_KEEPS = {"Fax": 200, "VoiceMail": 200, "SMS": 5_000}
"""RingCentral's guide: messages in the inbox for faxes and voicemails, and in each folder of texts."""


@dataclass
class _Folder:
    """The Alive messages of one type and direction that RingCentral still has."""

    oldest_ms: int
    messages: int = 0


def taken(mirror: Mirror, mailbox: int, gone: frozenset[str], kept: frozenset[str], now: datetime) -> frozenset[str]:
    """Return the messages, of those that are gone, that RingCentral's limits took."""
    if not gone:
        return frozenset()
    folders: dict[tuple[str | None, str | None], _Folder] = {}
    candidates: list[Message] = []
    with mirror.reading() as db:
        for (record,) in db.execute("SELECT record FROM message WHERE mailbox = ?", (mailbox,)):
            message = decoded(record)
            if message.availability != "Alive" or message.id in kept:
                continue
            if message.id in gone:
                candidates.append(message)
                continue
            created_ms = milliseconds(message.creation_time)
            folder = folders.setdefault((message.type, message.direction), _Folder(created_ms))
            folder.oldest_ms = min(folder.oldest_ms, created_ms)
            folder.messages += 1
    return frozenset(
        message.id for message in candidates if _is_taken(message, folders.get((message.type, message.direction)), now)
    )


def _is_taken(message: Message, folder: _Folder | None, now: datetime) -> bool:
    created_ms = milliseconds(message.creation_time)
    if created_ms == NO_TIME_MS or message.type not in _KEEPS or (folder and folder.oldest_ms <= created_ms):
        return False
    if folder and folder.messages >= _KEEPS[message.type]:
        return True
    youngest_ms = milliseconds(now - timedelta(days=LIMITS.min_retention_days))
    return message.type != "SMS" and created_ms <= youngest_ms
