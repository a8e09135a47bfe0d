"""The one way to anything destructive: plan, approve, execute, verify. It fails closed.

A tool calls `propose` (as a resolver, so that the client can be asked about the plan) and then `settle` with
the answer. In the 2026-07-28 protocol a call is run again when the answer comes; `propose` then finds the
stored plan, so that the question is the same word for word and the answer cannot fit another plan.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from anyio import to_thread
from mcp.server.mcpserver import ElicitationResult

from rc_mcp.guard.approval import Answer, Verdict, verdict
from rc_mcp.guard.database import NOTHING_DONE
from rc_mcp.guard.deletion import Execution
from rc_mcp.guard.journal import Channel, Journal
from rc_mcp.guard.plans import Draft, GuardError, Plan, PlanStore, State, digest_of
from rc_mcp.guard.policy import NO_POLICY, Policy
from rc_mcp.guard.reading import Mailbox
from rc_mcp.ringcentral import MessageStoreClient
from rc_mcp.ringcentral.locks import lock_on
from rc_mcp.views.changes import Changes, OutcomeWord, overall, tally

_PATIENCE_S = 30.0
"""How long one change waits for another to end."""


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

    async def carry_out(self, mailbox: Mailbox, draft: Draft, stopped: Callable[[], bool]) -> Execution:
        """Do what the plan says, and no more."""
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
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def journal(self) -> Journal:
        """What was asked, agreed to, sent and seen."""
        return Journal(self.plans.state_dir, self.now)

    @property
    def stop_file(self) -> Path:
        """While this file exists nothing destructive is begun, and what runs ends after its current batch."""
        return self.plans.state_dir / "STOP"

    async def propose(
        self, action: Action, account_id: str, extension_id: str, *, plan_id: str | None, answering: bool
    ) -> Proposal:
        """The plan this call is about: the one it names, the one just asked about, or a fresh one.

        Raises:
            RingCentralError: the mailbox could not be read.
            GuardError: the request cannot be planned.
        """
        if self.stop_file.exists():
            return _refusal("A person stopped all deletions (the STOP file in the state folder).")
        digest = self._digest(action, account_id, extension_id)
        proposal = await self._stored(digest, plan_id, answering=answering)
        if proposal is None:
            draft = await action.draft(Mailbox(self.client, account_id, extension_id, self.policy), self.now())
            proposal = _nothing_to_do(draft) if draft.changes_nothing else draft
        if isinstance(proposal, Changes):
            return proposal
        # Asked of every plan: a stored one may have been made while the server was allowed more.
        draft = proposal.draft if isinstance(proposal, Plan) else proposal
        if draft.severity == "irreversible" and not self.may_purge:
            return _refusal("This server does not do what cannot be undone.")
        if over := await self._over_limits(draft):
            return _refusal(f"The operator's limits do not allow it: {over}.")
        objection = await self._objection(draft)
        if self.policy.dry_run:
            await self._rehearsed(action, draft)
            return _rehearsal(draft, unattended=objection is None)
        if isinstance(proposal, Plan):
            return proposal
        whose = {"principal": self.principal, "account_id": account_id, "extension_id": extension_id}
        plan = await to_thread.run_sync(partial(self.plans.add, action.tool, digest, draft, **whose))
        # Only a plan made just now: a stored one may have been made under another policy.
        return plan if objection else Allowed(plan)

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
        if said == "not_asked" and not named and not unattended:
            return await self._confirmation_required(plan)
        async with self._alone():
            # Again, now that nobody else can spend what is left of a cap.
            if over := await self._over_limits(plan.draft):
                return _refusal(f"The operator's limits do not allow it: {over}.")
            if unattended and await self._objection(plan.draft):
                return await self._confirmation_required(plan)
            if not await self._claim(plan, said, unattended=unattended):
                return await self._not_claimed(plan)
            at = self.now() if unattended else None
            mailbox = Mailbox(self.client, account_id, extension_id, self.policy, unattended_at=at)
            execution = await action.carry_out(mailbox, plan.draft, self.stop_file.exists)
        done = _carried_out(plan.draft, execution)
        return _by_policy(done, plan) if unattended else done

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """One change at a time, over all servers on this state folder.

        Two plans may name the same message. If both were re-read before either was deleted, the second DELETE would
        purge what the first had deleted.

        Raises:
            GuardError: it took too long to come by, or cannot be had.
        """
        try:
            lock = await lock_on(self.plans.state_dir / "changing.lock", _PATIENCE_S)
        except OSError as error:
            fault = f"The server's state folder cannot be used ({type(error).__name__}); a person has to mend it."
            raise GuardError(f"{fault} {NOTHING_DONE}") from error
        if lock is None:
            raise GuardError(f"Another change is still being carried out. Call again in a moment. {NOTHING_DONE}")
        try:
            yield
        finally:
            lock.release()

    async def _over_limits(self, draft: Draft) -> str | None:
        """Which of the operator's caps this would break, counted over everything that went, whoever agreed."""

        def spent(within: timedelta) -> int:
            touched = self.journal.touched_since(self.now() - within)
            return touched.deleted + touched.purged

        return await to_thread.run_sync(self.policy.limits.over, len(draft.targets), spent)

    async def _objection(self, draft: Draft) -> str | None:
        """Why this may not be done unattended; None: it may."""
        purge = draft.severity == "irreversible"

        def spent(within: timedelta) -> int:
            touched = self.journal.touched_since(self.now() - within, by="policy")
            return touched.purged if purge else touched.deleted

        n = len(draft.targets)
        return await to_thread.run_sync(partial(self.policy.objection, draft.misfits, n, spent, purge=purge))

    async def _rehearsed(self, action: Action, draft: Draft) -> None:
        details = {"action": draft.preview.action, "ids": [t.id for t in draft.targets]}
        who = {"operation": None, "principal": self.principal, "tool": action.tool}
        await to_thread.run_sync(partial(self.journal.append, "rehearsed", **who, details=details))

    def _digest(self, action: Action, account_id: str, extension_id: str) -> str:
        where = {"account_id": account_id, "extension_id": extension_id}
        return digest_of(self.principal, action.tool, {**action.arguments, **where})

    async def _stored(self, digest: str, plan_id: str | None, *, answering: bool) -> Proposal | None:
        if plan_id is None:
            return await to_thread.run_sync(self.plans.latest_open, digest) if answering else None
        found = await to_thread.run_sync(self.plans.get, plan_id)
        if found is None or found[0].digest != digest:
            return _refusal(
                "There is no such plan for this call: it expired, or it was made for other arguments. "
                "Call again without plan_id for a new one."
            )
        plan, state = found
        return _spent(plan, state) if state in {"used", "denied"} else plan

    async def _claim(self, plan: Plan, said: Verdict, *, unattended: bool) -> bool:
        """Take the plan, if what was said is enough for it. What a model says never is for what is final."""
        only_approved = said == "not_asked" and self._needs_terminal(plan) and not unattended
        states: tuple[State, ...] = ("approved",) if only_approved else ("open", "approved")
        by: Channel = "policy" if unattended else "client" if said == "yes" else "chat"
        return await to_thread.run_sync(partial(self.plans.claim, plan.id, *states, by=by))

    async def _not_claimed(self, plan: Plan) -> Changes:
        found = await to_thread.run_sync(self.plans.get, plan.id)
        if found is None or found[1] in {"used", "denied"}:
            return _spent(plan, found[1] if found else "expired")
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
        objection = await self._objection(plan.draft) if plan.draft.misfits is not None else None
        why = f" It is not covered by what the operator lets happen unattended: {objection}." if objection else ""
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


