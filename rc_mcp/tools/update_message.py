"""update_message: mark messages read or unread."""

from typing import Annotated

from pydantic import Field

from rc_mcp.ringcentral import ReadStatus
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.arguments import MAX_UPDATES, AccountId, ExtensionId, MessageIds
from rc_mcp.views.changes import ChangeResult, benign_changes


async def update_message(
    ctx: Ctx,
    message_id: Annotated[MessageIds, Field(min_length=1, max_length=MAX_UPDATES)],
    read_status: Annotated[ReadStatus, Field(description="The read status to set.")],
    account_id: AccountId = "~",
    extension_id: ExtensionId = "~",
) -> ChangeResult:
    """Mark messages as Read or Unread. The opposite call undoes it. To restore deleted messages use
    patch_message."""
    outcomes = await session_of(ctx).client.update_message(
        message_id, read_status, account_id=account_id, extension_id=extension_id
    )
    return benign_changes(outcomes, lambda m: m.read_status == read_status)
