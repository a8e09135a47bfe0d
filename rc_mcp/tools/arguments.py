"""Argument types that tools share. Each refuses values that RingCentral would misread, before anything is sent."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import AfterValidator, BeforeValidator, Field

from rc_mcp.ringcentral import Direction, MessageType
from rc_mcp.ringcentral.limits import LIMITS

DEFAULT_WINDOW = timedelta(hours=LIMITS.default_frame_h)
"""RingCentral's default for lists and syncs without a date_from. We send it so that the answer can state it exactly."""
MAX_UPDATES = LIMITS.ids_per_body
MAX_READS = LIMITS.ids_per_path

_SPAN = re.compile(r"(\d{1,4})([mhdw])", re.ASCII)
_AS_IN_A_ROW = re.compile(r"(\d\d-\d\d)([ T]\d\d:\d\d)?", re.ASCII)
_UNIT = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(when: str | None, now: datetime, zone: tzinfo | None) -> datetime | None:
    """Return the time that a `When` means, in UTC. A span is elapsed time before now, even across a clock change.

    Args:
        zone: the time zone of times without an offset; None means this machine's.

    Raises:
        ValueError: `when` has neither form, or its year is out of range.
    """
    if when is None:
        return None
    try:
        span = _SPAN.fullmatch(when)
        time = now.astimezone(UTC) - timedelta(**{_UNIT[span[2]]: int(span[1])}) if span else _dated(when, now, zone)
    except (ValueError, OverflowError):
        raise ValueError(
            "must be an ISO 8601 date or time (2026-11-23 or 2026-11-23T14:00:00Z) or a span such as 24h, 7d or 3w"
        ) from None
    if not 1970 <= time.year <= 2999:
        raise ValueError("must be between the years 1970 and 2999")
    return time


def _dated(when: str, now: datetime, zone: tzinfo | None) -> datetime:
    """Parse ISO 8601, or a time as rows show it (`11-23 14:05`): this year's, or last year's if still to come."""
    if not _AS_IN_A_ROW.fullmatch(when):
        return _placed(datetime.fromisoformat(when), zone)
    year = now.astimezone(zone).year
    time = _placed(datetime.fromisoformat(f"{year}-{when}"), zone)
    return time if time <= now else _placed(datetime.fromisoformat(f"{year - 1}-{when}"), zone)


def _placed(time: datetime, zone: tzinfo | None) -> datetime:
    return (time if time.tzinfo or zone is None else time.replace(tzinfo=zone)).astimezone(UTC)


def _when(value: str) -> str:
    instant(value, datetime.now(UTC), UTC)
    return value


def _listed(value: object) -> object:
    # A model often writes a list of one without brackets.
    return [value] if isinstance(value, str) else value


def span(
    date_from: str | None, date_to: str | None, now: datetime, zone: tzinfo
) -> tuple[datetime | None, datetime | None]:
    """Return the times that two `When` mean; if the second is left out, the first must be before now.

    Raises:
        ToolError: nothing can lie between them.
    """
    since, until = instant(date_from, now, zone), instant(date_to, now, zone)
    if since and since >= (until or now):
        raise ToolError("date_from: must be before date_to. Nothing was sent to RingCentral.")
    return since, until


# Checked here and not in the schema: patterns would take a tenth of all definitions.
def _like(pattern: str, what: str) -> AfterValidator:
    form = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return AfterValidator(check)


OneOrMore = BeforeValidator(_listed)
"""Accept a single string as a list of one."""

# Kept as written, not as a datetime: a call that is run again must be the same call, and `7d` moves.
When = Annotated[str, Field(max_length=40), AfterValidator(_when)]

Id = Annotated[str, _like("[0-9]{1,20}", "an id: 1 to 20 digits")]
MessageIds = Annotated[list[Id], OneOrMore, Field(description="Ids of the messages.")]
_Own = Annotated[str, _like("~|[0-9]{1,20}", "~ or an id: 1 to 20 digits")]
AccountId = Annotated[_Own, Field(description="Default ~: your own account.")]
ExtensionId = Annotated[_Own, Field(description="Default ~: your own mailbox.")]
"""The argument must be called `extension_id`: `StrictTool` checks it by that name."""
PhoneNumber = Annotated[
    str,
    Field(description="Sender's or recipient's number, e.g. +16505550100."),
    _like(r"\+?[0-9(][0-9()./ -]{1,28}[0-9]", "a phone number, such as +16505550100"),
]
MessageTypes = Annotated[list[MessageType], OneOrMore, Field(max_length=4, description="Only these message types.")]
Directions = Annotated[list[Direction], OneOrMore, Field(max_length=2, description="Only received or sent messages.")]
Owners = Annotated[
    list[Annotated[str, _like("Any|Personal|Shared|[0-9]{1,20}", "Any, Personal, Shared or an extension id")]],
    OneOrMore,
    Field(max_length=50, description="Shared mailboxes: Any, Personal (default), Shared, or extension ids."),
]
VoicemailOwners = Annotated[list[Id], OneOrMore, Field(max_length=50, description="Deprecated; use owner instead.")]
_EXTENSION_TYPES = (
    "User", "Department", "Announcement", "Voicemail", "DigitalUser", "VirtualUser", "FaxUser", "PagingOnly",
    "SharedLinesGroup", "DelegatedLinesGroup", "GroupCallPickup", "IvrMenu", "ApplicationExtension", "ProxyAdmin",
    "RoomConnector", "ParkLocation", "Limited", "Bot", "Site", "Room", "FlexibleUser", "TieLine", "Unknown",
)  # fmt: skip
ExtensionTypes = Annotated[
    list[Annotated[str, _like("|".join(_EXTENSION_TYPES), f"one of {', '.join(_EXTENSION_TYPES)}")]],
    OneOrMore,
    Field(max_length=len(_EXTENSION_TYPES), description="Owner types, e.g. Department."),
]
PlanId = Annotated[
    str,
    Field(description="The plan_id from a confirmation_required answer, after the user agreed."),
    _like("[0-9a-z-]{1,20}", "a plan_id, such as abcd-2345"),
]
