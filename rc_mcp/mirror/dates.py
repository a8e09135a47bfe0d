"""Dates and spans of a query: which part of the time they mean, in the user's zone."""

import re
from datetime import MAXYEAR, MINYEAR, datetime, timedelta, tzinfo

from rc_mcp.mirror.documents import milliseconds
from rc_mcp.mirror.errors import QueryError

_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?", re.ASCII)
_SPAN = re.compile(r"(\d{1,5})([hdw])", re.ASCII | re.IGNORECASE)
_MONTHS = re.compile(r"\d+ ?[my][a-z]*", re.ASCII | re.IGNORECASE)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_WORDS = {"today": 0, "yesterday": 1}
_DATE_WANTED = (
    "needs a date such as 2026-11-23, a month (2026-11), a year, a time (2026-11-23T14:00), today or yesterday"
)
_SPAN_WANTED = "needs a span in hours, days or weeks, such as 24h, 7d or 3w"


def period(operator: str, value: str, now: datetime, zone: tzinfo) -> tuple[int, int]:
    """Return the first millisecond of a day, month, year or time, and the first after it. A time is one instant.

    Raises:
        QueryError: the value is none of these.
    """
    try:
        start, end = _period(value, now, zone)
        return milliseconds(start), milliseconds(end)
    except (ValueError, OverflowError):
        other = " For a span use newer_than: or older_than:." if _SPAN.fullmatch(value) else ""
        raise QueryError(f"{operator}: {_DATE_WANTED}.{other}") from None


def span_start(operator: str, value: str, now: datetime) -> int:
    """Return the millisecond so long before now. A span is elapsed time, also across a clock change.

    Raises:
        QueryError: the value is not a span in hours, days or weeks.
    """
    found = _SPAN.fullmatch(value)
    if not found:
        why = (
            " m could mean minutes or months, so months and years are not spans: use days."
            if _MONTHS.match(value)
            else ""
        )
        raise QueryError(f"{operator}: {_SPAN_WANTED}.{why}")
    # A span of 99,999 weeks begins before the first year.
    since = timedelta(**{_UNITS[found[2].lower()]: int(found[1])})
    return milliseconds(now) - since // timedelta(milliseconds=1)


def _period(value: str, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    if (days := _WORDS.get(value.casefold())) is not None:
        day = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
        return _placed(day - timedelta(days=days), zone), _placed(day - timedelta(days=days - 1), zone)
    found = _DATE.fullmatch(value)
    if not found:
        if "T" not in value.upper() or len(value) > 40:
            raise ValueError("no date")
        instant = _placed(datetime.fromisoformat(value), zone)
        return instant, instant
    year, month, day = (int(part) if part else None for part in found.groups())
    start = datetime(year or 0, month or 1, day or 1)  # noqa: DTZ001  the user's own wall clock, placed below
    return _placed(start, zone), _placed(_after(start, month, day), zone)


def _after(start: datetime, month: int | None, day: int | None) -> datetime:
    if day:
        return start + timedelta(days=1)
    if month and month < 12:
        return start.replace(month=month + 1)
    return start.replace(year=start.year + 1, month=1)


def _placed(time: datetime, zone: tzinfo) -> datetime:
    placed = time if time.tzinfo else time.replace(tzinfo=zone)
    if not MINYEAR < placed.year < MAXYEAR:
        raise ValueError("no year of a message")
    return placed
