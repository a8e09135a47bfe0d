"""What the three guarded tools share: the question that a client is asked about a plan."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from anyio import to_thread
from mcp.server.mcpserver import Elicit, Resolve

from rc_mcp.app import Ctx, app_of
from rc_mcp.guard.approval import Answer, NotAsked, can_ask, question_about
from rc_mcp.guard.guard import Proposal
from rc_mcp.guard.plans import Plan


def asking(propose: Callable[..., Awaitable[Proposal]]) -> Callable[..., Awaitable[Answer | Elicit[Answer]]]:
    """A resolver that asks the person about what `propose` planned, if the client can be asked at all."""

    async def ask(ctx: Ctx, proposal: Annotated[Proposal, Resolve(propose)]) -> Answer | Elicit[Answer]:
        if isinstance(proposal, Plan) and can_ask(ctx):
            # Before the question is out: whatever comes back, or nothing, no model's word counts for this plan.
            await to_thread.run_sync(app_of(ctx).guard.plans.ask, proposal.id)
            return question_about(proposal)
        return NotAsked()

    return ask
