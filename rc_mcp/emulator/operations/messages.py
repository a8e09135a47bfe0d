"""readMessage, updateMessage, patchMessage, deleteMessage: one or more messages by id."""

from functools import partial
from typing import TypeVar

from pydantic import JsonValue
from starlette.responses import Response

from rc_mcp.emulator.errors import (
    Json,
    invalid_parameter,
    not_found,
    too_many_entries,
    unreadable_request,
    unsupported_media_type,
)
from rc_mcp.emulator.mailbox.lifecycle import delete, require_content
from rc_mcp.emulator.mailbox.records import MessageRecord, full_record, record_json
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.bulk import (
    BODY_LIMIT,
    MULTIPART_JSON,
    attempt,
    multi_status,
    path_ids,
    requested_bodies,
)
from rc_mcp.emulator.operations.conversations import delete_conversations
from rc_mcp.emulator.operations.operation import (
    Call,
    JsonObject,
    content_type,
    json_response,
    read_json,
    record_response,
)
from rc_mcp.emulator.vocabulary import AVAILABILITIES, DELETABLE, READ_STATUSES, Availability, ReadStatus

_Word = TypeVar("_Word")


def read_message(call: Call) -> Response:
    """Read messages, including deleted and purged ones, whose `availability` shows their state."""

    def read(resource_id: str) -> Json:
        return full_record(find_message(call, resource_id), call.store.addresses)

    resource_ids = path_ids(call)
    if len(resource_ids) > 1:
        return multi_status(call, [attempt(named, partial(read, named)) for named in resource_ids])
    if not resource_ids:
        raise invalid_parameter("messageId")
    message = find_message(call, resource_ids[0])
    if message.type != "VoiceMail":
        return record_response(record_json(message, call.store.addresses))
    # Only here, not in bulk. The specification requires it for every type, with at least one entry. So it lists all
    # recipients of the voicemail, not only the other ones.
    return json_response({**full_record(message, call.store.addresses), "vmSideRecipients": message.details["to"]})


def update_message(call: Call) -> Response:
    """Change the read status of messages."""
    return _change(call, may_move=False)


def patch_message(call: Call) -> Response:
    """Restore messages, change their read status, or both.

    Only the availability `Alive` has a documented use, but the schema allows all three. They are all obeyed: the case
    in which a client that sends one by mistake loses messages.
    """
    return _change(call, may_move=True)


def delete_message(call: Call) -> Response:
    """Delete messages; answer 204 if all are deleted, 207 if one is not. Without any id, delete the whole mailbox."""
    purge = query.boolean(call.query, "purge")
    types = DELETABLE[query.member(call.query, "type", DELETABLE) or "All"]
    resource_ids = path_ids(call)
    if resource_ids == ["*"]:
        resource_ids = _ids_in_body(call)
    if not resource_ids:
        return delete_conversations(call, ())

    def remove(resource_id: str) -> None:
        message = find_message(call, resource_id)
        # A message of another type is skipped. It is not documented as an error, so none is reported.
        if message.type in types:
            delete(call.store, message, purge=purge)

    if len(resource_ids) == 1 and call.path["message"] != "*":
        remove(resource_ids[0])
        return Response(status_code=204)
    # In sequence: an id that is given twice is deleted twice, and so purged.
    outcomes = [attempt(named, partial(remove, named)) for named in resource_ids]
    any_failed = any(outcome.status >= 400 for outcome in outcomes)
    return multi_status(call, outcomes) if any_failed else Response(status_code=204)


def find_message(call: Call, resource_id: str) -> MessageRecord:
    message = call.store.find(resource_id)
    if message is None:
        raise not_found("messageId")
    return message


def _change(call: Call, *, may_move: bool) -> Response:
    def act(resource_id: str, body: JsonValue) -> Json:
        message = require_content(find_message(call, resource_id))
        if not isinstance(body, dict):
            raise unreadable_request()
        availability: Availability | None = _member(body, "availability", AVAILABILITIES) if may_move else None
        read_status: ReadStatus | None = _member(body, "readStatus", READ_STATUSES)
        if availability is None and read_status is None:
            raise invalid_parameter("readStatus")
        if availability is not None and availability != message.availability:
            message = call.store.move(message, availability)
        if read_status is not None:
            message = call.store.mark(message, read_status)
        return full_record(message, call.store.addresses)

    resource_ids = path_ids(call)
    if len(resource_ids) == 1 and resource_ids != ["*"]:
        return json_response(act(resource_ids[0], _single_body(call, resource_ids)))
    if not resource_ids:
        raise invalid_parameter("messageId")
    bodies = requested_bodies(call, resource_ids)
    return multi_status(call, [attempt(named, partial(act, named, body)) for named, body in bodies])


def _member(body: JsonObject, name: str, allowed: tuple[_Word, ...]) -> _Word | None:
    """Return the allowed word in the body; None if the body does not have the name."""
    for word in allowed:
        if body.get(name) == word:
            return word
    if name in body:
        raise invalid_parameter(name)
    return None


def _single_body(call: Call, resource_ids: list[str]) -> JsonValue:
    if content_type(call.headers) == "application/json":
        return read_json(call.body)
    return requested_bodies(call, resource_ids)[0][1]


def _ids_in_body(call: Call) -> list[str]:
    """Return the ids of a request with `*`. An empty or missing body has none, and then everything is deleted."""
    if not call.body.strip():
        return []
    if content_type(call.headers) not in {"application/json", MULTIPART_JSON}:
        raise unsupported_media_type()
    named = read_json(call.body)
    if named is None:
        return []
    if not isinstance(named, list):
        raise unreadable_request()
    # The limit for a delete's body is not documented; this is the one for updates.
    if len(named) > BODY_LIMIT:
        raise too_many_entries(BODY_LIMIT)
    return [str(value) for value in named]
