"""The only path to a destructive request: plan, approve, execute, verify, record. It fails closed.

A tool calls `propose` (as a resolver, so that the client can ask the user about the plan) and then `settle` with
the answer. In the 2026-07-28 protocol the call is run again with the answer; `propose` then finds the stored plan,
so the question is the same word for word and the answer fits no other plan.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import ClassVar, Literal, Protocol

from rc_mcp.guard import results
from rc_mcp.guard.carrying_out import carry_out
from rc_mcp.guard.mailbox import Mailbox, still_left_out
from rc_mcp.guard.policy.caps import objection, over_limits
from rc_mcp.guard.policy.rules import NO_POLICY, Policy
from rc_mcp.guard.reconcile import reconcile
from rc_mcp.guard.refusals import NOTHING_DONE, SETTLED_AFTER, Busy, GuardError, InDoubt, NoTime, NotNow
from rc_mcp.guard.results import Way, Window
from rc_mcp.guard.state.coordination import PATIENCE_S, one_change_at_a_time
from rc_mcp.guard.state.journal import DEMO, Channel, Journal, Record, Unanswered
from rc_mcp.guard.state.plans import TOO_MANY_PLANS, Plan, PlanDraft, PlanState, PlanStore, TooManyPlans, digest_of
from rc_mcp.guard.state.state import State
from rc_mcp.guard.state.store import in_thread
from rc_mcp.ringcentral import MessageStoreClient, RingCentralError
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.deadlines import time_left_s
from rc_mcp.views.changes import ChangeResult

OTHER_ARGUMENTS = "This plan was made for another tool or for other arguments, so it does not fit this call."
NO_PLAN = "There is no such plan: it expired, or this plan_id is wrong."
OTHER_DEMOS = (
    "There is no such plan: it expired, this plan_id is wrong, or another process made it. This server is a demo, "
    "whose mailbox exists only in this process. Make both calls to one process, such as `rc-mcp serve --http --demo`."
)
"""The same in a demo. Some frameworks start a server for each call, and each demo has a mailbox of its own."""
_FOR_A_NEW_PLAN = "Call again without plan_id for a new one."
WINDOW = "inbox"
"""What the journal has in place of a tool when a user decides about a plan that does not exist."""
STOPPED = "The user or the operator stopped all deletions (STOP)."


class Action(Protocol):
    """One destructive request: its arguments and its plan."""

    tool: ClassVar[str]

    @property
    def arguments(self) -> Mapping[str, object]:
        """Return the arguments that a plan is bound to."""
        ...

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> PlanDraft:
        """Read the mailbox and return the draft of a plan, with times in this zone."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What the arguments of a guarded call ask for."""

    action: Action
    account_id: str
    extension_id: str
    plan_id: str | None
    """The plan that the call names, by which the model states that the user approved it."""

    @property
    def tool(self) -> str:
        return self.action.tool


@dataclass(frozen=True, slots=True)
class Allowed:
    """A new plan that the operator's policy approves, so the user is not asked."""

    plan: Plan