def _refusal(why: str) -> Changes:
    return Changes(status="refused", said=f"{why} {NOTHING_DONE}")


def _spent(plan: Plan, state: State | Literal["expired"]) -> Changes:
    if state == "used":
        # It may have been cut short: what it did is for the mailbox to say.
        said = f"Plan {plan.id} was used already; this call did nothing. read_message says what became of its messages."
        return Changes(status="refused", said=said)
    return _refusal(f"Plan {plan.id} {'was denied by a person' if state == 'denied' else 'has expired'}.")


def _rehearsal(draft: Draft, *, unattended: bool) -> Changes:
    how = "without a question" if unattended else "once a person has agreed"
    return Changes(
        status="refused",
        said=f"This is a dry run, by the operator's policy: the plan would be carried out {how}. {NOTHING_DONE}",
        outcomes={**(draft.left_out or {}), **dict.fromkeys((t.id for t in draft.targets), "skipped")},
        preview=draft.preview,
    )


def _by_policy(done: Changes, plan: Plan) -> Changes:
    said = f"{done.said} Approved by the operator's policy; nobody was asked."
    return done.model_copy(update={"said": said, "plan_id": plan.id, "preview": plan.draft.preview})


def _protected(draft: Draft) -> str:
    who = "1 message is" if draft.protected == 1 else f"{draft.protected} messages are"
    return f"{who} protected by the operator and left alone."


def _nothing_to_do(draft: Draft) -> Changes:
    outcomes: dict[str, OutcomeWord] = dict(draft.left_out or {})
    if draft.protected:
        return Changes(status="refused", said=f"{_protected(draft)} {NOTHING_DONE}", outcomes=outcomes)
    why = f" ({tally(outcomes)})" if outcomes else ""
    return Changes(status="nothing_to_do", said=f"There was nothing to do{why}. {NOTHING_DONE}", outcomes=outcomes)


def _carried_out(draft: Draft, execution: Execution) -> Changes:
    outcomes: dict[str, OutcomeWord] = {**(draft.left_out or {}), **execution.outcomes}
    status = execution.status or overall(outcomes)
    problem = execution.problem if status != "done" else None
    if status == "nothing_to_do" and (problem or execution.note):
        status = "failed"
    purged = draft.severity == "reversible" and "purged" in execution.outcomes.values()
    if purged:
        status = "unknown" if status == "unknown" else "partial"
        problem = "Some are Purged though only a delete was agreed to: something else deleted them too. It is final."
    unsure = "Read the messages marked unknown before anything else; nothing was tried twice."
    counted = f"{tally(outcomes)}." if outcomes else "Done." if status == "done" else None
    protected = _protected(draft) if draft.protected else None
    return Changes(
        status=status,
        said=" ".join(part for part in (counted, problem, execution.note, protected) if part),
        outcomes=outcomes,
        next=unsure if "unknown" in outcomes.values() else None,
    )
