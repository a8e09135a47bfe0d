"""The argument types that tools share. Each refuses what RingCentral would misread, before anything is sent."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import AfterValidator, BeforeValidator, Field

DEFAULT_WINDOW = timedelta(hours=24)
"""RingCentral's own, for lists and syncs without a date_from. We send it, so that the answer can name it exactly."""
MAX_UPDATES = 1000
"""Ids in one update: RingCentral's limit for a body sent through `*`."""
MAX_READS = 50
"""Ids in one read: RingCentral's limit for ids in a path."""

_SPAN = re.compile(r"(\d{1,4})([mhdw])", re.ASCII)
_UNIT = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(when: str | None, now: datetime) -> datetime | None:
    """The moment that a `When` means; spans count back from now. A time without a zone is UTC.

    Raises:
        ValueError: it is neither.
    """
    if when is None:
        return None
    if span := _SPAN.fullmatch(when):
        return now - timedelta(**{_UNIT[span[2]]: int(span[1])})
    try:
        time = datetime.fromisoformat(when)
    except ValueError:
        raise ValueError(
            "is neither ISO 8601 (2026-11-23 or 2026-11-23T14:00:00Z) nor a span back (24h, 7d, 3w)"
        ) from None
    if not 1970 <= time.year <= 2999:
        raise ValueError("has to lie between the years 1970 and 2999")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _when(value: str) -> str:
    instant(value, datetime.now(UTC))
    return value


def _listed(value: object) -> object:
    # A model that means one thing often writes it without the brackets; it can only mean a list of one.
    return [value] if isinstance(value, str) else value


def in_order(since: datetime | None, until: datetime | None) -> None:
    """Refuse a window that nothing can lie in.

    Raises:
        ToolError: `since` is not before `until`.
    """
    if since and until and since >= until:
        raise ToolError("date_from: has to lie before date_to. Nothing was sent to RingCentral.")


OneOrMore = BeforeValidator(_listed)
"""For lists: a single word stands for a list of one."""

# Kept as written, not as a datetime: a call that is run again must be the same call, and `7d` moves.
When = Annotated[str, AfterValidator(_when)]

# In pydantic's patterns `$` is the very end of the text, not the place before a last line break.
Id = Annotated[str, Field(pattern="^[0-9]{1,20}$")]
MessageId = Annotated[Id, Field(description="Message id, from list_messages.")]
ConversationId = Annotated[Id, Field(description="Only this conversation; rows of texts and pages name theirs.")]
AccountId = Annotated[str, Field(pattern="^(~|[0-9]{1,20})$", description="~: the login's own.")]
ExtensionId = Annotated[str, Field(pattern="^(~|[0-9]{1,20})$", description="~: the login's own.")]
PhoneNumber = Annotated[str, Field(pattern=r"^\+?[0-9(][0-9()./ -]{1,28}[0-9]$")]
Owners = Annotated[
    list[Annotated[str, Field(pattern="^(Any|Personal|Shared|[0-9]{1,20})$")]],
    OneOrMore,
    Field(
        min_length=1,
        max_length=50,
        description="Shared mailboxes: Any, Personal (default), Shared, or extension ids.",
    ),
]
VoicemailOwners = Annotated[
    list[Id],
    OneOrMore,
    Field(min_length=1, max_length=50, description="Deprecated by RingCentral; use owner."),
]
ExtensionType = Literal[
    "User", "Department", "Announcement", "Voicemail", "DigitalUser", "VirtualUser", "FaxUser", "PagingOnly",
    "SharedLinesGroup", "DelegatedLinesGroup", "GroupCallPickup", "IvrMenu", "ApplicationExtension", "ProxyAdmin",
    "RoomConnector", "ParkLocation", "Limited", "Bot", "Site", "Room", "FlexibleUser", "TieLine", "Unknown",
]  # fmt: skip
ExtensionTypes = Annotated[
    list[ExtensionType],
    OneOrMore,
    Field(min_length=1, max_length=23, description="Only shared messages owned by such extensions."),
]
PlanId = Annotated[
    str,
    Field(
        pattern="^[0-9a-z-]{1,20}$",
        description="From this call's confirmation_required answer; only after the user said yes.",
    ),
]
