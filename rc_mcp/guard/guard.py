"""The one way to anything destructive: plan, approve, execute, verify. It fails closed.

A tool calls `propose` (as a resolver, so that the client can be asked about the plan) and then `settle` with
the answer. In the 2026-07-28 protocol a call is run again when the answer comes; `propose` then finds the
stored plan, so that the question is the same word for word and the answer cannot fit another plan.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from anyio import to_thread
from mcp.server.mcpserver import ElicitationResult

from rc_mcp.guard.allowance import objection, over_limits
from rc_mcp.guard.approval import Answer, Verdict, verdict
from rc_mcp.guard.database import FILE, NOTHING_DONE, GuardError
from rc_mcp.guard.deletion import Execution
from rc_mcp.guard.journal import Channel, Journal, Record
from rc_mcp.guard.plans import Draft, Plan, PlanStore, State, digest_of
from rc_mcp.guard.policy import NO_POLICY, Policy
from rc_mcp.guard.reading import Mailbox
from rc_mcp.guard.reconcile import SETTLED_AFTER, reconcile
from rc_mcp.guard.stopping import stop_file
from rc_mcp.ringcentral import MessageStoreClient, RingCentralError
from rc_mcp.ringcentral.locks import lock_on
from rc_mcp.views.changes import Changes, OutcomeWord, overall, tally

_PATIENCE_S = 30.0
"""How long one change waits for another to end."""


class Busy(GuardError):  # noqa: N818  a state, as the client's errors are
    """Another change is under way, in this server or another one of this state folder."""

    def __init__(self) -> None:
        super().__init__(f"Another change is still being carried out. Call again in a moment. {NOTHING_DONE}")


class Action(Protocol):
    """One destructive request: what it was asked, how it is planned and how it is carried out."""

    tool: ClassVar[str]

    @property
    def arguments(self) -> Mapping[str, object]:
        """What its plan is bound to."""
        ...

    async def draft(self, mailbox: Mailbox, now: datetime) -> Draft:
        """What it would do, read from the mailbox."""
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

    @property
    def stop_file(self) -> Path:
        """While this file exists nothing destructive is begun, and what runs ends with the request that is out."""
        return stop_file(self.plans.state_dir)

    @property
    def journal(self) -> Journal:
        """Where every step is written down."""
        return Journal(self.plans.state_dir, self.now)

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
            proposal = _nothing_to_do(draft) if draft.changes_nothing else draft
        if isinstance(proposal, Changes):
            return proposal
        # Asked of every plan: a stored one may have been made while the server was allowed more.
        draft = proposal.draft if isinstance(proposal, Plan) else proposal
        if draft.severity == "irreversible" and not self.may_purge:
            return await self._refuse(action, "level", "This server does not do what cannot be undone.")
        if over := await self._over_limits(draft):
            return await self._refuse(action, "limits", f"The operator's limits do not allow it: {over}.")
        unattended = await self._objection(draft) is None
        if self.policy.dry_run:
            await self._rehearse(action, draft)
            return _rehearsal(draft, unattended=unattended)
        if isinstance(proposal, Plan):
            return proposal
        digest = self._digest(action, mailbox)
        whose = {"principal": self.principal, "account_id": account_id, "extension_id": extension_id}
        plan = await to_thread.run_sync(partial(self.plans.add, action.tool, digest, draft, **whose))
        # Only a plan made just now: a stored one may have been made under another policy.
        return Allowed(plan) if unattended else plan

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
            await to_thread.run_sync(self.plans.deny, plan.id, "client")
            return Changes(
                status="declined",
                said=f"The person did not agree. {NOTHING_DONE}",
                preview=plan.draft.preview,
            )
        if said == "not_asked" and not (named or unattended):
            return await self._confirmation_required(plan)
        async with self.alone():
            await self._nothing_on_its_way(plan)
            # Again, now that nobody else can spend what is left of a cap.
            if over := await self._over_limits(plan.draft):
                return await self._refuse(action, "limits", f"The operator's limits do not allow it: {over}.", plan.id)
            if unattended and await self._objection(plan.draft):
                return await self._confirmation_required(plan)
            if not await self._claim(plan, said, unattended=unattended):
                return await self._not_claimed(action, plan)
            at = self.now() if unattended else None
            mailbox = Mailbox(self.client, account_id, extension_id, self.policy, unattended_at=at)
            record = Record(self.journal, plan.id, self.principal, action.tool)
            execution = await action.carry_out(mailbox, plan.draft, self.stop_file.exists, record)
            changes = self._carried_out(plan, execution)
            if unattended:
                changes.said += " Approved by the operator's policy; nobody was asked."
                changes.preview = plan.draft.preview
            try:
                await record.done(changes.status, execution.outcomes)
            except GuardError:
                # Not the error's own words: something may have been deleted. The next start reads what became of it.
                changes.said += " The journal could not be written; a person has to mend the state folder."
            return changes

    async def settle_cut_short(self) -> None:
        """Find out what became of what was cut short. To be called `alone`.

        Raises:
            RingCentralError: not now. What is not settled is left for later.
            GuardError: the journal cannot be used.
        """
        await reconcile(self.journal, self.client, self.principal, self.now())

    async def settle_cut_short_unless_busy(self) -> None:
        """The same, from outside of any change. While one is under way, here or in another server, it does nothing."""
        if not (self.plans.state_dir / FILE).exists():
            return
        if await to_thread.run_sync(self.journal.unfinished, self.principal):
            with suppress(Busy):
                async with self.alone(patience_s=0):
                    await self.settle_cut_short()

    @asynccontextmanager
    async def alone(self, patience_s: float = _PATIENCE_S) -> AsyncGenerator[None]:
        """One change at a time, over all servers on this state folder.

        Two plans may name the same message. If both were re-read before either was deleted, the second DELETE would
        purge what the first had deleted.

        Raises:
            Busy: others held it for that long.
            GuardError: it cannot be had.
        """
        try:
            lock = await lock_on(self.plans.state_dir / "changing.lock", patience_s)
        except OSError as error:
            fault = f"The server's state folder cannot be used ({type(error).__name__}); a person has to mend it."
            raise GuardError(f"{fault} {NOTHING_DONE}") from error
        if lock is None:
            raise Busy
        try:
            yield
        finally:
            lock.release()

    async def _nothing_on_its_way(self, plan: Plan) -> None:
        """An earlier request of ours for one of these messages may not have arrived yet: a second would purge it."""
        with suppress(RingCentralError):
            await self.settle_cut_short()
        recently = self.now() - SETTLED_AFTER
        if await to_thread.run_sync(self.journal.in_doubt, recently) & {t.id for t in plan.draft.targets}:
            raise GuardError(
                "An earlier delete of some of these messages was cut short, and may not have arrived yet. "
                f"Call again in {SETTLED_AFTER.seconds} seconds. {NOTHING_DONE}"
            )

    async def _over_limits(self, draft: Draft) -> str | None:
        return await to_thread.run_sync(over_limits, self.policy, draft, self.journal, self.now())

    async def _objection(self, draft: Draft) -> str | None:
        return await to_thread.run_sync(objection, self.policy, draft, self.journal, self.now())

    async def _rehearse(self, action: Action, draft: Draft) -> None:
        details = {"action": draft.preview.action, "ids": [t.id for t in draft.targets]}
        who = {"operation": None, "principal": self.principal, "tool": action.tool}
        await to_thread.run_sync(partial(self.journal.append, "rehearsed", **who, details=details))

    def _digest(self, action: Action, mailbox: Mailbox) -> str:
        where = {"account_id": mailbox.account_id, "extension_id": mailbox.extension_id}
        return digest_of(self.principal, action.tool, {**action.arguments, **where})

    async def _drafted(self, action: Action, mailbox: Mailbox) -> Draft:
        try:
            return await action.draft(mailbox, self.now())
        except GuardError:
            await self._note_refusal(action, "not_plannable")
            raise

    async def _stored(
        self, action: Action, mailbox: Mailbox, plan_id: str | None, *, answering: bool
    ) -> Plan | Changes | None:
        digest = self._digest(action, mailbox)
        if plan_id is None:
            return await to_thread.run_sync(self.plans.latest_open, digest) if answering else None
        found = await to_thread.run_sync(self.plans.get, plan_id)
        if found is None or found[0].digest != digest:
            return await self._refuse(
                action,
                "no_such_plan",
                "There is no such plan for this call: it expired, or it was made for other arguments. "
                "Call again without plan_id for a new one.",
            )
        plan, state = found
        return await self._spent(action, plan, state) if state in {"used", "denied"} else plan

    async def _claim(self, plan: Plan, said: Verdict, *, unattended: bool) -> bool:
        """Take the plan, if what was said is enough for it. What a model says never is for what is final."""
        only_approved = said == "not_asked" and self._needs_terminal(plan) and not unattended
        states: tuple[State, ...] = ("approved",) if only_approved else ("open", "approved")
        by: Channel = "policy" if unattended else "client" if said == "yes" else "chat"
        return await to_thread.run_sync(partial(self.plans.claim, plan.id, *states, by=by))

    async def _not_claimed(self, action: Action, plan: Plan) -> Changes:
        found = await to_thread.run_sync(self.plans.get, plan.id)
        if found is None or found[1] in {"used", "denied"}:
            return await self._spent(action, plan, found[1] if found else "expired")
        await self._note_refusal(action, "not_approved", plan.id)
        return Changes(
            status="refused",
            said=f"Plan {plan.id} has not been approved by a person. {NOTHING_DONE}",
            plan_id=plan.id,
            approve_in="terminal",
            preview=plan.draft.preview,
            next=self._terminal_step(plan),
        )

    def _needs_terminal(self, plan: Plan) -> bool:
        return plan.draft.severity == "irreversible" or self.approval == "human"

    async def _confirmation_required(self, plan: Plan) -> Changes:
        against = await self._objection(plan.draft) if plan.draft.misfits is not None else None
        why = f" It is not covered by what the operator lets happen unattended: {against}." if against else ""
        in_terminal = self._needs_terminal(plan)
        in_chat = (
            "Show the user this preview and wait for their yes. Only then call this tool again with the same "
            f"arguments and plan_id {plan.id}. It expires at {plan.expires:%H:%M:%S} UTC."
        )
        return Changes(
            status="confirmation_required",
            said=f"Not done yet: a person has to agree first.{why} {NOTHING_DONE}",
            outcomes=dict(plan.draft.left_out or {}),
            plan_id=plan.id,
            approve_in="terminal" if in_terminal else "chat",
            preview=plan.draft.preview,
            next=self._terminal_step(plan) if in_terminal else in_chat,
        )

    def _terminal_step(self, plan: Plan) -> str:
        return (
            f"The user has to run `{self.approve_command} {plan.id}` in their own terminal. Tell them, show the "
            "preview, and wait. Then call this tool again with the same arguments and this plan_id. "
            f"It expires at {plan.expires:%H:%M:%S} UTC."
        )

    async def _spent(self, action: Action, plan: Plan, state: State | Literal["expired"]) -> Changes:
        if state != "used":
            was = "was denied by a person" if state == "denied" else "has expired"
            return await self._refuse(action, state, f"Plan {plan.id} {was}.", plan.id)
        await self._note_refusal(action, "used", plan.id)
        # It may have been cut short: what it did is for the mailbox to say.
        said = f"Plan {plan.id} was used already; this call did nothing. read_message says what became of its messages."
        return Changes(status="refused", said=said)

    async def _refuse(self, action: Action, reason: str, said: str, operation: str | None = None) -> Changes:
        await self._note_refusal(action, reason, operation)
        return Changes(status="refused", said=f"{said} {NOTHING_DONE}")

    async def _note_refusal(self, action: Action, reason: str, operation: str | None = None) -> None:
        # A word of ours, not a sentence: those may name what the journal must not hold.
        who = {"operation": operation, "principal": self.principal, "tool": action.tool}
        await to_thread.run_sync(partial(self.journal.append, "refused", **who, details={"reason": reason}))

    def _carried_out(self, plan: Plan, execution: Execution) -> Changes:
        draft = plan.draft
        outcomes: dict[str, OutcomeWord] = {**(draft.left_out or {}), **execution.outcomes}
        status = execution.status or overall(outcomes)
        problem = execution.problem if status != "done" else None
        if status == "nothing_to_do" and (problem or execution.note):
            status = "failed"
        purged = draft.severity == "reversible" and "purged" in execution.outcomes.values()
        if purged:
            status = "unknown" if status == "unknown" else "partial"
            problem = (
                "Some are Purged though only a delete was agreed to: something else deleted them too. It is final."
            )
        next_step = None
        if "unknown" in outcomes.values():
            next_step = "Read the messages marked unknown before anything else; nothing was tried twice."
        elif "deleted" in execution.outcomes.values():
            command = f", or the user runs `{self.undo_command} {plan.id}`" if self.undo_command else ""
            next_step = f"To undo: patch_message{command}."
        counted = f"{tally(outcomes)}." if outcomes else "Done." if status == "done" else None
        protected = _protected(draft) if draft.protected else None
        return Changes(
            status=status,
            said=" ".join(part for part in (counted, problem, execution.note, protected) if part),
            outcomes=outcomes,
            operation_id=plan.id,
            next=next_step,
        )


def _rehearsal(draft: Draft, *, unattended: bool) -> Changes:
    how = "without a question" if unattended else "once a person has agreed"
    return Changes(
        status="refused",
        said=f"This is a dry run, by the operator's policy: the plan would be carried out {how}. {NOTHING_DONE}",
        outcomes={**(draft.left_out or {}), **dict.fromkeys((t.id for t in draft.targets), "skipped")},
        preview=draft.preview,
    )


def _protected(draft: Draft) -> str:
    who = "1 message is" if draft.protected == 1 else f"{draft.protected} messages are"
    return f"{who} protected by the operator and left alone."


def _nothing_to_do(draft: Draft) -> Changes:
    outcomes: dict[str, OutcomeWord] = dict(draft.left_out or {})
    if draft.protected:
        return Changes(status="refused", said=f"{_protected(draft)} {NOTHING_DONE}", outcomes=outcomes)
    why = f" ({tally(outcomes)})" if outcomes else ""
    return Changes(status="nothing_to_do", said=f"There was nothing to do{why}. {NOTHING_DONE}", outcomes=outcomes)
