"""API requests as values: method, path, query and body, without a host or a token; and the checks of their arguments.

A `DELETE` without 1 to 50 ids in its path or query cannot be created. Without ids, or through `*` when a proxy drops
the body, RingCentral would delete everything.

Types are checked again at run time, because a string instead of a list, a true `"false"` or an invalid id could make a
request affect more than intended. Each check raises `InvalidRequest` with the argument's name, and returns the value in
the form that the API expects.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Literal, cast, get_args, get_type_hints

from pydantic.alias_generators import to_camel

from rc_mcp.ringcentral.errors import InvalidRequest
from rc_mcp.ringcentral.limits import LIMITS

JSON = "application/json"
MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"

Pairs = Sequence[tuple[str, str]]
Checked = str | int | bool | Sequence[str]

_ID = re.compile(r"[0-9]{1,20}")
_INT32_MAX = 2**31 - 1
_LIST_OF_IDS = re.compile(rf"[0-9]{{1,20}}(,[0-9]{{1,20}}){{0,{LIMITS.ids_per_path - 1}}}")


@dataclass(frozen=True)
class Call:
    """An API request without host and token.

    Attributes:
        media: it goes to the media entry point.
        ids: the messages or conversations that the answer has an outcome for.
    """

    method: Literal["GET", "PUT", "PATCH", "DELETE"]
    path: str
    query: Pairs = ()
    headers: Pairs = (("Accept", JSON),)
    body: bytes | None = None
    media: bool = False
    ids: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.method == "DELETE" and not _names_its_targets(self.path, self.query):
            raise InvalidRequest("A DELETE must name 1 to 50 ids. Nothing was sent, nothing was deleted.")


def account(account_id: str) -> str:
    """Return the path of an account."""
    return f"/restapi/v1.0/account/{account_or_extension('account_id', account_id)}"


def mailbox(account_id: str, extension_id: str) -> str:
    """Return the path of an extension, which contains its messages."""
    return f"{account(account_id)}/extension/{account_or_extension('extension_id', extension_id)}"


def query(parameters: type, given: Mapping[str, object]) -> Pairs:
    """Return optional arguments as checked query pairs, without those that are None. A list repeats its key.

    Args:
        parameters: the class in `rc_mcp.ringcentral.parameters` that has them.

    Raises:
        TypeError: `parameters` has no such argument.
    """
    checks = _checks(parameters)
    if unknown := given.keys() - checks.keys():
        raise TypeError(f"unexpected arguments: {', '.join(sorted(unknown))}")
    pairs: list[tuple[str, str]] = []
    for name, value in given.items():
        if value is not None:
            checked = checks[name](name, value)
            values = [checked] if isinstance(checked, str | int) else checked
            pairs += [(to_camel(name), _on_the_wire(item)) for item in values]
    return pairs


def read(box: str, ids: Sequence[str]) -> Call:
    """Build a read of up to 50 messages."""
    return Call("GET", f"{box}/message-store/{','.join(ids)}", headers=_accepting(ids), ids=ids)


def delete(box: str, ids: Sequence[str], query: Pairs) -> Call:
    """Build a delete of up to 50 messages."""
    return Call("DELETE", f"{box}/message-store/{','.join(ids)}", query, _accepting(ids), ids=ids)


def delete_conversations(box: str, ids: Sequence[str], query: Pairs) -> Call:
    """Build a delete of up to 50 conversations."""
    named = [("conversationId", id_) for id_ in ids]
    return Call("DELETE", f"{box}/message-store", [*named, *query], _accepting(ids), ids=ids)


def content(
    box: str, message_id: str, attachment_id: str, label: Pairs, byte_range: tuple[int, int | None] | None = None
) -> Call:
    """Build a read of an attachment's bytes, or only of `byte_range` (first and last byte)."""
    message, attachment = identifier("message_id", message_id), identifier("attachment_id", attachment_id)
    path = f"{box}/message-store/{message}/content/{attachment}"
    # Not encoded: sizes and ranges count the bytes as they are sent.
    headers = [("Accept", "*/*"), ("Accept-Encoding", "identity")]
    if byte_range:
        headers.append(("Range", _range(byte_range)))
    return Call("GET", path, label, headers, media=True)


def rest_of_content(whole_content: Call, first: int, etag: str | None) -> Call:
    """Build a read of the bytes from `first` on. If the content no longer has this ETag, the answer has all bytes.

    An ETag is sent only with a range (RFC 9110, 13.1.5).
    """
    if not first:
        return whole_content
    unchanged = [("If-Range", etag)] if etag else []
    return replace(whole_content, headers=[*whole_content.headers, ("Range", f"bytes={first}-"), *unchanged])


def change(method: Literal["PUT", "PATCH"], box: str, ids: Sequence[str], body: dict[str, str]) -> Call:
    """Build an update of up to 1,000 messages with the same `body`.

    One id takes the plain form. Up to 50 ids go into the path and are matched by position. More are sent to `*`, each
    with its `resourceId` (RingCentral's guide, "Bulk requests").
    """
    if len(ids) == 1:
        return _with_body(method, f"{box}/message-store/{ids[0]}", JSON, body, ids)
    if len(ids) <= LIMITS.ids_per_path:
        path, parts = ",".join(ids), [{"body": body} for _ in ids]
    else:
        path, parts = "*", [{"resourceId": id_, "body": body} for id_ in ids]
    return _with_body(method, f"{box}/message-store/{path}", MULTIPART_JSON, parts, ids)


def configure(account_path: str, retention_days: int) -> Call:
    """Build an update of the retention period."""
    return _with_body("PUT", f"{account_path}/message-store-configuration", JSON, {"retentionPeriod": retention_days})


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


@cache
def _checks(parameters: type) -> dict[str, Callable[[str, object], Checked]]:
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(parameters, include_extras=True).items()}


def _names_its_targets(path: str, query: Pairs) -> bool:
    _, _, in_path = path.partition("/message-store")
    in_query = ",".join(value for key, value in query if key == "conversationId")
    return _LIST_OF_IDS.fullmatch(in_path.removeprefix("/") if in_path else in_query) is not None


def _range(byte_range: tuple[int, int | None]) -> str:
    if type(byte_range) is not tuple or len(byte_range) != 2:
        raise InvalidRequest("byte_range: expected the first and the last byte. Nothing was sent.")
    first = whole("byte_range", byte_range[0], 0)
    last = "" if byte_range[1] is None else whole("byte_range", byte_range[1], first)
    return f"bytes={first}-{last}"


def _accepting(ids: Sequence[str]) -> Pairs:
    return [("Accept", JSON if len(ids) == 1 else MULTIPART_JSON)]


def _with_body(
    method: Literal["PUT", "PATCH"], path: str, media_type: str, body: object, ids: Sequence[str] = ()
) -> Call:
    headers = [("Accept", media_type), ("Content-Type", media_type)]
    return Call(method, path, headers=headers, body=json.dumps(body).encode(), ids=ids)


def _on_the_wire(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
