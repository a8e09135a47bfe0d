"""delete_message: delete or purge messages by id, through the guard."""

from typing import Annotated

from mcp.server.mcpserver import Resolve
from pydantic import Field

from rc_mcp.guard.actions.deletion import Deletion
from rc_mcp.guard.guard import Request
from rc_mcp.guard.state.plans import MAX_MESSAGES
from rc_mcp.ringcentral import DeletableType
from rc_mcp.tools.approval import Approval, approval_of
from rc_mcp.tools.arguments import AccountId, ExtensionId, MessageIds, PlanId
from rc_mcp.views.changes import ChangeResult


async def _request(
    message_id: list[str],
    purge: bool,
    type: DeletableType,
    account_id: str,
    extension_id: str,
    plan_id: str | None,
) -> Request:
    return Request(Deletion(tuple(message_id), purge, type), account_id, extension_id, plan_id)


async def delete_message(
    message_id: Annotated[MessageIds, Field(min_length=1, max_length=MAX_MESSAGES)],
    approval: Annotated[Approval, Resolve(approval_of(_request))],
    purge: Annotated[
        bool, Field(description="Permanently erase the messages and their attachments instead, Deleted ones too.")
    ] = False,
    type: Annotated[
        DeletableType, Field(description="Only this type: Fax, SMS, VoiceMail, Pager, Text or All.")
    ] = "All",
    account_id: AccountId = "~",
    extension_id: ExtensionId = "~",
    plan_id: PlanId | None = None,
) -> ChangeResult:
    """Delete messages by id: they move to Deleted and can be restored with patch_message. Without purge,
    messages already Deleted are skipped. The user is asked before anything happens, or the answer is
    confirmation_required with a preview and a plan_id. purge cannot be undone; a yes in the chat is not enough."""
    return await approval.settle()
