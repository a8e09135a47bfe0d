"""update_message_store_configuration: set how long the account keeps faxes and voicemails, through the guard."""

from typing import Annotated

from mcp.server.mcpserver import ElicitationResult, Resolve
from pydantic import Field

from rc_mcp.guard.actions.retention import RetentionChange
from rc_mcp.guard.approval import UserAnswer
from rc_mcp.guard.guard import Proposal
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.approval import asking
from rc_mcp.tools.arguments import AccountId, PlanId
from rc_mcp.tools.time_limit import bounded
from rc_mcp.views.changes import ChangeResult


@bounded
async def propose(ctx: Ctx, retention_period: int, account_id: str, plan_id: str | None) -> Proposal:
    """Return the plan for this call."""
    return await session_of(ctx).guard.propose(
        RetentionChange(retention_period),
        account_id,
        "~",
        plan_id=plan_id,
        answering=ctx.input_responses is not None,
    )


async def update_message_store_configuration(
    ctx: Ctx,
    retention_period: Annotated[int, Field(ge=7, le=90, description="Days to keep faxes and voicemails.")],
    proposal: Annotated[Proposal, Resolve(propose)],
    answer: Annotated[ElicitationResult[UserAnswer], Resolve(asking(propose))],
    account_id: AccountId = "~",
    plan_id: PlanId | None = None,
) -> ChangeResult:
    """Set how many days faxes and voicemails are kept, for the whole account. Lowering it erases older
    messages and cannot be undone. The user is asked first, or the answer is confirmation_required with a plan_id."""
    app = session_of(ctx)
    try:
        return await app.guard.settle(
            RetentionChange(retention_period), account_id, "~", proposal, answer, named=plan_id is not None
        )
    finally:
        # The period may have changed, however this ended, and an account has more than one name.
        app.retention_days.clear()
