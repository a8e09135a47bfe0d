"""The way of a guarded tool through the guard: plan, ask the user where the client can (form elicitation), settle.

Each is a resolver of the SDK. In 2026-07-28 the client answers by calling again, and all of them run again.

Only a clear approval counts. A decline, a cancellation, and an empty or wrong answer all count as refusals.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, Resolve
from mcp.types.version import LATEST_MODERN_VERSION, is_version_at_least
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic.config import JsonDict

from rc_mcp.guard.guard import Guard, Proposal, Request, Verdict
from rc_mcp.guard.preview import CONFIRM
from rc_mcp.guard.results import Window
from rc_mcp.guard.state.plans import Plan
from rc_mcp.guard.state.store import in_thread
from rc_mcp.ringcentral.transport.deadlines import call_time
from rc_mcp.session import Ctx, session_of
from rc_mcp.views.changes import ChangeResult


@dataclass(frozen=True, slots=True)
class Approval:
    """A request, its plan, and the user's verdict."""

    guard: Guard
    request: Request
    proposal: Proposal
    said: Verdict
    shown_in: Window | None = None
    """Where the plan is shown to the user, and waits for their decision."""

    async def settle(self) -> ChangeResult:
        """Carry the plan out if it is approved, otherwise say what did not happen."""
        with call_time():
            return await self.guard.settle(self.request, self.proposal, self.said, self.shown_in)


def approval_of(read: Callable[..., Awaitable[Request]]) -> Callable[..., Awaitable[Approval]]:
    """Return the resolver of a guarded tool's approval. `read`: a resolver that makes a request of its arguments."""

    async def propose(ctx: Ctx, request: Annotated[Request, Resolve(read)]) -> Proposal:
        with call_time():
            return await session_of(ctx).guard.propose(request, answering=ctx.input_responses is not None)

    async def ask(ctx: Ctx, proposal: Annotated[Proposal, Resolve(propose)]) -> UserAnswer | Elicit[UserAnswer]:
        if isinstance(proposal, Plan) and can_ask(ctx):
            # Before the question is sent: from then on a model cannot confirm this plan, whatever the reply.
            await in_thread(session_of(ctx).guard.plans.ask, proposal.id)
            return question_about(proposal)
        if isinstance(proposal, Plan):
            return NotAsked(shown_in=await shown_in_a_window(ctx, proposal))
        return NotAsked()

    async def approval(
        ctx: Ctx,
        request: Annotated[Request, Resolve(read)],
        proposal: Annotated[Proposal, Resolve(propose)],
        answer: Annotated[ElicitationResult[UserAnswer], Resolve(ask)],
    ) -> Approval:
        said = verdict(answer, proposal) if isinstance(proposal, Plan) else "not_asked"
        not_asked = answer.data if isinstance(answer, AcceptedElicitation) else None
        shown_in = not_asked.shown_in if isinstance(not_asked, NotAsked) else None
        return Approval(session_of(ctx).guard, request, proposal, said, shown_in)

    return approval


def _undefaulted(field: JsonDict) -> None:
    del field["default"]


class UserAnswer(BaseModel):
    """The user's answer, or the fact that the user was not asked."""


class NotAsked(UserAnswer):
    """The client cannot ask, or there was nothing to ask about."""

    shown_in: Window | None = None
    """Where the user decides instead."""


# The published schema requires both fields, so a host that accepts automatically with {} reveals that it did not
# ask. The defaults turn such an answer into a refusal instead of a protocol error.
class Confirmation(UserAnswer):
    """Approval or refusal of a change that can be undone."""

    model_config = ConfigDict(json_schema_extra={"required": ["confirm"]})

    confirm: StrictBool = Field(False, title=CONFIRM, json_schema_extra=_undefaulted)


class TypedPhrase(UserAnswer):
    """The phrase that the user must type to approve a change that cannot be undone."""

    model_config = ConfigDict(json_schema_extra={"required": ["phrase"]})

    phrase: str = Field("", title="Type the phrase", json_schema_extra=_undefaulted)


def can_ask(ctx: Context[Any]) -> bool:
    """Return whether the client of this request can show the user a form (form elicitation)."""
    elicitation = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False  # `{}` means form; a client that only opens URLs cannot show one
    version = ctx.protocol_version
    return bool(version and is_version_at_least(version, LATEST_MODERN_VERSION)) or ctx.session.can_send_request


async def shown_in_a_window(ctx: Ctx, plan: Plan) -> Window | None:
    """Return the window in which the user is shown a plan that waits, if there is one: from then on a model cannot
    confirm it. A plan that was approved in the terminal is shown nowhere."""
    app = session_of(ctx)
    found = await in_thread(app.guard.plans.get, plan.id)
    if found is None or found[1] not in {"open", "asked"}:
        return None
    window = await app.windows.show(ctx, plan) if app.windows else None
    if window:
        await in_thread(app.guard.plans.ask, plan.id)
    return window


def question_about(plan: Plan) -> Elicit[UserAnswer]:
    """Return the question for a plan: a checkbox, or a phrase to type if the plan cannot be undone."""
    schema = TypedPhrase if plan.draft.phrase else Confirmation
    return Elicit[UserAnswer](plan.message, schema)


def verdict(answer: ElicitationResult[UserAnswer], plan: Plan) -> Verdict:
    if not isinstance(answer, AcceptedElicitation):
        return "no"
    if isinstance(answer.data, NotAsked):
        return "not_asked"
    if plan.draft.phrase:
        typed = answer.data.phrase.strip() if isinstance(answer.data, TypedPhrase) else ""
        return "yes" if typed == plan.draft.phrase else "not_confirmed"
    return "yes" if isinstance(answer.data, Confirmation) and answer.data.confirm else "not_confirmed"