Verdict = Literal["yes", "no", "not_confirmed", "not_asked"]
"""What the user said when asked about a plan. `not_confirmed`: the question was accepted, but its field was not filled
in. That is a refusal too."""
Proposal = Plan | Allowed | ChangeResult
"""A plan to ask the user about, a plan that needs no question, or the final answer."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A yes to a plan."""

    by: Channel
    counts_for: tuple[PlanState, ...]
    """The states of a plan in which this yes is enough. In `approved` another one is there already."""
    only: tuple[str, ...] | None = None
    """The messages that the user left in the plan; None: all."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a user decided in a window."""

    plan_id: str
    approves: bool
    message_ids: tuple[str, ...] = ()
    """The messages that they left in the plan; empty for a change of the retention period."""
    phrase: str = ""
    """What they typed."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The state that every destructive call needs, independent of single tools."""

    client: MessageStoreClient
    plans: PlanStore
    principal: str
    """The login that owns the plans: a plan of another login, or for another emulator, does not fit."""
    approval: Literal["auto", "human"]
    policy: Policy = NO_POLICY
    may_purge: bool = True
    may_set_retention: bool = True
    extensions: frozenset[str] = frozenset()
    """Extensions that the operator allows in addition to `~`, the login's own."""
    approve_command: str = "rc-mcp approvals approve"
    """The command that a user types before a plan's id."""
    approve_page: str | None = None
    """The address of the page where users approve instead, if they have no terminal on this machine."""
    undo_command: str | None = "rc-mcp undo"
    """The command that a user types before an operation's id; None if no other process can reach the mailbox."""
    zone: tzinfo = UTC
    """The time zone for display."""

    @property
    def is_demo(self) -> bool:
        """Whether the mailbox is a demo's, which exists only in this process."""
        return self.principal.startswith(DEMO)

    @property
    def state(self) -> State:
        return self.plans.state

    @property
    def journal(self) -> Journal:
        return Journal(self.plans.state, self.plans.now, self.plans.clock)

    async def propose(self, request: Request, *, answering: bool) -> Proposal:
        """Return the plan for this call: the plan that it names, the one just asked about, or a new one.

        Raises:
            RingCentralError: the mailbox cannot be read.
            GuardError: the request cannot be planned.
        """
        if await self.state.is_stopped():
            return await self._refuse(request.tool, "stopped", STOPPED)
        digest = self._digest(request)
        stored = await self._stored(request, digest, answering=answering)
        if isinstance(stored, ChangeResult):
            return stored
        draft = stored.draft if stored else await self._drafted(request)
        if stored is None and draft.changes_nothing:
            return await self._nothing_to_do(request, draft)
        # Checked for every plan: the server may have had a higher level when a stored one was made.
        if draft.severity == "irreversible" and not self.may_purge:
            return await self._refuse(
                request.tool, "level", "This server does not allow changes that cannot be undone."
            )
        if refusal := await self._over_limits(request.tool, draft):
            return refusal
        against = await self._objection(draft)
        if self.policy.dry_run:
            return await self._rehearse(request.tool, draft, against)
        if stored:
            return stored
        whose = {"principal": self.principal, "account_id": request.account_id, "extension_id": request.extension_id}
        try:
            plan = await in_thread(partial(self.plans.add, request.tool, digest, draft, **whose))
        except TooManyPlans:
            return await self._refuse(request.tool, "too_many_plans", TOO_MANY_PLANS)
        # Only for a new plan: a stored one may have been made under another policy.
        return plan if against else Allowed(plan)

    async def settle(
        self, request: Request, proposal: Proposal, said: Verdict, shown_in: Window | None = None
    ) -> ChangeResult:
        """Carry the plan out if it has a valid approval; otherwise say what did not happen.

        `shown_in`: where the user was shown the plan, and decides about it.
        """
        if isinstance(proposal, ChangeResult):
            return proposal
        unattended = isinstance(proposal, Allowed)
        plan = proposal.plan if isinstance(proposal, Allowed) else proposal
        if said in {"no", "not_confirmed"}:
            if not await in_thread(self.plans.deny, plan.id, "client"):
                # A refusal can come too late: after an approval elsewhere, messages may already be deleted.
                return await self._not_claimed(plan, shown_in)
            if said == "no":
                return results.declined(plan)
            reason = "accepted_without_the_phrase" if plan.draft.phrase else "accepted_without_a_tick"
            await self.note(request.tool, "refused", plan.id, reason=reason)
            return results.not_confirmed(plan)
        if said == "not_asked" and request.plan_id is None and not unattended:
            return await self._confirmation_required(plan, shown_in)
        return await self._in_turn(plan, self._approval(plan, said, unattended=unattended), shown_in)

    async def decide(self, decision: Decision, window: Window) -> ChangeResult:
        """Carry out a stored plan, or what the user left of it, as they decided in a window; or deny it.

        Raises:
            GuardError: the plan cannot be carried out now. Nothing was deleted or changed.
        """
        found = await in_thread(self.plans.get, decision.plan_id)
        if found is None or found[0].principal != self.principal:
            return await self._refuse(WINDOW, "no_such_plan", "There is no such plan: it expired, or was carried out.")
        plan, _ = found
        if not decision.approves:
            if await in_thread(self.plans.deny, plan.id, window):
                return results.declined(plan)
            return await self._not_claimed(plan, window)
        if await self.state.is_stopped():
            return await self._refuse(plan.tool, "stopped", STOPPED, plan.id)
        if why := self._insufficient(plan, decision, window):
            return await self._refuse(plan.tool, *why, plan.id)
        left = plan.without_others(decision.message_ids)
        if self.policy.dry_run:
            return await self._rehearse(plan.tool, left.draft, await self._objection(plan.draft))
        only = None if left == plan else tuple(t.id for t in left.draft.targets)
        return await self._in_turn(left, Approval(window, ("open", "asked"), only), window)

    def can_decide(self, plan: Plan, window: Window) -> bool:
        """Return whether a yes in this window can be enough for the plan."""
        if window == "app" and self._needs_terminal(plan):
            return False
        return self.may_carry_out(plan)

    def may_carry_out(self, plan: Plan) -> bool:
        """Return whether the operator allows this server what the plan does: one with more rights may have made it."""
        if plan.draft.severity == "irreversible" and not self.may_purge:
            return False
        if plan.draft.retention_period is not None and not self.may_set_retention:
            return False
        return plan.extension_id == "~" or plan.extension_id in self.extensions

    async def note(
        self, tool: str, event: Literal["refused", "rehearsed"], operation: str | None = None, /, **details: object
    ) -> None:
        """Journal a request that was not carried out, or count it if it repeats one; `operation` is its plan."""
        who = {"operation": operation, "principal": self.principal, "tool": tool}
        await in_thread(partial(self.journal.note, event, **who, details=details))

    async def settle_interrupted(self) -> None:
        """Read the outcomes of interrupted operations from the mailbox, inside `one_change_at_a_time`.

        Raises:
            RingCentralError: a mailbox cannot be read now. Its operations are left for later.
        """
        await reconcile(self.journal, self.client, self.principal)

    async def settle_interrupted_unless_busy(self) -> None:
        """Call `settle_interrupted`, unless a change is in progress here or in another server."""
        if not await in_thread(self.state.exists):
            return
        if await in_thread(self.journal.unfinished, self.principal):
            with suppress(Busy):
                async with one_change_at_a_time(self.state, patience_s=0):
                    await self.settle_interrupted()

    async def unanswered(self) -> Unanswered:
        """Return what unanswered requests may still change."""
        if not await in_thread(self.state.exists):
            return Unanswered()
        return await in_thread(self.journal.unanswered, SETTLED_AFTER)

    def _insufficient(self, plan: Plan, decision: Decision, window: Window) -> tuple[str, str] | None:
        """Return why this yes is not enough, as a reason for the journal and a sentence; None if it is."""
        if not self.can_decide(plan, window):
            return "not_here", "A yes in this window is not enough for this plan."
        ids = decision.message_ids
        if not plan.has(ids):
            return "other_messages", "These are not messages of the plan."
        phrase = plan.without_others(ids).draft.phrase
        if phrase and decision.phrase.strip() != phrase:
            return "accepted_without_the_phrase", "The phrase was not typed as shown."
        return None

    async def _in_turn(self, plan: Plan, approval: Approval, window: Window | None) -> ChangeResult:
        """Carry the plan out when no other change is in progress."""
        patience_s = min(PATIENCE_S, time_left_s() - LIMITS.change_begins_s)
        try:
            async with one_change_at_a_time(self.state, patience_s):
                return await self._carry_out(plan, approval, window)
        except NotNow as error:
            await self.note(plan.tool, "refused", plan.id, reason=error.reason)
            raise

    async def _carry_out(self, plan: Plan, approval: Approval, window: Window | None) -> ChangeResult:
        unattended = approval.by == "policy"
        await self._check_unanswered(plan)
        if time_left_s() < LIMITS.change_begins_s:
            # Before the plan is claimed, so that the next call can use it.
            raise NoTime
        # Checked again, now that no other process can use up a cap.
        if refusal := await self._over_limits(plan.tool, plan.draft, plan.id):
            return refusal
        if unattended and await self._objection(plan.draft):
            return await self._confirmation_required(plan, window)
        claim = partial(self.plans.claim, plan.id, *approval.counts_for, "approved", by=approval.by, only=approval.only)
        if not await in_thread(claim):
            return await self._not_claimed(plan, window)
        mailbox = self._mailbox(plan)
        if unattended:
            mailbox = replace(mailbox, unattended_at=self.plans.now())
        record = Record(self.journal, plan.id, self.principal, plan.tool)
        purge = plan.draft.severity == "irreversible"
        left_out = await still_left_out(mailbox, plan.draft.left_out or {}, purge=purge)
        execution = await carry_out(mailbox, plan.draft, record)
        execution.outcomes = left_out | execution.outcomes
        done = results.carried_out(plan, execution, self.undo_command)
        try:
            if not execution.in_doubt:  # otherwise the operation stays open until its outcomes are read
                await record.done(done.status, execution.outcomes)
        except GuardError:
            # Without the error's own text, which says that nothing was deleted.
            done = results.unrecorded(done)
        return results.by_policy(done, plan) if unattended else done

    async def _check_unanswered(self, plan: Plan) -> None:
        """Settle earlier operations, and refuse if a request for the same messages may still arrive."""
        with suppress(RingCentralError):
            await self.settle_interrupted()
        unanswered = await self.unanswered()
        is_retention = plan.draft.period_in_force is not None
        named = {t.id for t in plan.draft.targets}
        if named & (unanswered.deletes | unanswered.restores) or (is_retention and unanswered.retention):
            raise InDoubt

    async def _over_limits(self, tool: str, draft: PlanDraft, operation: str | None = None) -> ChangeResult | None:
        over = await in_thread(over_limits, self.policy, draft, self.journal, self.principal)
        if over is None:
            return None
        return await self._refuse(tool, "limits", f"The operator's limits do not allow it: {over}.", operation)

    async def _rehearse(self, tool: str, draft: PlanDraft, against: str | None) -> ChangeResult:
        ids = [t.id for t in draft.targets]
        await self.note(tool, "rehearsed", action=draft.preview.action, ids=ids, against=against)
        return results.rehearsal(draft, against)

    async def _objection(self, draft: PlanDraft) -> str | None:
        return await in_thread(objection, self.policy, draft, self.journal, self.principal)

    def _mailbox(self, of: Request | Plan) -> Mailbox:
        return Mailbox(self.client, of.account_id, of.extension_id, self.policy)

    def _digest(self, request: Request) -> str:
        where = {"account_id": request.account_id, "extension_id": request.extension_id}
        return digest_of(self.principal, request.tool, {**request.action.arguments, **where})

    async def _stored(self, request: Request, digest: str, *, answering: bool) -> Plan | ChangeResult | None:
        plan_id = request.plan_id
        if plan_id is None:
            return await in_thread(self.plans.latest_asked, digest) if answering else None
        found = await in_thread(self.plans.get, plan_id)
        if found is None and await self._was_begun(plan_id):
            return await self._spent(request.tool, plan_id, "used")
        # A plan of another login is treated as unknown: nothing is said of it.
        if found is None or found[0].principal != self.principal:
            why = OTHER_DEMOS if self.is_demo else NO_PLAN
            return await self._refuse(request.tool, "no_such_plan", f"{why} {_FOR_A_NEW_PLAN}")
        if found[0].digest != digest:
            return await self._refuse(request.tool, "other_arguments", f"{OTHER_ARGUMENTS} {_FOR_A_NEW_PLAN}")
        plan, state = found
        return await self._spent(plan.tool, plan.id, state) if state in {"used", "denied"} else plan

    async def _was_begun(self, plan_id: str) -> bool:
        """Return whether a plan that is no longer stored was claimed."""
        operation = await in_thread(self.journal.operation, plan_id)
        return operation is not None and operation.principal == self.principal and operation.begun is not None

    async def _drafted(self, request: Request) -> PlanDraft:
        try:
            return await request.action.draft(self._mailbox(request), self.plans.now(), self.zone)
        except GuardError:
            await self.note(request.tool, "refused", reason="not_plannable")
            raise

    async def _nothing_to_do(self, request: Request, draft: PlanDraft) -> ChangeResult:
        if draft.protected:
            ids = [i for i, word in (draft.left_out or {}).items() if word == "skipped"]
            await self.note(request.tool, "refused", reason="protected", action=draft.preview.action, ids=ids)
        return results.nothing_to_do(draft)

    def _approval(self, plan: Plan, said: Verdict, *, unattended: bool) -> Approval:
        """Return what the call's own yes counts for. A model's word never is enough for a change that is final."""
        if unattended:
            return Approval("policy", ("open",))
        if said == "yes":
            return Approval("client", ("asked",))
        return Approval("chat", () if self._needs_terminal(plan) else ("open",))

    async def _not_claimed(self, plan: Plan, window: Window | None) -> ChangeResult:
        found = await in_thread(self.plans.get, plan.id)
        if found is None or found[1] in {"used", "denied"}:
            state = found[1] if found else "used" if await self._was_begun(plan.id) else "expired"
            return await self._spent(plan.tool, plan.id, state)
        await self.note(plan.tool, "refused", plan.id, reason="not_approved")
        return results.not_approved(plan, self._way(window), self.zone)

    def _needs_terminal(self, plan: Plan) -> bool:
        return plan.draft.severity == "irreversible" or self.approval == "human"

    async def _confirmation_required(self, plan: Plan, window: Window | None) -> ChangeResult:
        against = await self._objection(plan.draft) if plan.draft.misfits is not None else None
        in_chat = window is None and not self._needs_terminal(plan)
        return results.confirmation_required(plan, against, None if in_chat else self._way(window), self.zone)

    def _way(self, window: Window | None) -> Way:
        return Way(window, self.approve_command, self.approve_page)

    async def _spent(self, tool: str, plan_id: str, state: PlanState | Literal["expired"]) -> ChangeResult:
        if state == "used":
            await self.note(tool, "refused", plan_id, reason=state)
            operation = await in_thread(self.journal.operation, plan_id)
            return results.used(plan_id, tool, operation.reported if operation else {})
        was = "was denied by the user" if state == "denied" else "has expired"
        return await self._refuse(tool, state, f"Plan {plan_id} {was}.", plan_id)

    async def _refuse(self, tool: str, reason: str, said: str, operation: str | None = None) -> ChangeResult:
        # The journal gets only the reason: the sentence may contain text that the journal must not hold.
        await self.note(tool, "refused", operation, reason=reason)
        return ChangeResult(status="refused", said=f"{said} {NOTHING_DONE}")
