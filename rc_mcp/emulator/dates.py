"""Points in time: milliseconds since the epoch inside the emulator, ISO 8601 on the wire.

RingCentral accepts dates from only a year down to a fraction of a second, with any offset, and always answers in UTC
with milliseconds. No library is used, because the forms to refuse matter.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_BEGINNING = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


def to_ms(moment: datetime) -> int:
    return round((moment - _BEGINNING) / _MILLISECOND)


FIRST_MS = to_ms(datetime.min.replace(tzinfo=UTC))
"""The start of the calendar."""


def to_wire(ms: int) -> str:
    seconds, ms = divmod(ms, SECOND_MS)
    return f"{_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=1_024)  # most messages change in the second in which they came
def _second(seconds: int) -> str:
    return (_BEGINNING + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def next_whole_minute(ms: int) -> int:
    """Return the time rounded up to the minute."""
    return ms + -ms % MINUTE_MS


def whole_seconds(ms: int) -> int:
    return ms - ms % SECOND_MS


def parse_date(text: str) -> int:
    """Return milliseconds for a date in any accepted form, cut to whole seconds.

    Raises ValueError for any other form and OverflowError for a time outside the calendar.

    A time without a zone, which RingCentral lists as valid, is read as UTC. An offset whose plus sign was not
    percent-encoded arrives with a space and is refused.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    numbers = {key: int(match[key] or least) for key, least in _LEAST.items()}
    return to_ms(datetime(**numbers, tzinfo=_zone(match["zone"])).astimezone(UTC))


_LEAST = {"year": 1, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)
