"""Argument types that tools share. Each refuses values that RingCentral would misread, before anything is sent.

Hosts and models spell values in several ways. A spelling that can mean only one value is read: an id as a number (the
command line of the MCP Inspector 2.12 and LM Studio send all digits so), 5.0 for 5 (an integer in JSON Schema), and,
in tools that do not delete, "5" for 5 and "true" for true. Every other spelling is refused.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, cast

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import from_json

from rc_mcp.ringcentral import Direction, MessageType
from rc_mcp.ringcentral.limits import LIMITS

DEFAULT_WINDOW = timedelta(hours=LIMITS.default_frame_h)
"""RingCentral's default for lists and syncs without a date_from. We send it so that the answer can state it exactly."""
MAX_UPDATES = LIMITS.ids_per_body
MAX_READS = LIMITS.ids_per_path

_INEXACT = 2**53
_IN_QUOTES = re.compile(r"true|false|0|-?[1-9][0-9]{0,14}", re.ASCII)
_SPAN = re.compile(r"(\d{1,4})([mhdw])", re.ASCII)
_AS_IN_A_ROW = re.compile(r"(\d\d-\d\d)([ T]\d\d:\d\d)?", re.ASCII)
_DAY = re.compile(r"(\d{4}-)?\d\d-\d\d|\d{8}|\d{4}-?W\d\d-?\d", re.ASCII)
_WEEK = re.compile(r"\d{4}-?W\d\d", re.ASCII)
_LONGEST_WHEN = 40
_NO_TIME = "must be an ISO 8601 date or time (2026-11-23 or 2026-11-23T14:00:00Z) or a span such as 24h, 7d or 3w"
_UNIT = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(when: str | None, now: datetime, zone: tzinfo | None, *, whole_day: bool = False) -> datetime | None:
    """Return the time that a `When` means, in UTC. A span is elapsed time before now, even across a clock change.

    Args:
        zone: the time zone of times without an offset; None means this machine's.
        whole_day: a date without a time means its last millisecond, not its first moment. So does a week.

    Raises:
        ValueError: `when` has neither form, or its year is out of range.
    """
    if when is None:
        return None
    try:
        span = _SPAN.fullmatch(when)
        if span:
            time = now.astimezone(UTC) - timedelta(**{_UNIT[span[2]]: int(span[1])})
        else:
            time = _dated(when, now, zone, days=_days(when) if whole_day else 0)
    except (ValueError, OverflowError):
        raise ValueError(_NO_TIME) from None
    if not 1970 <= time.year <= 2999:
        raise ValueError("must be between the years 1970 and 2999")
    return time


def _days(when: str) -> int:
    """Return how many days an ISO 8601 date covers: one, seven for a week, none with a time of day."""
    if _WEEK.fullmatch(when):
        return 7
    return 1 if _DAY.fullmatch(when) else 0


def _dated(when: str, now: datetime, zone: tzinfo | None, days: int) -> datetime:
    """Parse ISO 8601, or a time as rows show it (`11-23 14:05`): this year's, or last year's if still to come.

    With `days`, return the last millisecond of so many days from then on.
    """
    if not _AS_IN_A_ROW.fullmatch(when):
        return _end(datetime.fromisoformat(when), zone, days)
    year = now.astimezone(zone).year
    of_this_year = datetime.fromisoformat(f"{year}-{when}")
    to_come = _placed(of_this_year, zone) > now
    return _end(datetime.fromisoformat(f"{year - 1}-{when}") if to_come else of_this_year, zone, days)


def _end(time: datetime, zone: tzinfo | None, days: int) -> datetime:
    # The days are added on the wall clock: a day with a clock change has 23 or 25 hours.
    return _placed(time + timedelta(days=days), zone) - timedelta(milliseconds=1 if days else 0)


def _placed(time: datetime, zone: tzinfo | None) -> datetime:
    return (time if time.tzinfo or zone is None else time.replace(tzinfo=zone)).astimezone(UTC)


def _when(value: str) -> str:
    if len(value) > _LONGEST_WHEN:
        raise ValueError(_NO_TIME)
    instant(value, datetime.now(UTC), UTC)
    return value


