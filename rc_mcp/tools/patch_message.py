"""patch_message: restore deleted messages, mark them read or unread, or both."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from rc_mcp.guard.guard import Guard
from rc_mcp.guard.refusals import GuardError
from rc_mcp.ringcentral import Message, ReadStatus, RingCentralError
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.arguments import MAX_READS, MAX_UPDATES, AccountId, ExtensionId, MessageIds
from rc_mcp.views.changes import ChangeResult, benign_changes, in_doubt


async def patch_message(
    ctx: Ctx,
    message_id: Annotated[MessageIds, Field(min_length=1, max_length=MAX_UPDATES)],
    availability: Annotated[Literal["Alive"] | None, Field(description="Alive restores Deleted messages.")] = None,
    read_status: Annotated[ReadStatus | None, Field(description="Mark as Read or Unread.")] = None,
    account_id: AccountId = "~",
    extension_id: ExtensionId = "~",
) -> ChangeResult:
    """Restore deleted messages (availability: Alive), change their read status, or both. This is the undo of
    delete_message. Purged messages cannot be restored."""
    if availability is None and read_status is None:
        raise ToolError("patch_message needs availability or read_status. Nothing was sent to RingCentral.")
    app, where = session_of(ctx), {"account_id": account_id, "extension_id": extension_id}
    client = app.client
    already: set[str] = set()
    deleted: set[str] = set()

    def is_so(message: Message) -> bool:
        is_alive = availability is None or message.availability == availability
        return is_alive and (read_status is None or message.read_status == read_status)

    unanswered: Collection[str] = ()
    if availability:
        unanswered = await _unanswered(app.guard, message_id)
        # RingCentral answers the restore of a message that was never deleted in the same way. A caller that relies
        # on "restored" must see the difference; it costs one Light request per 50 ids.
        for start in range(0, len(message_id), MAX_READS):
            before = await client.read_messages(message_id[start : start + MAX_READS], **where)
            already |= {o.id for o in before if o.message is not None and is_so(o.message)}
            deleted |= {o.id for o in before if o.message is not None and o.message.availability == "Deleted"}
            await ctx.report_progress(start + len(before), len(message_id), "messages read")
    ids = [i for i in message_id if i not in already]
    outcomes = (
        await client.patch_message(ids, read_status=read_status, availability=availability, **where) if ids else []
    )
    restored = deleted if read_status else ids if availability else ()
    changes = benign_changes(outcomes, is_so, restored=restored, already=[i for i in message_id if i in already])
    return in_doubt(changes, unanswered)


async def _unanswered(guard: Guard, message_id: Sequence[str]) -> Collection[str]:
    """Return the messages that an unanswered delete may still reach.

    A restore repairs mistakes, so an unreadable state folder does not block it. In that case, any of the messages may
    still be reached.
    """
    try:
        with suppress(RingCentralError):
            await guard.settle_interrupted_unless_busy()
        return (await guard.unanswered()).deletes
    except GuardError:
        return message_id
