"""deleteMessageByFilter: deletes whole conversations, or the whole mailbox if no conversation is given."""

from starlette.responses import Response

from rc_mcp.emulator.errors import too_many_entries
from rc_mcp.emulator.mailbox.lifecycle import delete
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.bulk import PATH_LIMIT
from rc_mcp.emulator.operations.filters import owners
from rc_mcp.emulator.operations.operation import Call
from rc_mcp.emulator.vocabulary import DELETABLE


def delete_by_filter(call: Call) -> Response:
    """Delete messages created before `dateTo`. Conversations that do not exist are not an error.

    The body is ignored. RingCentral's description mentions conversation ids in a body but declares no body. If ids in a
    body are ignored, everything is deleted: the case that a client must be safe against.
    """
    conversations = tuple(query.identifiers(call.query, "conversationId"))
    if len(conversations) > PATH_LIMIT:
        raise too_many_entries(PATH_LIMIT)
    return delete_conversations(call, conversations)


def delete_conversations(call: Call, conversations: tuple[int, ...]) -> Response:
    """Delete these conversations, or the whole mailbox if there are none."""
    purge = query.boolean(call.query, "purge")
    selection = Selection(
        types=DELETABLE[query.member(call.query, "type", DELETABLE) or "All"],
        conversations=conversations,
        # "Earlier than": a message of that very second stays. Without a date there is no limit.
        created_before_ms=query.date(call.query, "dateTo"),
        owners=owners(call, "owner"),
    )
    # Messages that are Deleted already are purged, as in a delete by id. This is not documented.
    for message in call.store.select(selection):
        delete(call.store, message, purge=purge)
    return Response(status_code=204)
