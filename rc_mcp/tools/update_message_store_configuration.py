"""update_message_store_configuration: set how long the account keeps faxes and voicemails, through the guard."""

from typing import Annotated

from mcp.server.mcpserver import Resolve
from pydantic import Field

from rc_mcp.guard.actions.retention import RetentionChange
from rc_mcp.guard.guard import Request
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.approval import Approval, approval_of
from rc_mcp.tools.arguments import AccountId, PlanId, Whole
from rc_mcp.views.changes import ChangeResult


async def _request(retention_period: int, account_id: str, plan_id: str | None) -> Request:
    return Request(RetentionChange(retention_period), account_id, "~", plan_id)


async def update_message_store_configuration(
    ctx: Ctx,
    retention_period: Annotated[int, Field(ge=7, le=90, description="Days to keep faxes and voicemails."), Whole],
    approval: Annotated[Approval, Resolve(approval_of(_request))],
    account_id: AccountId = "~",
    plan_id: PlanId | None = None,
) -> ChangeResult:
    """Set how many days faxes and voicemails are kept, for the whole account. Lowering it erases older
    messages and cannot be undone; a yes in the chat is not enough. The user is asked first, or the answer is
    confirmation_required with a plan_id."""
    try:
        return await approval.settle()
    finally:
        await session_of(ctx).forget_retention()  # it may have changed, however this ended