def digits(value: object) -> object:
    """Return the digits of a number that is exact. Return any other value as it is.

    Below 2^53 every JSON parser keeps all digits of a whole number; above, many round it (RFC 8259, 6).
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _INEXACT:
        return value
    return str(int(value)) if value == int(value) else value


def _digits(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= _INEXACT:
        raise ValueError("ids are strings: put all digits in quotes, as a number this large may have lost some")
    return digits(value)


def _listed(value: object) -> object:
    # A model often writes a list of one without brackets.
    is_one = isinstance(value, str | int | float) and not isinstance(value, bool)
    return [value] if is_one else value


def _chosen(value: object) -> object:
    """Return each word once, so that the list cannot be longer than the words that exist."""
    words = _listed(value)
    if isinstance(words, list) and all(isinstance(word, str) for word in cast("list[object]", words)):
        return list(dict.fromkeys(cast("list[str]", words)))
    return cast("object", words)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _without_quotes(value: object) -> object:
    return from_json(value) if isinstance(value, str) and _IN_QUOTES.fullmatch(value) else value


def span(
    date_from: str | None, date_to: str | None, now: datetime, zone: tzinfo
) -> tuple[datetime | None, datetime | None]:
    """Return the times that two `When` of a read mean; if the second is left out, the first must be before now.

    A date without a time includes that day, as the first of them and as the second.

    Raises:
        ToolError: nothing can lie between them.
    """
    since, until = instant(date_from, now, zone), instant(date_to, now, zone, whole_day=True)
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


_NUMBER = r"[+(]{0,2}[0-9][0-9()./ -]{1,28}[0-9]"
_SENDER_ID = "(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 &._+-]{1,10}"
"""An alphanumeric sender id: up to 11 characters, not all digits (3GPP TS 23.040, 9.1.2.5)."""
NO_PEOPLE = "A phone_number matches no names of people: omit it, and look for the name in untrusted_who."
OneOrMore = BeforeValidator(_listed)
"""Accept a single string or number as a list of one."""
Chosen = BeforeValidator(_chosen)
"""The same, for a list of words with a fixed choice: a word that is there twice counts once."""
Whole = BeforeValidator(_whole)
"""Accept 5.0 for 5. It must follow the limits of the number: pydantic would publish those after it as `ge`, `le`."""
AnySpelling = BeforeValidator(lambda value: _whole(_without_quotes(value)))
"""Accept 5.0 and "5" for 5, and "true" for true; not for a tool that deletes. The note on `Whole` applies."""
_DIGITS = BeforeValidator(_digits)

# Kept as written, not as a datetime: a call that is run again must be the same call, and `7d` moves.
When = Annotated[str, AfterValidator(_when)]

Id = Annotated[str, _DIGITS, _like("[0-9]{1,20}", "an id: 1 to 20 digits")]
MessageIds = Annotated[list[Id], OneOrMore, Field(description="Ids of the messages.")]
_Own = Annotated[str, _DIGITS, _like("~|[0-9]{1,20}", "~ or an id: 1 to 20 digits")]
AccountId = Annotated[_Own, Field(description="Your own account: ~.")]
ExtensionId = Annotated[_Own, Field(description="Your own mailbox: ~.")]
"""The argument must be called `extension_id`: `StrictTool` checks it by that name."""
PhoneNumber = Annotated[
    str,
    _DIGITS,
    Field(description="Number (+16505550100) or SMS sender ID of either party, no person's name."),
    _like(
        rf"{_NUMBER}|{_SENDER_ID}",
        "a phone number, such as +16505550100, a short code, or an SMS sender ID of 2 to 11 characters, such as BANKPL"
        f". {NO_PEOPLE.removesuffix('.')}",
    ),
]
MessageTypes = Annotated[list[MessageType], Chosen, Field(description="Only these message types.")]
Directions = Annotated[list[Direction], Chosen, Field(description="Only received or sent messages.")]
Owners = Annotated[
    list[Annotated[str, _DIGITS, _like("Any|Personal|Shared|[0-9]{1,20}", "Any, Personal, Shared or an extension id")]],
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
    Chosen,
    Field(description="Owner types, e.g. Department."),
]
SyncToken = Annotated[
    str,
    Field(description="From the previous answer: return only changes since then."),
    _like("(?s:.{1,1024})", "a sync_token as an answer has it"),
]
Pages = Annotated[
    str,
    _DIGITS,
    Field(description="Pages to read, e.g. 1-3; for text and pages."),
    _like("(?s:.{1,100})", "pages in at most 100 characters, such as 1-3"),
]
PlanId = Annotated[
    str,
    Field(description="The plan_id from a confirmation_required answer, after the user agreed."),
    _like("[0-9a-z-]{1,20}", "a plan_id, such as abcd-2345"),
]
