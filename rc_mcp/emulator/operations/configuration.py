"""readMessageStoreConfiguration, updateMessageStoreConfiguration: how long faxes and voicemails are kept."""

from starlette.responses import Response

from rc_mcp.emulator.errors import invalid_parameter, unreadable_request, unsupported_media_type
from rc_mcp.emulator.mailbox.lifecycle import RETENTION_DAYS_RANGE, retention_days, set_retention_days
from rc_mcp.emulator.operations.operation import Call, content_type, json_response, read_json


def read_configuration(call: Call) -> Response:
    return json_response({"retentionPeriod": retention_days(call.store)})


def update_configuration(call: Call) -> Response:
    if content_type(call.headers) != "application/json":
        raise unsupported_media_type()
    body = read_json(call.body)
    if not isinstance(body, dict):
        raise unreadable_request()
    days = body.get("retentionPeriod")
    # In Python, True is an int.
    if isinstance(days, bool) or not isinstance(days, int) or days not in RETENTION_DAYS_RANGE:
        raise invalid_parameter("retentionPeriod")
    set_retention_days(call.store, days)
    return read_configuration(call)
