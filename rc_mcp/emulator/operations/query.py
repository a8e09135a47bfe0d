"""Query parameters as RingCentral reads them: repeated keys for several values, unknown names ignored.

Every function takes the whole query and a name, and raises CMN-101 with this name if the value is invalid.
"""

import re
from collections.abc import Collection

from starlette.datastructures import QueryParams

from rc_mcp.emulator.dates import parse_date
from rc_mcp.emulator.errors import invalid_parameter

_INT32_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)


def members(query: QueryParams, name: str, allowed: Collection[str]) -> tuple[str, ...]:
    """Return all values of the name. As on the real service, a comma-separated list is one unknown value."""
    values = tuple(dict.fromkeys(query.getlist(name)))
    if any(value not in allowed for value in values):
        raise invalid_parameter(name)
    return values


def member(query: QueryParams, name: str, allowed: Collection[str]) -> str | None:
    value = _first(query, name)
    if value is not None and value not in allowed:
        raise invalid_parameter(name)
    return value


def boolean(query: QueryParams, name: str) -> bool:
    """Return the value; False if it is missing. Case is ignored, so `purge=True` also purges."""
    value = (_first(query, name) or "false").lower()
    if value not in {"true", "false"} or query.get(name) == "":
        raise invalid_parameter(name)
    return value == "true"


def integer(query: QueryParams, name: str, default: int, least: int) -> int:
    value = _first(query, name)
    if value is None:
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", value, re.ASCII) or not least <= int(value) <= _INT32_MAX:
        raise invalid_parameter(name)
    return int(value)


def date(query: QueryParams, name: str) -> int | None:
    value = _first(query, name)
    if value is None:
        return None
    try:
        return parse_date(value)
    except (ValueError, OverflowError):
        raise invalid_parameter(name) from None


def identifiers(query: QueryParams, name: str) -> list[int]:
    """Return every non-empty value as an id.

    It is not documented whether an empty value counts. Here it does not, which is the worse case for a delete:
    `conversationId=` then means every conversation.
    """
    values = [value for value in query.getlist(name) if value]
    if any(not _DIGITS.fullmatch(value) or int(value) > _INT64_MAX for value in values):
        raise invalid_parameter(name)
    return [int(value) for value in values]


def _first(query: QueryParams, name: str) -> str | None:
    values = query.getlist(name)
    return values[0] if values else None
