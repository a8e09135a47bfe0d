"""Checks every argument before a URL is built, and returns it in the form the API expects.

Types are checked again at run time, because a string instead of a list, a true `"false"` or an invalid id could make a
request affect more than intended. Each check raises `InvalidRequest` with the argument's name.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, cast, get_args

from rc_mcp.ringcentral.errors import InvalidRequest
from rc_mcp.ringcentral.limits import LIMITS

_ID = re.compile(r"[0-9]{1,20}")
_INT32_MAX = 2**31 - 1


def identifier(name: str, value: object) -> str:
    """Check one id: a string of 1 to 20 ASCII digits."""
    if type(value) is not str or not _ID.fullmatch(value):
        raise InvalidRequest(f"{name}: expected an id, a string of 1 to 20 digits. Nothing was sent.")
    return value


def identifiers(name: str, value: object) -> tuple[str, ...]:
    """Check a list of at least one id, and keep the first of each number.

    `"7"` and `"007"` are the same message to RingCentral, and a second delete purges it.
    """
    distinct: dict[int, str] = {}
    for item in _items(name, value):
        distinct.setdefault(int(identifier(name, item)), cast("str", item))
    return tuple(distinct.values())


def id_or_ids(name: str, value: object) -> tuple[str, ...]:
    """Check one id, or a list of ids."""
    return (identifier(name, value),) if isinstance(value, str) else identifiers(name, value)


def account_or_extension(name: str, value: object) -> str:
    """Check an id or `~`, the user's own account or extension."""
    return "~" if value == "~" else identifier(name, value)


def one_of(name: str, value: object, literal: object) -> str:
    """Check one word of a `Literal`."""
    allowed = get_args(literal)
    if type(value) is not str or value not in allowed:
        raise InvalidRequest(f"{name}: expected one of {', '.join(allowed)}. Nothing was sent.")
    return value


def some_of(name: str, value: object, literal: object) -> list[str]:
    """Check words of a `Literal`, each once. The API would take an empty list as no filter, so it is refused."""
    return list(dict.fromkeys(one_of(name, item, literal) for item in _few(name, value)))


def text(name: str, value: object, max_chars: int = LIMITS.text_chars) -> str:
    """Check a printable, non-empty string."""
    if type(value) is not str or not value.strip() or not value.isprintable() or len(value) > max_chars:
        raise InvalidRequest(f"{name}: expected 1 to {max_chars} printable characters. Nothing was sent.")
    return value


def texts(name: str, value: object) -> list[str]:
    """Check a list of 1 to 50 texts."""
    return [text(name, item) for item in _few(name, value)]


def text_or_texts(name: str, value: object) -> list[str]:
    """Check one text, or a list of texts."""
    return [text(name, value)] if isinstance(value, str) else texts(name, value)


def whole(name: str, value: object, least: int, most: int = _INT32_MAX) -> int:
    """Check an integer from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        raise InvalidRequest(f"{name}: expected a whole number from {least:,} to {most:,}. Nothing was sent.")
    return value


def flag(name: str, value: object) -> bool:
    """Check that the value is True or False, not merely truthy or falsy."""
    if type(value) is not bool:
        raise InvalidRequest(f"{name}: expected true or false. Nothing was sent.")
    return value


def to_wire_time(name: str, value: object) -> str:
    """Return a time in UTC, truncated to milliseconds. Rounding could move a `date_to` forward."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidRequest(f"{name}: expected a datetime with a time zone. Nothing was sent.")
    try:
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        raise InvalidRequest(f"{name}: the year {value.year} is out of range. Nothing was sent.") from None


def only_alive(name: str, value: object) -> Literal["Alive"]:
    """Check the only availability that a PATCH may set. The API's schema lists Deleted and Purged without a reason."""
    if value != "Alive":
        raise InvalidRequest(f"{name}: only Alive can be set, which restores a deleted message. Nothing was sent.")
    return "Alive"


def _few(name: str, value: object) -> Sequence[object]:
    """Return the items of a filter. All must fit in one URL."""
    items = _items(name, value)
    if len(items) > LIMITS.filter_values:
        raise InvalidRequest(f"{name}: expected at most {LIMITS.filter_values} values. Nothing was sent.")
    return items


def _items(name: str, value: object) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview) or not value:
        raise InvalidRequest(f"{name}: expected a list of at least one value. Nothing was sent.")
    return tuple(cast("Sequence[object]", value))
