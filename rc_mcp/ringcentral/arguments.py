"""Checks every argument before a URL is built, and gives it back in the form the API takes.

What the types promise is checked again at run time: a string where a list was meant, a `"false"` that counts as true,
or an id that is no id is how a request comes to mean more than its author wanted. Each check raises `InvalidRequest`
with the argument's name.
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
    """One id: 1 to 20 ASCII digits in a plain string."""
    if type(value) is not str or not _ID.fullmatch(value):
        raise InvalidRequest(f"{name}: an id is a string of 1 to 20 digits. Nothing was sent.")
    return value


def identifiers(name: str, value: object) -> tuple[str, ...]:
    """A list of at least one id, each number once, in order of first mention.

    `"7"` and `"007"` are the same message to RingCentral, and deleting one message twice purges it.
    """
    distinct: dict[int, str] = {}
    for item in _items(name, value):
        distinct.setdefault(int(identifier(name, item)), cast("str", item))
    return tuple(distinct.values())


def id_or_ids(name: str, value: object) -> tuple[str, ...]:
    """One id, or a list of them."""
    return (identifier(name, value),) if isinstance(value, str) else identifiers(name, value)


def account_or_extension(name: str, value: object) -> str:
    """`~` for one's own, or an id."""
    return "~" if value == "~" else identifier(name, value)


def one_of(name: str, value: object, literal: object) -> str:
    """One of the words of a `Literal`."""
    allowed = get_args(literal)
    if type(value) is not str or value not in allowed:
        raise InvalidRequest(f"{name}: one of {', '.join(allowed)} is expected. Nothing was sent.")
    return value


def some_of(name: str, value: object, literal: object) -> list[str]:
    """Words of a `Literal`, each once. An empty list is refused: the API would read it as no filter at all."""
    return list(dict.fromkeys(one_of(name, item, literal) for item in _few(name, value)))


def text(name: str, value: object, max_chars: int = LIMITS.text_chars) -> str:
    """A printable, non-empty string."""
    if type(value) is not str or not value.strip() or not value.isprintable() or len(value) > max_chars:
        raise InvalidRequest(f"{name}: 1 to {max_chars} printable characters are expected. Nothing was sent.")
    return value


def texts(name: str, value: object) -> list[str]:
    """A list of 1 to 50 texts."""
    return [text(name, item) for item in _few(name, value)]


def text_or_texts(name: str, value: object) -> list[str]:
    """One text, or a list of them."""
    return [text(name, value)] if isinstance(value, str) else texts(name, value)


def whole(name: str, value: object, least: int, most: int = _INT32_MAX) -> int:
    """An integer from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        raise InvalidRequest(f"{name}: a whole number from {least:,} to {most:,} is expected. Nothing was sent.")
    return value


def flag(name: str, value: object) -> bool:
    """True or False, and nothing that merely counts as one."""
    if type(value) is not bool:
        raise InvalidRequest(f"{name}: true or false is expected. Nothing was sent.")
    return value


def instant(name: str, value: object) -> str:
    """A moment in UTC with milliseconds, cut and not rounded, so that a `date_to` never moves forward."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidRequest(f"{name}: a datetime with a time zone is expected. Nothing was sent.")
    try:
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        raise InvalidRequest(f"{name}: {value.year} is out of range. Nothing was sent.") from None


def only_alive(name: str, value: object) -> Literal["Alive"]:
    """The one availability a PATCH may carry. The API's schema has Deleted and Purged too, and does not say why."""
    if value != "Alive":
        raise InvalidRequest(f"{name}: only Alive can be set, which restores a deleted message. Nothing was sent.")
    return "Alive"


def _few(name: str, value: object) -> Sequence[object]:
    """The items of a filter, of which an address has to have room for all."""
    items = _items(name, value)
    if len(items) > LIMITS.filter_values:
        raise InvalidRequest(f"{name}: at most {LIMITS.filter_values} values are expected. Nothing was sent.")
    return items


def _items(name: str, value: object) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview) or not value:
        raise InvalidRequest(f"{name}: a list of at least one value is expected. Nothing was sent.")
    return tuple(cast("Sequence[object]", value))
