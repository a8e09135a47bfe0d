"""The owner of a shared message: a call queue, or a user who shares a mailbox.

RingCentral also names the owner of one's own texts (the records of 2025 in its guide, "Receiving SMS and MMS").
"""

import re

from rc_mcp.ringcentral import Message
from rc_mcp.ringcentral.models import Owner
from rc_mcp.views.untrusted_text import NAME_CHARS, clean, is_id

_MAILBOX = re.compile(r"/extension/([0-9]{1,20})/message-store/")
_OWN = "User"
"""The extension type of a login's own mailbox: call queues and groups cannot log in."""


def foreign_owner(message: Message, extension_id: str) -> Owner | None:
    """Return the owner of a message in this mailbox, unless it is the mailbox itself.

    Args:
        extension_id: the mailbox that was asked for. `~` is that of the login, whose id the message may name.
    """
    owner = message.owner
    if owner is None or not (owner.extension_id or owner.name):
        return None
    if is_id(extension_id):
        return None if owner.extension_id == extension_id else owner
    is_user = owner.extension_type in {_OWN, None}
    return None if is_user and owner.extension_id in _own_ids(message) else owner


def owner_name(owner: Owner) -> str:
    """Return the name and the kind, as in `Sales queue (Department)`; the id if there is no name."""
    name = clean(owner.name, NAME_CHARS) if owner.name else ""
    kind = clean(owner.extension_type, NAME_CHARS) if owner.extension_type else ""
    known = name or f"extension id {clean(owner.extension_id or 'unknown', 20)}"
    return f"{known} ({kind})" if kind else known


def _own_ids(message: Message) -> set[str]:
    found = _MAILBOX.search((message.uri or "")[:1000])
    return {i for i in (message.extension_id, found[1] if found else None) if i}
