"""readMessageContent: the bytes of one attachment, or a range of them."""

import re
from urllib.parse import quote

from starlette.responses import Response

from rc_mcp.emulator.errors import Json, fax_in_progress, not_found, range_not_satisfiable
from rc_mcp.emulator.mailbox.lifecycle import is_rendering, require_content
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.messages import find_message
from rc_mcp.emulator.operations.operation import Call

_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})", re.ASCII)


def read_content(call: Call) -> Response:
    message = require_content(find_message(call, call.path["message"]))
    if is_rendering(message, call.store.now_ms()):
        raise fax_in_progress()
    attachment = _attachment(message.details["attachments"], call.path["attachment"])
    headers = {"Accept-Ranges": "bytes", "Content-Disposition": _disposition(call, attachment)}
    data, media_type = call.store.bytes_of(message, attachment), attachment["contentType"]
    span = _span(call.headers.get("range"), len(data))
    if span is None:
        return Response(data, 200, headers, media_type)
    headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{len(data)}"
    return Response(data[span.start : span.stop], 206, headers, media_type)


def _attachment(attachments: list[Json], attachment_id: str) -> Json:
    for attachment in attachments:
        if str(attachment["id"]) == attachment_id:
            return attachment
    raise not_found("attachmentId")


def _span(header: str | None, size: int) -> range | None:
    """Return the requested range, or None for the whole content.

    Several ranges, or a unit other than bytes, get the whole content, as HTTP allows. Any other range that selects no
    byte gets 416.
    """
    if header is None or not header.startswith("bytes=") or "," in header:
        return None
    match = _RANGE.fullmatch(header)
    if match is None or not (match["first"] or match["last"]):
        raise range_not_satisfiable(size)
    first, last = match["first"], match["last"]
    if first:
        span = range(int(first), min(int(last) + 1, size) if last else size)
    else:
        span = range(max(size - int(last), 0), size)
    if not span or span.start >= size:
        raise range_not_satisfiable(size)
    return span


def _disposition(call: Call, attachment: Json) -> str:
    # Inline is the default of an older edition of the specification; the current one names no default.
    asked = query.member(call.query, "contentDisposition", ("Inline", "Attachment")) or "Inline"
    name = call.query.get("contentDispositionFilename") or attachment.get("fileName")
    return asked.lower() + (_file_name(name) if name else "")


def _file_name(name: str) -> str:
    """Return an ASCII name and the encoded real name (RFC 6266). Neither can end the header or add another."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in name)
    encoded = quote(name.encode(errors="replace"), safe="")
    return f"; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
