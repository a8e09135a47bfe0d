"""The one way to anything destructive: plan, approve, execute, verify, record. It fails closed.

A tool calls `propose` (as a resolver, so that the client can be asked about the plan) and then `settle` with
the answer. In the 2026-07-28 protocol a call is run again when the answer comes; `propose` then finds the
stored plan, so that the question is the same word for word and the answer cannot fit another plan.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from anyio import to_thread
from mcp.server.mcpserver import ElicitationResult

from rc_mcp.guard import answers
from rc_mcp.guard.alone import PATIENCE_S, alone
from rc_mcp.guard.approval import Answer, Verdict, verdict
from rc_mcp.guard.caps import objection, over_limits
from rc_mcp.guard.clock import THIS_MACHINE, Clock
from rc_mcp.guard.database import FILE, NOTHING_DONE, GuardError
from rc_mcp.guard.deletion import Execution
from rc_mcp.guard.journal import Channel, Journal, OnItsWay, Record
from rc_mcp.guard.not_now import Busy, InDoubt, NoTime, NotNow
from rc_mcp.guard.plans import Draft, Plan, PlanStore, State, digest_of
from rc_mcp.guard.policy import NO_POLICY, Policy
from rc_mcp.guard.reading import Mailbox, still_left_out
from rc_mcp.guard.reconcile import SETTLED_AFTER, reconcile
from rc_mcp.guard.stopping import stop_file
from rc_mcp.ringcentral import MessageStoreClient, RingCentralError
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.waiting import time_left_s
from rc_mcp.views.changes import Changes


class Action(Protocol):
    """One destructive request: what it was asked, how it is planned and how it is carried out."""

    tool: ClassVar[str]

    @property
    def arguments(self) -> Mapping[str, object]:
        """What its plan is bound to."""
        ...

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> Draft:
        """What it would do, read from the mailbox; times are shown in this zone."""
        ...

    async def carry_out(self, mailbox: Mailbox, draft: Draft, stopped: Callable[[], bool], record: Record) -> Execution:
        """Do what the plan says, and no more; each request is written down before it leaves."""
        ...


@dataclass(frozen=True, slots=True)
class Allowed:
    """A fresh plan that the operator's policy agrees to: nobody is asked."""

    plan: Plan


