"""API requests as values: method, path, query and body, without a host or a token.

A `DELETE` without 1 to 50 ids in its path or query cannot be created. Without ids, or through `*` when a proxy drops
the body, RingCentral would delete everything.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic.alias_generators import to_camel

from rc_mcp.ringcentral.errors import InvalidRequest
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.parameters import account_or_extension, whole

JSON = "application/json"
MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"

Pairs = Sequence[tuple[str, str]]
Checked = str | int | bool | Sequence[str]

_LIST_OF_IDS = re.compile(rf"[0-9]{{1,20}}(,[0-9]{{1,20}}){{0,{LIMITS.ids_per_path - 1}}}")


@dataclass(frozen=True)
class Call:
    """An API request without host and token. With `media` it goes to the media entry point."""

    method: Literal["GET", "PUT", "PATCH", "DELETE"]
    path: str
    query: Pairs = ()
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON
    byte_range: str | None = None
    if_range: str | None = None
    media: bool = False

    def __post_init__(self) -> None:
        if self.method == "DELETE" and not _names_its_targets(self.path, self.query):
            raise InvalidRequest("A DELETE must name 1 to 50 ids. Nothing was sent, nothing was deleted.")


def account(account_id: str) -> str:
    """Return the path of an account."""
    return f"/restapi/v1.0/account/{account_or_extension('account_id', account_id)}"


def mailbox(account_id: str, extension_id: str) -> str:
    """Return the path of an extension, which contains its messages."""
    return f"{account(account_id)}/extension/{account_or_extension('extension_id', extension_id)}"


def given(name: str, value: object, check: Callable[..., Checked], *limits: object) -> Pairs:
    """Return an optional argument as checked query pairs; none if it is None. A list repeats its key."""
    if value is None:
        return ()
    checked = check(name, value, *limits)
    values = [checked] if isinstance(checked, str | int) else checked
    return [(to_camel(name), _on_the_wire(item)) for item in values]


def read(box: str, ids: Sequence[str]) -> Call:
    """Build a read of up to 50 messages."""
    return Call("GET", f"{box}/message-store/{','.join(ids)}", accept=_accept(ids))


def delete(box: str, ids: Sequence[str], query: Pairs) -> Call:
    """Build a delete of up to 50 messages."""
    return Call("DELETE", f"{box}/message-store/{','.join(ids)}", query, accept=_accept(ids))


def delete_conversations(box: str, ids: Sequence[str], query: Pairs) -> Call:
    """Build a delete of up to 50 conversations."""
    named = [("conversationId", id_) for id_ in ids]
    return Call("DELETE", f"{box}/message-store", [*named, *query], accept=_accept(ids))


def content(
    box: str,
    message_id: str,
    attachment_id: str,
    query: Pairs,
    byte_range: tuple[int, int | None] | None,
    if_range: str | None = None,
) -> Call:
    """Build a read of an attachment's bytes, or only of `byte_range` (first and last byte).

    If the content no longer has the ETag `if_range`, the answer has all bytes. `if_range` is sent only with a range
    (RFC 9110, 13.1.5).
    """
    path = f"{box}/message-store/{message_id}/content/{attachment_id}"
    asked = byte_range and _range(byte_range)
    return Call("GET", path, query, accept="*/*", byte_range=asked, if_range=asked and if_range, media=True)


def change(method: Literal["PUT", "PATCH"], box: str, ids: Sequence[str], body: dict[str, str]) -> Call:
    """Build an update of up to 1,000 messages with the same `body`.

    One id takes the plain form. Up to 50 ids go into the path and are matched by position. More are sent to `*`, each
    with its `resourceId` (RingCentral's guide, "Bulk requests").
    """
    if len(ids) == 1:
        return Call(method, f"{box}/message-store/{ids[0]}", body=_json(body))
    if len(ids) <= LIMITS.ids_per_path:
        path, parts = ",".join(ids), [{"body": body} for _ in ids]
    else:
        path, parts = "*", [{"resourceId": id_, "body": body} for id_ in ids]
    address = f"{box}/message-store/{path}"
    return Call(method, address, body=_json(parts), content_type=MULTIPART_JSON, accept=MULTIPART_JSON)


def configure(account_path: str, retention_days: int) -> Call:
    """Build an update of the retention period."""
    body = _json({"retentionPeriod": retention_days})
    return Call("PUT", f"{account_path}/message-store-configuration", body=body)


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


def _accept(ids: Sequence[str]) -> str:
    return JSON if len(ids) == 1 else MULTIPART_JSON


def _on_the_wire(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
