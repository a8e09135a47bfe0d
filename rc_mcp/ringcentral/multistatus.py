"""Reads a 207: one answer that contains an answer for each of several ids.

It has two forms, both in RingCentral's guide ("Bulk requests"). One is a JSON array of `{resourceId, status, body}`,
which the client requests. Some paths always send `multipart/mixed` instead: a part with every status, then a part per
id.
"""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import cast

from rc_mcp.ringcentral.errors import UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.responses import fields_of, parsed

_ID_AT_THE_END = re.compile(r"/([0-9]{1,20})/?$")


@dataclass(frozen=True)
class Part:
    """The answer for one id. Without `resource_id` only the position identifies it."""

    resource_id: str | None
    status: int
    body: object = None


def parts(content_type: str, body: bytes) -> list[Part | None] | None:
    """Return all parts in order, with None for an unreadable part. Return None for an answer without parts.

    Raises:
        UnexpectedAnswer: a `multipart/mixed` answer is larger than `LIMITS.multipart_bytes`.
    """
    if content_type.lower().startswith("multipart/"):
        if len(body) > LIMITS.multipart_bytes:
            raise UnexpectedAnswer(f"RingCentral's answer in parts is too large: {len(body):,} bytes")
        return _from_mixed(content_type, body)
    entries = parsed(body)
    if not isinstance(entries, list):
        return None
    return [_from_entry(entry) for entry in cast("list[object]", entries)]


def _from_entry(entry: object) -> Part | None:
    fields = fields_of(entry)
    resource, status = fields.get("resourceId"), _status(fields.get("status"))
    named = str(resource) if resource and isinstance(resource, str | int) else None
    return Part(named, status, fields.get("body")) if status else None


def _from_mixed(content_type: str, body: bytes) -> list[Part | None] | None:
    payloads = _payloads(b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + body)
    bodies = [parsed(payload) for payload in payloads]
    listed = fields_of(bodies[0]).get("response") if bodies else None
    if not isinstance(listed, list):
        return None
    statuses = cast("list[object]", listed)
    # Only the position matches a body to a status, so with one too many or too few none can be trusted.
    own = bodies[1:] if len(bodies) == len(statuses) + 1 else [None] * len(statuses)
    return [_from_listed(entry, part_body) for entry, part_body in zip(statuses, own, strict=True)]


def _from_listed(entry: object, body: object) -> Part | None:
    fields = fields_of(entry)
    href, status = fields.get("href"), _status(fields.get("status"))
    named = _ID_AT_THE_END.search(href.partition("?")[0]) if isinstance(href, str) else None
    return Part(named and named[1], status, body) if status else None


def _payloads(mime: bytes) -> list[bytes]:
    try:
        pieces: object = message_from_bytes(mime).get_payload()
        found = cast("list[Message]", pieces) if isinstance(pieces, list) else []
        decoded: list[object] = [piece.get_payload(decode=True) for piece in found]
    except Exception:  # noqa: BLE001  a header can make the email package raise anything
        return []
    return [payload if isinstance(payload, bytes) else b"" for payload in decoded]


def _status(value: object) -> int | None:
    number = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{3}", value) else value
    return number if type(number) is int and 100 <= number <= 599 else None
