"""Sends requests for many ids in chunks, and turns each answer into one outcome per id.

A 207 contains an answer for each id. It has two forms, both in RingCentral's guide ("Bulk requests"). One is a JSON
array of `{resourceId, status, body}`, which the client requests. Some paths always send `multipart/mixed` instead: a
part with every status, then a part per id.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message as MimePart
from typing import TypeVar, cast

from rc_mcp.ringcentral.calls import Call
from rc_mcp.ringcentral.errors import (
    Forbidden,
    NotSent,
    RateLimited,
    RingCentralError,
    Unauthorized,
    UnexpectedAnswer,
)
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.models import Message
from rc_mcp.ringcentral.outcomes import Outcome
from rc_mcp.ringcentral.transport.connection import Connection
from rc_mcp.ringcentral.transport.responses import CompleteResponse, fields_of, parsed, refusal

T = TypeVar("T")

_NOTHING_HAPPENED = (Unauthorized, Forbidden, RateLimited, NotSent)
_ID_AT_THE_END = re.compile(r"/([0-9]{1,20})/?$")


@dataclass(frozen=True)
class Part:
    """The answer for one id. Without `resource_id` only the position identifies it."""

    resource_id: str | None
    status: int
    body: object = None


def in_chunks(items: Sequence[T], size: int = LIMITS.ids_per_path) -> list[Sequence[T]]:
    """Cut `items` into chunks of `size`: by default as many ids as one request can have in its URL."""
    return [items[start : start + size] for start in range(0, len(items), size)]


async def send_each(connection: Connection, calls: Sequence[Call]) -> list[Outcome]:
    """Send `calls` one after the other, and stop after the first that failed as a whole.

    The next would probably fail too, or the result of this one is unknown. For the same reasons it stops after a part
    that was rate limited or is unknown. The ids of the remaining calls get `NotSent`.

    Raises:
        Unauthorized, Forbidden, RateLimited, NotSent: only from the first call, when no change has been made (a 401 to
            a DELETE does not prove that). From later calls they become outcomes.
    """
    outcomes: list[Outcome] = []
    for call in calls:
        try:
            got = outcomes_of(call, call.ids, await connection.send(call))
        except RingCentralError as error:
            if not outcomes and isinstance(error, _NOTHING_HAPPENED):
                raise
            outcomes += [Outcome.failed(id_, error) for id_ in call.ids]
            break
        outcomes += got
        if any(outcome.unknown or isinstance(outcome.error, RateLimited) for outcome in got):
            break
    if left := [id_ for call in calls for id_ in call.ids][len(outcomes) :]:
        held_back = NotSent(
            "It was not sent because an earlier part of the same request failed or has an unknown result"
        )
        outcomes += [Outcome(id_, error=held_back) for id_ in left]
    return outcomes


def outcomes_of(call: Call, ids: Sequence[str], answer: CompleteResponse) -> list[Outcome]:
    """Return the outcome of each of `ids` from a successful answer.

    Parts are matched by `resourceId`, or by position if no part has one and the ids were in the URL. Parts for other
    ids are ignored. An id without a part, or with parts of different statuses, is unknown, never a success.

    Raises:
        UnexpectedAnswer: the answer has no form that the API documents for `call`, or is too large to parse.
    """
    if answer.status == 204 and call.method == "DELETE":
        return [Outcome(id_, status=204) for id_ in ids]
    listed = _parts(answer.headers.get("content-type", ""), answer.body)
    if listed is None and answer.status == 200 and call.method != "DELETE" and len(ids) == 1:
        listed = [Part(None, 200, parsed(answer.body))]
    if listed is None:
        text = f"RingCentral's {answer.status} to {call.method} {call.path[:120]} does not state what happened"
        raise UnexpectedAnswer(text, status=answer.status)
    in_place = _matched(call, ids, listed)
    return [_outcome(call, id_, part, answer) for id_, part in zip(ids, in_place, strict=True)]


def _matched(call: Call, ids: Sequence[str], listed: Sequence[Part | None]) -> list[Part | None]:
    named: dict[int | None, Part | None] = {}
    for part in listed:
        if part and part.resource_id:
            other = named.setdefault(_number(part.resource_id), part)
            if other is None or other.status != part.status:
                named[_number(part.resource_id)] = None
    if named:
        return [named.get(int(id_)) for id_ in ids]
    in_order = len(listed) == len(ids) and not call.path.endswith("/*")
    return list(listed) if in_order else [None] * len(ids)


def _outcome(call: Call, id_: str, part: Part | None, answer: CompleteResponse) -> Outcome:
    if part is None:
        return Outcome(id_, error=UnexpectedAnswer(f"RingCentral's answer has no clear result for {id_}"))
    if not 200 <= part.status < 300:
        error = refusal(part.status, part.body, answer.headers, method=call.method, path=call.path, in_207=True)
        return Outcome(id_, part.status, error=error)
    message = None if call.method == "DELETE" else Message.read(part.body)
    if call.method != "DELETE" and (message is None or _number(message.id) != int(id_)):
        error = UnexpectedAnswer(f"RingCentral's answer for {id_} does not contain that message", status=part.status)
        return Outcome(id_, part.status, error=error)
    return Outcome(id_, part.status, message)


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,20}", text) else None


def _parts(content_type: str, body: bytes) -> list[Part | None] | None:
    """Return all parts of a 207 in order, with None for an unreadable part. Return None for an answer without parts.

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
        found = cast("list[MimePart]", pieces) if isinstance(pieces, list) else []
        decoded: list[object] = [piece.get_payload(decode=True) for piece in found]
    except Exception:  # noqa: BLE001  a header can make the email package raise anything
        return []
    return [payload if isinstance(payload, bytes) else b"" for payload in decoded]


def _status(value: object) -> int | None:
    number = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{3}", value) else value
    return number if type(number) is int and 100 <= number <= 599 else None
