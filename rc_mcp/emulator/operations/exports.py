"""createMessageStoreReport, readMessageStoreReportTask, readMessageStoreReportArchive and
readMessageStoreReportArchiveContent: exports of the messages of the whole account.
"""

from typing import cast

from pydantic import JsonValue
from starlette.responses import Response

from rc_mcp.emulator.dates import DAY_MS, parse_date, to_wire
from rc_mcp.emulator.errors import (
    Json,
    invalid_parameter,
    not_found,
    too_many_exports,
    unreadable_request,
    unsupported_media_type,
)
from rc_mcp.emulator.mailbox.exports import Export
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.operations.operation import Call, JsonObject, content_type, json_response, read_json
from rc_mcp.emulator.vocabulary import MESSAGE_TYPES

_DEFAULT_WINDOW_MS = DAY_MS


def create_export(call: Call) -> Response:
    """Export all messages created in a time frame. All fields of the body are optional."""
    selection = _selection(call)
    if call.exports.is_full():
        raise too_many_exports()
    user = call.store.addresses.extension_id
    return json_response(_task(call, call.exports.create(call.account.account_id, user, selection), "Accepted"), 202)


def read_export(call: Call) -> Response:
    export = _found(call)
    status = "Completed" if call.exports.is_finished(export) else "InProgress"
    return json_response(_task(call, export, status))


def list_archives(call: Call) -> Response:
    export = _finished(call)
    uri = f"{_uri(call, export)}/archive"
    records = [{"size": len(data), "uri": f"{uri}/{number}"} for number, data in enumerate(export.archives)]
    return json_response({"records": records})


def read_archive(call: Call) -> Response:
    archives = {str(number): data for number, data in enumerate(_finished(call).archives)}
    if call.path["archive"] not in archives:
        raise not_found("archiveId")
    return Response(archives[call.path["archive"]], media_type="application/zip")


def _selection(call: Call) -> Selection:
    body = _body(call)
    types = body.get("messageTypes", [])
    if not isinstance(types, list) or any(each not in MESSAGE_TYPES for each in types):
        raise invalid_parameter("messageTypes")
    to_ms = _date(body, "dateTo", call.store.now_ms())
    return Selection(
        types=tuple(cast("list[str]", types)),
        availabilities=("Alive", "Deleted"),
        created_from_ms=_date(body, "dateFrom", to_ms - _DEFAULT_WINDOW_MS),
        created_to_ms=to_ms,
    )


def _body(call: Call) -> JsonObject:
    if not call.body.strip():
        return {}
    if content_type(call.headers) != "application/json":
        raise unsupported_media_type()
    body = read_json(call.body)
    if not isinstance(body, dict):
        raise unreadable_request()
    return body


def _date(body: JsonObject, name: str, otherwise_ms: int) -> int:
    value: JsonValue = body.get(name)
    if value is None:
        return otherwise_ms
    try:
        return parse_date(str(value))
    except (ValueError, OverflowError):
        raise invalid_parameter(name) from None


def _found(call: Call) -> Export:
    if export := call.exports.find(call.path["task"]):
        return export
    raise not_found("taskId")


def _finished(call: Call) -> Export:
    """Return an export that is ready. It is not documented what one that is not has; here it has no archive yet."""
    if call.exports.is_finished(export := _found(call)):
        return export
    raise not_found("taskId")


def _task(call: Call, export: Export, status: str) -> Json:
    asked = export.selection
    task: Json = {
        "uri": _uri(call, export),
        "id": export.id,
        "status": status,
        "accountId": call.account.account_id,
        "extensionId": export.extension_id,
        "startTime": to_wire(export.created_ms),
        "dateFrom": to_wire(asked.created_from_ms or 0),
        "dateTo": to_wire(asked.created_to_ms or 0),
    }
    if status == "Completed":
        task["finishTime"] = to_wire(export.finished_ms)
    if asked.types:
        task["messageTypes"] = list(asked.types)
    return task


def _uri(call: Call, export: Export) -> str:
    account = f"{call.store.addresses.hosts.server_url}/restapi/v1.0/account/{call.account.account_id}"
    return f"{account}/message-store-report/{export.id}"
