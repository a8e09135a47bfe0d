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
from rc_mcp.guard.execution import Execution
from rc_mcp.guard.mailbox import Mailbox, still_left_out
from rc_mcp.guard.policy.caps import objection, over_limits
from rc_mcp.guard.policy.rules import NO_POLICY, Policy
from rc_mcp.guard.reconcile import reconcile
from rc_mcp.guard.refusals import NOTHING_DONE, SETTLED_AFTER, Busy, GuardError, InDoubt, NoTime, NotNow
from rc_mcp.guard.state.coordination import PATIENCE_S, is_stopped, one_change_at_a_time
from rc_mcp.guard.state.database import exists
from rc_mcp.guard.state.journal import DEMO, Channel, Journal, Record, Unanswered
from rc_mcp.guard.state.plans import TOO_MANY_PLANS, Plan, PlanDraft, PlanStore, State, TooManyPlans, digest_of
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


class Action(Protocol):
    """One destructive request: its arguments, its plan and its execution."""

    tool: ClassVar[str]

    @property
    def arguments(self) -> Mapping[str, object]:
        """Return the arguments that a plan is bound to."""
        ...

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> PlanDraft:
        """Read the mailbox and return the draft of a plan, with times in this zone."""
        ...

    async def carry_out(self, mailbox: Mailbox, draft: PlanDraft, record: Record) -> Execution:
        """Carry out the plan and no more; journal each request before it is sent. Report RingCentral's errors."""
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
class Guard:
    """The state that every destructive call needs, independent of single tools."""

    client: MessageStoreClient
    plans: PlanStore
    principal: str
    """The login that owns the plans: a plan of another login, or for another emulator, does not fit."""
    approval: Literal["auto", "human"]
    policy: Policy = NO_POLICY
    may_purge: bool = True
    approve_command: str = "rc-mcp approvals approve"
    """The command that a user types before a plan's id."""
    undo_command: str | None = "rc-mcp undo"
    """The command that a user types before an operation's id; None if no other process can reach the mailbox."""
    zone: tzinfo = UTC
    """The time zone for display."""

    @property
    def journal(self) -> Journal:
        return Journal(self.plans.state_dir, self.plans.now, self.plans.clock)

    async def propose(self, request: Request, *, answering: bool) -> Proposal:
        """Return the plan for this call: the plan that it names, the one just asked about, or a new one.

        Raises:
            RingCentralError: the mailbox cannot be read.
            GuardError: the request cannot be planned.
        """
        if is_stopped(self.plans.state_dir):
            return await self._refuse(request, "stopped", "The user stopped all deletions (the STOP file).")
        digest = self._digest(request)
        stored = await self._stored(request, digest, answering=answering)
        if isinstance(stored, ChangeResult):
            return stored
        draft = stored.draft if stored else await self._drafted(request)
        if stored is None and draft.changes_nothing:
            return await self._nothing_to_do(request, draft)
        # Checked for every plan: the server may have had a higher level when a stored one was made.
        if draft.severity == "irreversible" and not self.may_purge:
            return await self._refuse(request, "level", "This server does not allow changes that cannot be undone.")
        if refusal := await self._over_limits(request, draft):
            return refusal
        against = await self._objection(draft)
        if self.policy.dry_run:
            ids = [t.id for t in draft.targets]
            await self.note(request.tool, "rehearsed", action=draft.preview.action, ids=ids, against=against)
            return results.rehearsal(draft, against)
        if stored:
            return stored
        whose = {"principal": self.principal, "account_id": request.account_id, "extension_id": request.extension_id}
        try:
            plan = await in_thread(partial(self.plans.add, request.tool, digest, draft, **whose))
        except TooManyPlans:
            return await self._refuse(request, "too_many_plans", TOO_MANY_PLANS)
        # Only for a new plan: a stored one may have been made under another policy.
        return plan if against else Allowed(plan)

    async def settle(self, request: Request, proposal: Proposal, said: Verdict) -> ChangeResult:
        """Carry the plan out if it has a valid approval; otherwise say what did not happen."""
        if isinstance(proposal, ChangeResult):
            return proposal
        unattended = isinstance(proposal, Allowed)
        plan = proposal.plan if isinstance(proposal, Allowed) else proposal
        if said in {"no", "not_confirmed"}:
            if not await in_thread(self.plans.deny, plan.id, "client"):
                # A refusal can come too late: after an approval elsewhere, messages may already be deleted.
                return await self._not_claimed(request, plan)
            if said == "no":
                return results.declined(plan)
            reason = "accepted_without_the_phrase" if plan.draft.phrase else "accepted_without_a_tick"
            await self.note(request.tool, "refused", plan.id, reason=reason)
            return results.not_confirmed(plan)
        if said == "not_asked" and request.plan_id is None and not unattended:
            return await self._confirmation_required(plan)
        patience_s = min(PATIENCE_S, time_left_s() - LIMITS.change_begins_s)
        try:
            async with one_change_at_a_time(self.plans.state_dir, patience_s):
                return await self._carry_out(request, plan, said, unattended=unattended)
        except NotNow as error:
            await self.note(request.tool, "refused", plan.id, reason=error.reason)
            raise

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
        if not await in_thread(exists, self.plans.state_dir):
            return
        if await in_thread(self.journal.unfinished, self.principal):
            with suppress(Busy):
                async with one_change_at_a_time(self.plans.state_dir, patience_s=0):
                    await self.settle_interrupted()

    async def unanswered(self) -> Unanswered:
        """Return what unanswered requests may still change."""
        if not await in_thread(exists, self.plans.state_dir):
            return Unanswered()
        return await in_thread(self.journal.unanswered, SETTLED_AFTER)

    async def _carry_out(self, request: Request, plan: Plan, said: Verdict, *, unattended: bool) -> ChangeResult:
        await self._check_unanswered(plan)
        if time_left_s() < LIMITS.change_begins_s:
            # Before the plan is claimed, so that the next call can use it.
            raise NoTime
        # Checked again, now that no other process can use up a cap.
        if refusal := await self._over_limits(request, plan.draft, plan.id):
            return refusal
        if unattended and await self._objection(plan.draft):
            return await self._confirmation_required(plan)
        if not await self._claim(plan, said, unattended=unattended):
            return await self._not_claimed(request, plan)
        mailbox = self._mailbox(request)
        if unattended:
            mailbox = replace(mailbox, unattended_at=self.plans.now())
        record = Record(self.journal, plan.id, self.principal, request.tool)
        purge = plan.draft.severity == "irreversible"
        left_out = await still_left_out(mailbox, plan.draft.left_out or {}, purge=purge)
        execution = await request.action.carry_out(mailbox, plan.draft, record)
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

    async def _over_limits(
        self, request: Request, draft: PlanDraft, operation: str | None = None
    ) -> ChangeResult | None:
        over = await in_thread(over_limits, self.policy, draft, self.journal, self.principal)
        if over is None:
            return None
        return await self._refuse(request, "limits", f"The operator's limits do not allow it: {over}.", operation)

    async def _objection(self, draft: PlanDraft) -> str | None:
        return await in_thread(objection, self.policy, draft, self.journal, self.principal)

    def _mailbox(self, request: Request) -> Mailbox:
        return Mailbox(self.client, request.account_id, request.extension_id, self.policy)

    def _digest(self, request: Request) -> str:
        where = {"account_id": request.account_id, "extension_id": request.extension_id}
        return digest_of(self.principal, request.tool, {**request.action.arguments, **where})

    async def _stored(self, request: Request, digest: str, *, answering: bool) -> Plan | ChangeResult | None:
        plan_id = request.plan_id
        if plan_id is None:
            return await in_thread(self.plans.latest_asked, digest) if answering else None
        found = await in_thread(self.plans.get, plan_id)
        if found is None and await self._was_begun(plan_id):
            return await self._spent(request, plan_id, "used")
        # A plan of another login is treated as unknown: nothing is said of it.
        if found is None or found[0].principal != self.principal:
            why = OTHER_DEMOS if self.principal.startswith(DEMO) else NO_PLAN
            return await self._refuse(request, "no_such_plan", f"{why} {_FOR_A_NEW_PLAN}")
        if found[0].digest != digest:
            return await self._refuse(request, "other_arguments", f"{OTHER_ARGUMENTS} {_FOR_A_NEW_PLAN}")
        plan, state = found
        return await self._spent(request, plan.id, state) if state in {"used", "denied"} else plan

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

    async def _claim(self, plan: Plan, said: Verdict, *, unattended: bool) -> bool:
        """Claim the plan if its approval is sufficient. A model's word never is for a change that cannot be undone."""
        only_approved = said == "not_asked" and self._needs_terminal(plan) and not unattended
        waiting: tuple[State, ...] = () if only_approved else ("asked",) if said == "yes" else ("open",)
        by: Channel = "policy" if unattended else "client" if said == "yes" else "chat"
        return await in_thread(partial(self.plans.claim, plan.id, *waiting, "approved", by=by))

    async def _not_claimed(self, request: Request, plan: Plan) -> ChangeResult:
        found = await in_thread(self.plans.get, plan.id)
        if found is None or found[1] in {"used", "denied"}:
            state = found[1] if found else "used" if await self._was_begun(plan.id) else "expired"
            return await self._spent(request, plan.id, state)
        await self.note(request.tool, "refused", plan.id, reason="not_approved")
        return results.not_approved(plan, self.approve_command, self.zone)

    def _needs_terminal(self, plan: Plan) -> bool:
        return plan.draft.severity == "irreversible" or self.approval == "human"

    async def _confirmation_required(self, plan: Plan) -> ChangeResult:
        against = await self._objection(plan.draft) if plan.draft.misfits is not None else None
        command = self.approve_command if self._needs_terminal(plan) else None
        return results.confirmation_required(plan, against, command, self.zone)

    async def _spent(self, request: Request, plan_id: str, state: State | Literal["expired"]) -> ChangeResult:
        if state == "used":
            await self.note(request.tool, "refused", plan_id, reason=state)
            return results.used(plan_id, request.tool)
        was = "was denied by the user" if state == "denied" else "has expired"
        return await self._refuse(request, state, f"Plan {plan_id} {was}.", plan_id)

    async def _refuse(self, request: Request, reason: str, said: str, operation: str | None = None) -> ChangeResult:
        # The journal gets only the reason: the sentence may contain text that the journal must not hold.
        await self.note(request.tool, "refused", operation, reason=reason)
        return ChangeResult(status="refused", said=f"{said} {NOTHING_DONE}")
