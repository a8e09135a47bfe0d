"""readMessage, updateMessage, patchMessage, deleteMessage: messages named by id, one or many at a time."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pydantic import JsonValue
from starlette.responses import Response

from rc_mcp.emulator import query
from rc_mcp.emulator.bulk import (
    BODY_LIMIT,
    MULTIPART_JSON,
    Outcome,
    attempt,
    multi_status,
    path_ids,
    requested_bodies,
)
from rc_mcp.emulator.call import Call, JsonObject, content_type, json_response, read_json
from rc_mcp.emulator.conversations import delete_everything
from rc_mcp.emulator.errors import (
    Json,
    invalid_parameter,
    not_found,
    too_many_entries,
    unreadable_request,
    unsupported_media_type,
)
from rc_mcp.emulator.lifecycle import delete, require_content
from rc_mcp.emulator.store import looks_like_id
from rc_mcp.emulator.vocabulary import AVAILABILITIES, DELETABLE, READ_STATUSES, Availability, ReadStatus
from rc_mcp.emulator.wire import Message, full_record

_Word = TypeVar("_Word")


def read_message(call: Call) -> Response:
    """Deleted and purged messages are shown too: otherwise nobody could see that they are."""

    def read(resource_id: str) -> Json:
        return full_record(find_message(call, resource_id), call.addresses)

    resource_ids = path_ids(call)
    if len(resource_ids) > 1:
        return multi_status(call, [attempt(named, partial(read, named)) for named in resource_ids])
    record = read(_only(resource_ids))
    if record["type"] == "VoiceMail":
        # Only here, not in bulk. The specification asks for it whatever the type and for at least one entry, so
        # that everyone the voicemail went to is named, not only the others.
        record["vmSideRecipients"] = record["to"]
    return json_response(record)


def update_message(call: Call) -> Response:
    return _change(call, _updated)


def patch_message(call: Call) -> Response:
    return _change(call, _patched)


def delete_message(call: Call) -> Response:
    """204 if every message named is now deleted, 207 if one is not. With no ids at all, everything goes."""
    purge = query.boolean(call.query, "purge")
    types = DELETABLE[query.member(call.query, "type", DELETABLE) or "All"]
    resource_ids = path_ids(call)
    if resource_ids == ["*"]:
        resource_ids = _ids_in_body(call)
    if not resource_ids:
        return delete_everything(call)

    def remove(resource_id: str) -> None:
        message = find_message(call, resource_id)
        # A message of another type is left alone. Nothing says it is an error, so nothing tells the client.
        if message.type in types:
            delete(call.store, message, purge=purge)

    if len(resource_ids) == 1 and call.path["message"] != "*":
        remove(resource_ids[0])
        return Response(status_code=204)
    # One after the other: an id named twice is deleted twice, and that purges.
    outcomes = [attempt(named, partial(remove, named)) for named in resource_ids]
    return multi_status(call, outcomes) if _any_failed(outcomes) else Response(status_code=204)


def find_message(call: Call, resource_id: str) -> Message:
    message = call.store.find(int(resource_id)) if looks_like_id(resource_id) else None
    if message is None:
        raise not_found("messageId")
    return message


def _change(call: Call, change: Callable[[Call, Message, JsonObject], Message]) -> Response:
    def act(resource_id: str, body: JsonValue) -> Json:
        message = require_content(find_message(call, resource_id))
        if not isinstance(body, dict):
            raise unreadable_request()
        return full_record(change(call, message, body), call.addresses)

    resource_ids = path_ids(call)
    if len(resource_ids) == 1 and resource_ids != ["*"]:
        return json_response(act(resource_ids[0], _single_body(call, resource_ids)))
    if not resource_ids:
        raise invalid_parameter("messageId")
    bodies = requested_bodies(call, resource_ids)
    return multi_status(call, [attempt(named, partial(act, named, body)) for named, body in bodies])


def _updated(call: Call, message: Message, body: JsonObject) -> Message:
    return call.store.mark(message, _member(body, "readStatus", READ_STATUSES))


def _patched(call: Call, message: Message, body: JsonObject) -> Message:
    """Restores, marks, or both.

    Only `Alive` has a documented use. The schema allows the other two, so they are obeyed: the reading in
    which a client that sends them by mistake loses something.
    """
    if "readStatus" not in body and "availability" not in body:
        raise invalid_parameter("readStatus")
    availability: Availability = _member(body, "availability", AVAILABILITIES, message.availability)
    read_status: ReadStatus = _member(body, "readStatus", READ_STATUSES, message.read_status)
    if availability != message.availability:
        message = call.store.move(message, availability)
    return call.store.mark(message, read_status) if "readStatus" in body else message


def _member(body: JsonObject, name: str, allowed: tuple[_Word, ...], default: _Word | None = None) -> _Word:
    """A word of the body. The default is for one left out; one that is there must be right."""
    if name not in body and default is not None:
        return default
    for word in allowed:
        if body.get(name) == word:
            return word
    raise invalid_parameter(name)


def _single_body(call: Call, resource_ids: list[str]) -> JsonValue:
    if content_type(call) == "application/json":
        return read_json(call.body)
    return requested_bodies(call, resource_ids)[0][1]


def _ids_in_body(call: Call) -> list[str]:
    """The ids a `*` stands for. A body that is left out or empty names none, which is no protection."""
    if not call.body.strip():
        return []
    if content_type(call) not in {"application/json", MULTIPART_JSON}:
        raise unsupported_media_type()
    named = read_json(call.body)
    if named is None:
        return []
    if not isinstance(named, list):
        raise unreadable_request()
    return _strings(named)


def _strings(named: list[JsonValue]) -> list[str]:
    # The limit of a delete's body is not documented; the one for updates is taken.
    if len(named) > BODY_LIMIT:
        raise too_many_entries(BODY_LIMIT)
    return [str(value) for value in named]


def _only(resource_ids: list[str]) -> str:
    if not resource_ids:
        raise invalid_parameter("messageId")
    return resource_ids[0]


def _any_failed(outcomes: list[Outcome]) -> bool:
    return any(outcome.status >= 400 for outcome in outcomes)
