"""What the three guarded tools share: the question a client is asked about a plan, and what its answer means."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from mcp.server.mcpserver import Elicit, Resolve

from rc_mcp.app import Ctx
from rc_mcp.guard.approval import Answer, NotAsked, can_ask, question_about
from rc_mcp.guard.guard import Proposal
from rc_mcp.guard.plans import Plan


def asking(propose: Callable[..., Awaitable[Proposal]]) -> Callable[..., Awaitable[Answer | Elicit[Answer]]]:
    """A resolver that asks the person about what `propose` planned, if the client can be asked at all."""

    async def ask(ctx: Ctx, proposal: Annotated[Proposal, Resolve(propose)]) -> Answer | Elicit[Answer]:
        if isinstance(proposal, Plan) and can_ask(ctx):
            return question_about(proposal)
        return NotAsked()

    return ask
