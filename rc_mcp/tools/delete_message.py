"""delete_message: delete or purge messages by id, through the guard."""

from typing import Annotated

from mcp.server.mcpserver import ElicitationResult, Resolve
from pydantic import Field

from rc_mcp.guard.actions.deletion import Deletion
from rc_mcp.guard.approval import UserAnswer
from rc_mcp.guard.guard import Proposal
from rc_mcp.guard.state.plans import MAX_MESSAGES
from rc_mcp.ringcentral import DeletableType
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.approval import asking
from rc_mcp.tools.arguments import AccountId, ExtensionId, MessageIds, PlanId
from rc_mcp.tools.time_limit import bounded
from rc_mcp.views.changes import ChangeResult


@bounded
async def propose(
    ctx: Ctx,
    message_id: list[str],
    purge: bool,
    type: DeletableType,
    account_id: str,
    extension_id: str,
    plan_id: str | None,
) -> Proposal:
    """Return the plan for this call."""
    return await session_of(ctx).guard.propose(
        Deletion(tuple(message_id), purge, type),
        account_id,
        extension_id,
        plan_id=plan_id,
        answering=ctx.input_responses is not None,
    )


async def delete_message(
    ctx: Ctx,
    message_id: Annotated[MessageIds, Field(min_length=1, max_length=MAX_MESSAGES)],
    proposal: Annotated[Proposal, Resolve(propose)],
    answer: Annotated[ElicitationResult[UserAnswer], Resolve(asking(propose))],
    purge: Annotated[bool, Field(description="Permanently erase the messages and their attachments instead.")] = False,
    type: Annotated[DeletableType, Field(description="Skip messages of other types.")] = "All",
    account_id: AccountId = "~",
    extension_id: ExtensionId = "~",
    plan_id: PlanId | None = None,
) -> ChangeResult:
    """Delete messages by id: they move to Deleted and can be restored with patch_message. Messages already
    Deleted are skipped. The user is asked before anything happens, or the answer is confirmation_required
    with a preview and a plan_id. purge cannot be undone."""
    return await session_of(ctx).guard.settle(
        Deletion(tuple(message_id), purge, type),
        account_id,
        extension_id,
        proposal,
        answer,
        named=plan_id is not None,
    )
