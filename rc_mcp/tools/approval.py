"""The confirmation request about a plan, shared by the three guarded tools."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from anyio import to_thread
from mcp.server.mcpserver import Elicit, Resolve

from rc_mcp.guard.approval import NotAsked, UserAnswer, can_ask, question_about
from rc_mcp.guard.guard import Proposal
from rc_mcp.guard.state.plans import Plan
from rc_mcp.session import Ctx, session_of


def asking(propose: Callable[..., Awaitable[Proposal]]) -> Callable[..., Awaitable[UserAnswer | Elicit[UserAnswer]]]:
    """Return a resolver that asks the user about the plan of `propose`, if the client supports it."""

    async def ask(ctx: Ctx, proposal: Annotated[Proposal, Resolve(propose)]) -> UserAnswer | Elicit[UserAnswer]:
        if isinstance(proposal, Plan) and can_ask(ctx):
            # Before the question is sent: from then on a model cannot confirm this plan, whatever the reply.
            await to_thread.run_sync(session_of(ctx).guard.plans.ask, proposal.id)
            return question_about(proposal)
        return NotAsked()

    return ask
