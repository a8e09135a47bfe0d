"""syncMessages: a full reading of a frame of the mailbox (FSync), then only what has changed in it (ISync).

The two differ in what they show. FSync hides deleted and purged messages; ISync reports them, by id and
availability.
"""

from dataclasses import replace
from urllib.parse import urlencode

from starlette.responses import Response

from rc_mcp.emulator import query
from rc_mcp.emulator.call import Call, json_response
from rc_mcp.emulator.dates import SECOND_MS, to_wire, whole_seconds
from rc_mcp.emulator.errors import Json, invalid_parameter
from rc_mcp.emulator.filters import Window, given, mailbox_filter, window
from rc_mcp.emulator.selection import Selection
from rc_mcp.emulator.sync_token import Frame, seal, unseal, widened
from rc_mcp.emulator.vocabulary import SYNC_TYPES
from rc_mcp.emulator.wire import Message, full_record, removal

# The server looks this far behind the last sync, so that nothing falls between two; a client sees some
# changes twice.
_OVERLAP_MS = 5 * SECOND_MS
# No maximum is documented. The one of lists is taken, so that a client which expects everything at once is
# found out.
_RECORDS_MAX = 1000


def sync_messages(call: Call) -> Response:
    # Optional in the specification, mandatory in the guide; the stricter one.
    if query.member(call.query, "syncType", SYNC_TYPES) is None:
        raise invalid_parameter("syncType")
    limit = min(query.integer(call.query, "recordCount", default=_RECORDS_MAX, least=1), _RECORDS_MAX)
    if call.query["syncType"] == "FSync":
        return _full(call, limit)
    return _incremental(call, limit)


def _full(call: Call, limit: int) -> Response:
    now_ms = call.store.now_ms()
    distinct = query.boolean(call.query, "distinctConversations")
    frame = Frame(now_ms, window(call, now_ms), mailbox_filter(call), distinct)
    messages = _alive(call, frame, frame.window, limit, _per_conversation(call))
    records = [full_record(message, call.addresses) for message in messages[:limit]]
    return _answer(call, frame, records, older=len(messages) > limit)


def _incremental(call: Call, limit: int) -> Response:
    """All changes since the token, and what an enlarged frame newly takes in.

    `recordCount` bounds only the latter. Whether it cuts changes short is not documented; the guide warns
    that more may come than was asked, and a removal cut off here could never be learnt again.
    """
    now_ms = call.store.now_ms()
    known = unseal(call.query.get("syncToken", ""), _mailbox(call), now_ms)
    frame = widened(known, query.date(call.query, "dateFrom"), query.date(call.query, "dateTo"))
    changed = _changed(call, frame)
    added = [message for part in _outside(frame.window, known.window) for message in _alive(call, frame, part, limit)]
    records = [_shown(call, message) for message in _merged(changed, added[:limit])]
    return _answer(call, replace(frame, synced_ms=now_ms), records, older=len(added) > limit)


def _answer(call: Call, frame: Frame, records: list[Json], *, older: bool) -> Response:
    sync_type = call.query["syncType"]
    info: Json = {
        "syncType": sync_type,
        "syncToken": seal(frame, _mailbox(call)),
        "syncTime": to_wire(whole_seconds(frame.synced_ms)),
        "olderRecordsExist": older,
    }
    return json_response({"uri": _uri(call, frame.window), "records": records, "syncInfo": info})


def _per_conversation(call: Call) -> int | None:
    """The newest so many of each conversation: not specified any more, yet still sent by RingCentral's own client.

    Messages without a conversation are not counted: that client gives a number and expects voicemails and faxes all
    the same. Like the record count, it is not in the token, and an incremental sync takes no notice of it.
    """
    if "recordCountPerConversation" not in call.query:
        return None
    return query.integer(call.query, "recordCountPerConversation", default=1, least=1)


def _alive(call: Call, frame: Frame, part: Window, limit: int, per_conversation: int | None = None) -> list[Message]:
    """Up to one more than the limit, which tells whether there is more."""
    selection = replace(_within(frame.selection, part), availabilities=("Alive",))
    return call.store.select(
        selection,
        limit=limit + 1,
        distinct_conversations=frame.distinct_conversations,
        per_conversation=per_conversation,
    )


def _changed(call: Call, frame: Frame) -> list[Message]:
    selection = replace(_within(frame.selection, frame.window), modified_from_ms=frame.synced_ms - _OVERLAP_MS)
    # Only changes are narrowed to one a conversation. A removal is always told: it cannot be learnt any other
    # way.
    alive = replace(selection, availabilities=("Alive",))
    removed = replace(selection, availabilities=("Deleted", "Purged"))
    changed = call.store.select(alive, distinct_conversations=frame.distinct_conversations)
    return changed + call.store.select(removed)


def _within(selection: Selection, part: Window) -> Selection:
    return replace(selection, created_from_ms=part.from_ms, created_to_ms=part.to_ms)


def _outside(frame: Window, known: Window) -> list[Window]:
    """The parts of a frame that lie before and after the one already known."""
    parts: list[Window] = []
    if frame.from_ms < known.from_ms:
        parts.append(Window(frame.from_ms, known.from_ms - 1))
    if known.to_ms is not None and (frame.to_ms is None or frame.to_ms > known.to_ms):
        parts.append(Window(known.to_ms + 1, frame.to_ms))
    return parts


def _merged(changed: list[Message], added: list[Message]) -> list[Message]:
    unique = {message.id: message for message in [*changed, *added]}
    return sorted(unique.values(), key=lambda message: (message.created_ms, message.id), reverse=True)


def _shown(call: Call, message: Message) -> Json:
    return full_record(message, call.addresses) if message.availability == "Alive" else removal(message)


def _mailbox(call: Call) -> int:
    """Tells this mailbox from any other, an earlier one under the same name included."""
    return int(call.addresses.extension_id) ^ call.store.setting("epoch", 0)


def _uri(call: Call, frame: Window) -> str:
    names = ("messageType", "direction", "conversationId", "distinctConversations", "recordCount")
    names += ("recordCountPerConversation", "owner")
    pairs = given(call.query, *names, "syncType", "syncToken")
    pairs.append(("dateFrom", to_wire(frame.from_ms)))
    if frame.to_ms is not None:
        pairs.append(("dateTo", to_wire(frame.to_ms)))
    return f"{call.addresses.mailbox(call.addresses.server_url)}/message-sync?{urlencode(pairs, safe=':')}"
