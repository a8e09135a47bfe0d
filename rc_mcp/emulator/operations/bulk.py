"""Bulk requests: one request names many messages, and one 207 answer reports the outcome of each."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus

from pydantic import JsonValue
from starlette.responses import Response

from rc_mcp.emulator.errors import (
    ApiError,
    Json,
    invalid_parameter,
    path_mismatch,
    too_many_entries,
    unreadable_request,
    unsupported_media_type,
)
from rc_mcp.emulator.mailbox.records import message_uri
from rc_mcp.emulator.operations.operation import Call, JsonObject, content_type, json_response, read_json

PATH_LIMIT = 50
BODY_LIMIT = 1000
MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"


@dataclass(frozen=True)
class Outcome:
    """The outcome for one message: the status and body of a single request for it."""

    resource_id: str
    status: int
    body: Json | None


def attempt(resource_id: str, act: Callable[[], Json | None]) -> Outcome:
    """Carry out one part. Its failure does not affect the other parts."""
    try:
        body = act()
    except ApiError as error:
        return Outcome(resource_id, error.status, error.body)
    return Outcome(resource_id, 204 if body is None else 200, body)


def path_ids(call: Call) -> list[str]:
    """Return the ids in the path without empty ones, so a path can have a place for ids but name none."""
    found = [item for item in call.path["message"].split(",") if item]
    if len(found) > PATH_LIMIT:
        raise too_many_entries(PATH_LIMIT)
    return found


def requested_bodies(call: Call, resource_ids: list[str]) -> list[tuple[str, JsonValue]]:
    """Pair ids with bodies: by position if the path names the ids, by `resourceId` if it has a `*`."""
    entries = _entries(call)
    if resource_ids == ["*"]:
        return [(_resource_id(entry), entry.get("body")) for entry in entries]
    if len(entries) != len(resource_ids):
        raise unreadable_request()
    pairs = list(zip(resource_ids, entries, strict=True))
    if any(str(entry.get("resourceId", named)) != named for named, entry in pairs):
        raise path_mismatch("resourceId")
    return [(named, entry.get("body")) for named, entry in pairs]


def multi_status(call: Call, outcomes: list[Outcome]) -> Response:
    """Return a 207 in the form that the client accepts. As in the guide, `application/json` means multipart/mixed."""
    if MULTIPART_JSON in call.headers.get("accept", ""):
        return json_response([_json_part(outcome) for outcome in outcomes], 207, MULTIPART_JSON)
    return _multipart_mixed(call, outcomes)


def _entries(call: Call) -> list[JsonObject]:
    match content_type(call.headers):
        case "application/vnd.ringcentral.multipart+json":
            entries: JsonValue = read_json(call.body)
        case "multipart/mixed":
            entries = [{"body": body} for body in _mixed_bodies(call)]
        case "application/json":
            # One JSON object for several messages is not documented, so it is refused.
            raise unreadable_request()
        case _:
            raise unsupported_media_type()
    if not isinstance(entries, list) or not entries:
        raise unreadable_request()
    if len(entries) > BODY_LIMIT:
        raise too_many_entries(BODY_LIMIT)
    objects = [entry for entry in entries if isinstance(entry, dict)]
    if len(objects) < len(entries):
        raise unreadable_request()
    return objects


def _mixed_bodies(call: Call) -> list[JsonValue]:
    header = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    parsed = BytesParser().parsebytes(header + call.body)
    if not parsed.is_multipart():
        raise unreadable_request()
    # walk() yields the whole message first; it is multipart, so the filter drops it.
    return [read_json(_payload(part)) for part in parsed.walk() if not part.is_multipart()]


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _resource_id(entry: JsonObject) -> str:
    value = entry.get("resourceId")
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise invalid_parameter("resourceId")
    return str(value)


def _json_part(outcome: Outcome) -> Json:
    part: Json = {"resourceId": outcome.resource_id, "status": outcome.status}
    return part if outcome.body is None else {**part, "body": outcome.body}


def _multipart_mixed(call: Call, outcomes: list[Outcome]) -> Response:
    summary = {"response": [_summary(call, outcome) for outcome in outcomes]}
    # As it was recorded: the address of the first entry leaves out the version of the API.
    summary["response"][0]["href"] = summary["response"][0]["href"].replace("/restapi/v1.0", "", 1)
    parts = [summary, *(outcome.body for outcome in outcomes)]
    boundary = f"Boundary_{secrets.randbelow(99)}_{secrets.randbelow(10**8)}_{call.store.now_ms()}"
    texts = ["" if part is None else json.dumps(part) for part in parts]
    lines = [f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{text}\r\n" for text in texts]
    body = f"{''.join(lines)}--{boundary}--\r\n"
    return Response(body, 207, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _summary(call: Call, outcome: Outcome) -> Json:
    return {
        "href": message_uri(outcome.resource_id, call.store.addresses),
        "status": outcome.status,
        "responseDescription": HTTPStatus(outcome.status).phrase,
    }
