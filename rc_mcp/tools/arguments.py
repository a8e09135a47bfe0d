"""The argument types that tools share. Each refuses what RingCentral would misread, before anything is sent."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import AfterValidator, BeforeValidator, Field

from rc_mcp.ringcentral import Direction, MessageType
from rc_mcp.ringcentral.limits import LIMITS

DEFAULT_WINDOW = timedelta(hours=LIMITS.default_frame_h)
"""RingCentral's own, for lists and syncs without a date_from. We send it, so that the answer can name it exactly."""
MAX_UPDATES = LIMITS.ids_per_body
MAX_READS = LIMITS.ids_per_path

_SPAN = re.compile(r"(\d{1,4})([mhdw])", re.ASCII)
_AS_IN_A_ROW = re.compile(r"(\d\d-\d\d)([ T]\d\d:\d\d)?", re.ASCII)
_UNIT = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(when: str | None, now: datetime, zone: tzinfo | None) -> datetime | None:
    """The moment that a `When` means, in UTC. A span is elapsed time before now, also where clocks change in it.

    Args:
        zone: that of times without an offset; None for this machine's.

    Raises:
        ValueError: it is none.
    """
    if when is None:
        return None
    try:
        span = _SPAN.fullmatch(when)
        time = now.astimezone(UTC) - timedelta(**{_UNIT[span[2]]: int(span[1])}) if span else _dated(when, now, zone)
    except (ValueError, OverflowError):
        raise ValueError(
            "is neither ISO 8601 (2026-11-23 or 2026-11-23T14:00:00Z) nor a span back (24h, 7d, 3w)"
        ) from None
    if not 1970 <= time.year <= 2999:
        raise ValueError("has to lie between the years 1970 and 2999")
    return time


def _dated(when: str, now: datetime, zone: tzinfo | None) -> datetime:
    """ISO 8601; or a time that a row showed, `11-23 14:05`: of this year, or of the last one where it is to come."""
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
    # A model that means one thing often writes it without the brackets; it can only mean a list of one.
    return [value] if isinstance(value, str) else value


def span(
    date_from: str | None, date_to: str | None, now: datetime, zone: tzinfo
) -> tuple[datetime | None, datetime | None]:
    """The moments that two `When` mean; where the second is left out, the first has to lie before now.

    Raises:
        ToolError: nothing can lie between them.
    """
    since, until = instant(date_from, now, zone), instant(date_to, now, zone)
    if since and since >= (until or now):
        raise ToolError("date_from: has to lie before date_to. Nothing was sent to RingCentral.")
    return since, until


# Forms are checked here and not told in the schema: as patterns they would take a tenth of all definitions.
def _like(pattern: str, what: str) -> AfterValidator:
    form = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(f"has to be {what}")
        return value

    return AfterValidator(check)


OneOrMore = BeforeValidator(_listed)
"""For lists: a single word stands for a list of one."""

# Kept as written, not as a datetime: a call that is run again must be the same call, and `7d` moves.
When = Annotated[str, Field(max_length=40), AfterValidator(_when)]

Id = Annotated[str, Field(max_length=20), _like("[0-9]{1,20}", "an id: 1 to 20 digits")]
MessageIds = Annotated[list[Id], OneOrMore]
_Own = Annotated[str, Field(max_length=20), _like("~|[0-9]{1,20}", "~ or an id: 1 to 20 digits")]
AccountId = Annotated[_Own, Field(description="~: own.")]
ExtensionId = Annotated[_Own, Field(description="~: own.")]
"""The argument has to be called `extension_id`: by that name `StrictTool` sees whether the operator allowed it."""
PhoneNumber = Annotated[
    str,
    Field(max_length=31, description="On either side: +16505550100."),
    _like(r"\+?[0-9(][0-9()./ -]{1,28}[0-9]", "a phone number, such as +16505550100"),
]
MessageTypes = Annotated[list[MessageType], OneOrMore, Field(max_length=4)]
Directions = Annotated[list[Direction], OneOrMore, Field(max_length=2)]
Owners = Annotated[
    list[Annotated[str, _like("Any|Personal|Shared|[0-9]{1,20}", "Any, Personal, Shared or an extension id")]],
    OneOrMore,
    Field(max_length=50),
]
VoicemailOwners = Annotated[list[Id], OneOrMore, Field(max_length=50)]
_EXTENSION_TYPES = (
    "User", "Department", "Announcement", "Voicemail", "DigitalUser", "VirtualUser", "FaxUser", "PagingOnly",
    "SharedLinesGroup", "DelegatedLinesGroup", "GroupCallPickup", "IvrMenu", "ApplicationExtension", "ProxyAdmin",
    "RoomConnector", "ParkLocation", "Limited", "Bot", "Site", "Room", "FlexibleUser", "TieLine", "Unknown",
)  # fmt: skip
ExtensionTypes = Annotated[
    list[Annotated[str, _like("|".join(_EXTENSION_TYPES), f"one of {', '.join(_EXTENSION_TYPES)}")]],
    OneOrMore,
    Field(max_length=len(_EXTENSION_TYPES)),
]
PlanId = Annotated[
    str,
    Field(max_length=20, description="From confirmation_required, once the user said yes."),
    _like("[0-9a-z-]{1,20}", "a plan_id, such as abcd-2345"),
]
