"""Messages that RingCentral keeps outside the Message Store, so that an answer without them is not proof.

Source: RingCentral's guide, docs/messaging/sms/threads/migration.txt of ringcentral/ringcentral-api-docs (2026).
"""

from collections.abc import Sequence

from rc_mcp.ringcentral import Message
from rc_mcp.views.summary import Filters

QUEUE_TEXTS = (
    "On accounts with Thread Messaging, new texts to call queues are kept in another store, which cannot be read here."
)


def note_on_queue_texts(filters: Filters, messages: Sequence[Message]) -> str | None:
    """Return `QUEUE_TEXTS` if shared messages were asked for, texts among them, and no text was found."""
    is_shared = filters.get("owner", ["Personal"]) != ["Personal"] or "owner_extension_type" in filters
    types = filters.get("message_type")
    may_be_texts = not isinstance(types, list) or "SMS" in types
    found = any(message.type == "SMS" for message in messages)
    return QUEUE_TEXTS if is_shared and may_be_texts and not found else None