Proposal = Plan | Allowed | Changes
"""A plan to ask a person about, or not to; or the answer at once, where there is nothing to ask."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Holds what every destructive call needs; knows nothing of single tools."""

    client: MessageStoreClient
    plans: PlanStore
    principal: str
    """Whose plans these are: a plan made under another login, or for another emulator, does not fit."""
    approval: Literal["auto", "human"]
    policy: Policy = NO_POLICY
    may_purge: bool = True
    approve_command: str = "rc-mcp approvals approve"
    """What a person types before a plan's id."""
    undo_command: str | None = "rc-mcp undo"
    """What a person types before an operation's id; None where no other process can reach the mailbox."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The wall clock, in UTC: what is counted in it is elapsed time, also on a day when clocks change."""
    zone: tzinfo = UTC
    """In which times are shown."""
    clock: Clock = THIS_MACHINE

    @property
    def journal(self) -> Journal:
        """What was asked, agreed to, sent and seen."""
        return Journal(self.plans.state_dir, self.now, self.clock)

    @property
    def stop_file(self) -> Path:
        """While this file exists nothing destructive is begun, and what runs ends with the request that is out."""
        return stop_file(self.plans.state_dir)

    async def propose(
        self, action: Action, account_id: str, extension_id: str, *, plan_id: str | None, answering: bool
    ) -> Proposal:
        """The plan this call is about: the one it names, the one just asked about, or a fresh one.

        Raises:
            RingCentralError: the mailbox could not be read.
            GuardError: the request cannot be planned.
        """
        if self.stop_file.exists():
            return await self._refuse(action, "stopped", "A person stopped all deletions (the STOP file).")
        mailbox = Mailbox(self.client, account_id, extension_id, self.policy)
        proposal = await self._stored(action, mailbox, plan_id, answering=answering)
        if proposal is None:
            draft = await self._drafted(action, mailbox)
            proposal = await self._nothing_to_do(action, draft) if draft.changes_nothing else draft
        if isinstance(proposal, Changes):
            return proposal
        # Asked of every plan: a stored one may have been made while the server was allowed more.
        draft = proposal.draft if isinstance(proposal, Plan) else proposal
        if draft.severity == "irreversible" and not self.may_purge:
            return await self._refuse(action, "level", "This server does not do what cannot be undone.")
        if refusal := await self._over_limits(action, draft):
            return refusal
        against = await self._objection(draft)
        if self.policy.dry_run:
            ids = [t.id for t in draft.targets]
            await self.note(action.tool, "rehearsed", action=draft.preview.action, ids=ids, against=against)
            return answers.rehearsal(draft, against)
        if isinstance(proposal, Plan):
            return proposal
        plan = await self._planned(action, mailbox, draft)
        # Only a plan made just now: a stored one may have been made under another policy.
        return plan if against else Allowed(plan)

    async def settle(
        self,
        action: Action,
        account_id: str,
        extension_id: str,
        proposal: Proposal,
        answer: ElicitationResult[Answer],
        *,
        named: bool,
    ) -> Changes:
        """Carry the plan out if a person said yes to it in a way that counts; else say what did not happen.

        `named`: the call named the plan itself, which is the model's word that the user agreed.
        """
        if isinstance(proposal, Changes):
            return proposal
        unattended = isinstance(proposal, Allowed)
        plan = proposal.plan if isinstance(proposal, Allowed) else proposal
        said = verdict(answer, plan)
        if said == "no":
            denied = await to_thread.run_sync(self.plans.deny, plan.id, "client")
            # A no can come too late: when the plan was agreed to elsewhere, something may have been deleted.
            return answers.declined(plan) if denied else await self._not_claimed(action, plan)
        if said == "not_asked" and not named and not unattended:
            return await self._confirmation_required(plan)
        mailbox = Mailbox(self.client, account_id, extension_id, self.policy)
        try:
            async with alone(self.plans.state_dir, min(PATIENCE_S, time_left_s() - LIMITS.change_begins_s)):
                return await self._settled(action, mailbox, plan, said, unattended=unattended)
        except NotNow as error:
            await self.note(action.tool, "refused", plan.id, reason=error.reason)
            raise

    async def note(
        self, tool: str, event: Literal["refused", "rehearsed"], operation: str | None = None, /, **details: object
    ) -> None:
        """Write down what was asked for and not carried out; `operation` is its plan, where it came to one.

        Raises:
            GuardError: the journal cannot be written.
        """
        who = {"operation": operation, "principal": self.principal, "tool": tool}
        await to_thread.run_sync(partial(self.journal.append, event, **who, details=details))

    async def settle_cut_short(self) -> None:
        """Find out what became of what was cut short. To be called `alone`.

        Raises:
            RingCentralError: not now. What is not settled is left for later.
            GuardError: the journal cannot be used.
        """
        await reconcile(self.journal, self.client, self.principal)

    async def on_its_way(self) -> OnItsWay:
        """What requests without an answer may still change.

        Raises:
            GuardError: the journal cannot be read.
        """
        if not (self.plans.state_dir / FILE).exists():
            return OnItsWay()
        return await to_thread.run_sync(self.journal.on_its_way, SETTLED_AFTER)

    async def settle_cut_short_unless_busy(self) -> None:
        """The same, from outside of any change. While one is under way, here or in another server, it does nothing."""
        if not (self.plans.state_dir / FILE).exists():
            return
        if await to_thread.run_sync(self.journal.unfinished, self.principal):
            with suppress(Busy):
                async with alone(self.plans.state_dir, patience_s=0):
                    await self.settle_cut_short()

    async def _settled(
        self, action: Action, mailbox: Mailbox, plan: Plan, said: Verdict, *, unattended: bool
    ) -> Changes:
        await self._nothing_on_its_way(plan)
        if time_left_s() < LIMITS.change_begins_s:
            # Before the plan is taken, so that it can be used by the next call.
            raise NoTime
        # Again, now that nobody else can spend what is left of a cap.
        if refusal := await self._over_limits(action, plan.draft, plan.id):
            return refusal
        if unattended and await self._objection(plan.draft):
            return await self._confirmation_required(plan)
        if not await self._claim(plan, said, unattended=unattended):
            return await self._not_claimed(action, plan)
        if not unattended:
            return await self._carry_out(action, mailbox, plan)
        done = await self._carry_out(action, replace(mailbox, unattended_at=self.now()), plan)
        return answers.by_policy(done, plan)

    async def _carry_out(self, action: Action, mailbox: Mailbox, plan: Plan) -> Changes:
        record = Record(self.journal, plan.id, self.principal, action.tool)
        purge = plan.draft.severity == "irreversible"
        left_out = await still_left_out(mailbox, plan.draft.left_out or {}, purge=purge)
        execution = await action.carry_out(mailbox, plan.draft, self.stop_file.exists, record)
        execution.outcomes = left_out | execution.outcomes
        done = answers.carried_out(plan, execution, self.undo_command)
        try:
            if not execution.in_doubt:  # else the operation stays open, to be settled by reading
                await record.done(done.status, execution.outcomes)
        except GuardError:
            # Not the error's own words: something may have been deleted.
            return answers.unrecorded(done)
        return done

    async def _nothing_on_its_way(self, plan: Plan) -> None:
        """Settle what earlier requests left open, and see that none for these messages may yet arrive."""
        with suppress(RingCentralError):
            await self.settle_cut_short()
        on_its_way = await self.on_its_way()
        is_retention = plan.draft.period_in_force is not None
        named = {t.id for t in plan.draft.targets}
        if named & (on_its_way.deletes | on_its_way.restores) or (is_retention and on_its_way.retention):
            raise InDoubt

    async def _over_limits(self, action: Action, draft: Draft, operation: str | None = None) -> Changes | None:
        over = await to_thread.run_sync(over_limits, self.policy, draft, self.journal, self.principal)
        if over is None:
            return None
        return await self._refuse(action, "limits", f"The operator's limits do not allow it: {over}.", operation)

    async def _objection(self, draft: Draft) -> str | None:
        return await to_thread.run_sync(objection, self.policy, draft, self.journal, self.principal)

    def _digest(self, action: Action, mailbox: Mailbox) -> str:
        where = {"account_id": mailbox.account_id, "extension_id": mailbox.extension_id}
        return digest_of(self.principal, action.tool, {**action.arguments, **where})

    async def _stored(
        self, action: Action, mailbox: Mailbox, plan_id: str | None, *, answering: bool
    ) -> Plan | Changes | None:
        digest = self._digest(action, mailbox)
        if plan_id is None:
            return await to_thread.run_sync(self.plans.latest_asked, digest) if answering else None
        found = await to_thread.run_sync(self.plans.get, plan_id)
        if found is None and await self._was_begun(plan_id):
            return await self._spent(action, plan_id, "used")
        if found is None or found[0].digest != digest:
            return await self._refuse(
                action,
                "no_such_plan",
                "There is no such plan for this call: it expired, or it was made for other arguments. "
                "Call again without plan_id for a new one.",
            )
        plan, state = found
        return await self._spent(action, plan.id, state) if state in {"used", "denied"} else plan

    async def _was_begun(self, plan_id: str) -> bool:
        """Whether it was carried out, though the plan itself is forgotten."""
        operation = await to_thread.run_sync(self.journal.operation, plan_id)
        return operation is not None and operation.principal == self.principal and operation.begun is not None

    async def _drafted(self, action: Action, mailbox: Mailbox) -> Draft:
        try:
            return await action.draft(mailbox, self.now(), self.zone)
        except GuardError:
            await self.note(action.tool, "refused", reason="not_plannable")
            raise

    async def _nothing_to_do(self, action: Action, draft: Draft) -> Changes:
        if draft.protected:
            ids = [i for i, word in (draft.left_out or {}).items() if word == "skipped"]
            await self.note(action.tool, "refused", reason="protected", action=draft.preview.action, ids=ids)
        return answers.nothing_to_do(draft)

    async def _planned(self, action: Action, mailbox: Mailbox, draft: Draft) -> Plan:
        digest = self._digest(action, mailbox)
        whose = {
            "principal": self.principal,
            "account_id": mailbox.account_id,
            "extension_id": mailbox.extension_id,
        }
        return await to_thread.run_sync(partial(self.plans.add, action.tool, digest, draft, **whose))

    async def _claim(self, plan: Plan, said: Verdict, *, unattended: bool) -> bool:
        """Take the plan, if what was said is enough for it. What a model says never is for what is final."""
        only_approved = said == "not_asked" and self._needs_terminal(plan) and not unattended
        waiting: tuple[State, ...] = () if only_approved else ("asked",) if said == "yes" else ("open",)
        by: Channel = "policy" if unattended else "client" if said == "yes" else "chat"
        return await to_thread.run_sync(partial(self.plans.claim, plan.id, *waiting, "approved", by=by))

    async def _not_claimed(self, action: Action, plan: Plan) -> Changes:
        found = await to_thread.run_sync(self.plans.get, plan.id)
        if found is None or found[1] in {"used", "denied"}:
            state = found[1] if found else "used" if await self._was_begun(plan.id) else "expired"
            return await self._spent(action, plan.id, state)
        await self.note(action.tool, "refused", plan.id, reason="not_approved")
        return answers.not_approved(plan, self.approve_command)

    def _needs_terminal(self, plan: Plan) -> bool:
        return plan.draft.severity == "irreversible" or self.approval == "human"

    async def _confirmation_required(self, plan: Plan) -> Changes:
        against = await self._objection(plan.draft) if plan.draft.misfits is not None else None
        command = self.approve_command if self._needs_terminal(plan) else None
        return answers.confirmation_required(plan, against, command)

    async def _spent(self, action: Action, plan_id: str, state: State | Literal["expired"]) -> Changes:
        if state == "used":
            await self.note(action.tool, "refused", plan_id, reason=state)
            return answers.used(plan_id)
        was = "was denied by a person" if state == "denied" else "has expired"
        return await self._refuse(action, state, f"Plan {plan_id} {was}.", plan_id)

    async def _refuse(self, action: Action, reason: str, said: str, operation: str | None = None) -> Changes:
        # The journal gets the word, not the sentence: that may name what the journal must not hold.
        await self.note(action.tool, "refused", operation, reason=reason)
        return Changes(status="refused", said=f"{said} {NOTHING_DONE}")
