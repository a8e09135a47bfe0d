"""Query parameters as RingCentral reads them: repeated keys for many values, unknown names ignored.

Every function takes the whole query and a name, and raises CMN-101 naming the parameter when its value will
not do.
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
    """Every value given under the name. A comma-joined list is one unknown member, as on the real service."""
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
    """False when left out. `True` counts as well as `true`: a purge spelt Python's way still purges."""
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
    """Every non-empty value as an id.

    Whether an empty value counts as given is not documented. It does not here, because for a delete that is
    the reading that hurts: `conversationId=` asks for every conversation.
    """
    return [identifier(value, name) for value in query.getlist(name) if value]


def identifier(text: str, name: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > _INT64_MAX:
        raise invalid_parameter(name)
    return int(text)


def _first(query: QueryParams, name: str) -> str | None:
    values = query.getlist(name)
    return values[0] if values else None
