"""deleteMessageByFilter: whole conversations at once. Without any conversation it means the whole mailbox."""

from starlette.responses import Response

from rc_mcp.emulator import query
from rc_mcp.emulator.bulk import PATH_LIMIT
from rc_mcp.emulator.call import Call
from rc_mcp.emulator.errors import too_many_entries
from rc_mcp.emulator.filters import owns
from rc_mcp.emulator.lifecycle import delete
from rc_mcp.emulator.selection import Selection
from rc_mcp.emulator.vocabulary import DELETABLE


def delete_by_filter(call: Call) -> Response:
    """Deletes what lies before `dateTo`. Conversations that do not exist are not an error.

    A body is not read. The description mentions conversation ids in a body, yet declares none and has no path
    for it; that they are ignored, and everything goes, is the reading a client has to be safe against.
    """
    conversations = tuple(query.identifiers(call.query, "conversationId"))
    if len(conversations) > PATH_LIMIT:
        raise too_many_entries(PATH_LIMIT)
    return _delete_selected(call, conversations)


def delete_everything(call: Call) -> Response:
    """What a delete by ids turns into when it names none."""
    return _delete_selected(call, ())


def _delete_selected(call: Call, conversations: tuple[int, ...]) -> Response:
    purge = query.boolean(call.query, "purge")
    selection = Selection(
        types=DELETABLE[query.member(call.query, "type", DELETABLE) or "All"],
        conversations=conversations,
        # "Earlier than": a message of that very second stays. No date at all is no bound.
        created_before_ms=query.date(call.query, "dateTo"),
        nothing=not owns(call, "owner"),
    )
    # Messages in it that were Deleted already are purged, as they would be one by one. Not documented.
    for message in call.store.select(selection):
        delete(call.store, message, purge=purge)
    return Response(status_code=204)
