"""syncMessages: a full sync of a frame of the mailbox (FSync), then only the changes in it (ISync).

FSync hides deleted and purged messages; ISync reports them: by id and availability, or as whole records.
"""

from starlette.responses import Response

from rc_mcp.emulator.dates import SECOND_MS, to_wire
from rc_mcp.emulator.errors import Json, invalid_parameter
from rc_mcp.emulator.mailbox.records import MessageRecord, record_json, removal_json
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.filters import Window, mailbox_filter, uri, window
from rc_mcp.emulator.operations.operation import Call, records_response
from rc_mcp.emulator.operations.sync_token import Frame, seal, unseal
from rc_mcp.emulator.vocabulary import SYNC_TYPES

# A sync includes changes from this long before the last sync, so that none is missed. Clients get some of them twice.
_OVERLAP_MS = 5 * SECOND_MS
# No maximum is documented. This is the maximum for lists, which exposes a client that expects all messages at once.
_RECORDS_MAX = 1000
_REPEATED = (
    "messageType direction conversationId distinctConversations recordCount recordCountPerConversation owner "
    "syncType syncToken"
)
"""The filters that the address of an answer repeats."""


def sync_messages(call: Call) -> Response:
    # Optional in the specification, mandatory in the guide; the stricter rule is used.
    if query.member(call.query, "syncType", SYNC_TYPES) is None:
        raise invalid_parameter("syncType")
    limit = min(query.integer(call.query, "recordCount", default=_RECORDS_MAX, least=1), _RECORDS_MAX)
    if call.query["syncType"] == "FSync":
        return _full(call, limit)
    return _incremental(call, limit)


def _full(call: Call, limit: int) -> Response:
    now_ms = call.store.now_ms()
    distinct = query.boolean(call.query, "distinctConversations")
    asked = window(call, now_ms)
    frame = Frame(now_ms, asked, mailbox_filter(call)._replace(distinct_conversations=distinct))
    messages = _alive(call, frame.selection._replace(per_conversation=_per_conversation(call)), asked, limit)
    records = [record_json(message, call.store.addresses) for message in messages[:limit]]
    return _answer(call, frame, records, older=len(messages) > limit)


def _incremental(call: Call, limit: int) -> Response:
    """Return all changes since the token, and the messages that an enlarged frame adds.

    `recordCount` limits only the added messages. It is not documented whether it limits changes. The guide warns of
    more records than requested, and a client could never learn of a removal that was left out here.
    """
    now_ms = call.store.now_ms()
    known = unseal(call.query.get("syncToken", ""), _mailbox(call), now_ms)
    from_ms, to_ms = query.date(call.query, "dateFrom"), query.date(call.query, "dateTo")
    asked = Window(known.window.from_ms if from_ms is None else from_ms, known.window.to_ms if to_ms is None else to_ms)
    frame = known._replace(window=asked)
    changed = _changed(call, frame)
    added = [
        message
        for part in _outside(frame.window, known.window)
        for message in _alive(call, frame.selection, part, limit)
    ]
    records = [_shown(call, message) for message in _merged(changed, added[:limit])]
    return _answer(call, frame._replace(synced_ms=now_ms), records, older=len(added) > limit)


def _answer(call: Call, frame: Frame, records: list[str], *, older: bool) -> Response:
    sync_type = call.query["syncType"]
    info: Json = {
        "syncType": sync_type,
        "syncToken": seal(frame, _mailbox(call)),
        "syncTime": to_wire(frame.synced_ms),
        "olderRecordsExist": older,
    }
    address = uri(call, "message-sync", _REPEATED, frame.window)
    return records_response({"uri": address}, records, {"syncInfo": info})


def _per_conversation(call: Call) -> int | None:
    """Return the limit per conversation. The specification no longer has it, but RingCentral's own client sends it.

    It does not limit messages without a conversation, because that client still expects all voicemails and faxes. Like
    the record count, it is not in the token, and an incremental sync ignores it.
    """
    if "recordCountPerConversation" not in call.query:
        return None
    return query.integer(call.query, "recordCountPerConversation", default=1, least=1)


def _alive(call: Call, selection: Selection, part: Window, limit: int) -> list[MessageRecord]:
    """Return up to `limit` + 1 messages; the extra one shows that there are more."""
    return call.store.select(_within(selection, part)._replace(availabilities=("Alive",)), limit=limit + 1)


def _changed(call: Call, frame: Frame) -> list[MessageRecord]:
    selection = _within(frame.selection, frame.window)._replace(modified_from_ms=frame.synced_ms - _OVERLAP_MS)
    # Only changes are limited to one per conversation. Removals are always reported: a client has no other way to
    # learn of them.
    alive = selection._replace(availabilities=("Alive",))
    removed = selection._replace(availabilities=("Deleted", "Purged"), distinct_conversations=False)
    return call.store.select(alive) + call.store.select(removed)


def _within(selection: Selection, part: Window) -> Selection:
    return selection._replace(created_from_ms=part.from_ms, created_to_ms=part.to_ms)


def _outside(frame: Window, known: Window) -> list[Window]:
    """Return the parts of a window before and after the known window."""
    parts: list[Window] = []
    if frame.from_ms < known.from_ms:
        parts.append(Window(frame.from_ms, known.from_ms - 1))
    if known.to_ms is not None and (frame.to_ms is None or frame.to_ms > known.to_ms):
        parts.append(Window(known.to_ms + 1, frame.to_ms))
    return parts


def _merged(changed: list[MessageRecord], added: list[MessageRecord]) -> list[MessageRecord]:
    unique = {message.id: message for message in [*changed, *added]}
    return sorted(unique.values(), key=lambda message: (message.created_ms, message.id), reverse=True)


def _shown(call: Call, message: MessageRecord) -> str:
    if message.availability == "Alive" or call.full_removals:
        return record_json(message, call.store.addresses)
    return removal_json(message)


def _mailbox(call: Call) -> int:
    """Return a number that differs for every mailbox, including an earlier one with the same extension id."""
    return int(call.store.addresses.extension_id) ^ call.store.setting("epoch", 0)
