"""Answers to calls of destructive tools: what happened, what did not, and what to do next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from rc_mcp.guard.execution import Execution
from rc_mcp.guard.preview import CONFIRM
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state.plans import Plan, PlanDraft
from rc_mcp.views.changes import ChangeResult, OutcomeWord, Status, overall, tally

CHANGED_NOTHING = "This call changed nothing."
READ_FIRST = (
    "Before doing anything else, read the unknown messages again. A request for them may still arrive, so for one "
    "minute no other is sent for them. No delete was retried."
)


Window = Literal["app", "browser"]
"""Where the user looks at the inbox page and decides: inside the assistant's app, or in their own browser."""
_SHOWN = {
    "app": "The plan is shown to the user in the inbox window of this answer",
    "browser": "The plan is on the inbox page, which was opened in the user's browser",
}


@dataclass(frozen=True, slots=True)
class Way:
    """How a user can approve a plan for which the model's word is not enough."""

    window: Window | None
    """Where the plan is shown to them."""
    approve_command: str
    """What they type in their own terminal before the plan's id."""
    approve_page: str | None = None
    """The address of the page where they approve instead, if they have no terminal on the server's machine."""

    @property
    def approve_in(self) -> Literal["terminal", "app", "browser"]:
        return self.window or ("browser" if self.approve_page else "terminal")

    def next_step(self, plan: Plan, zone: tzinfo) -> str:
        again = "call this tool again with the same arguments and this plan_id"
        if self.approve_page:
            shown = f"{_SHOWN[self.window]}. If they see none, they" if self.window else "The user"
            return (
                f"{shown} must open {self.approve_page} in their own browser, log in and approve plan {plan.id} there. "
                f"That carries it out. Give them the address, show the preview, and wait. Then {again} for the result. "
                f"The plan expires at {_clock(plan, zone)}."
            )
        command = f"`{self.approve_command} {plan.id}`"
        if self.window is None:
            return (
                f"The user must run {command} in their own terminal. Say so, show the preview, and wait. Then {again}. "
                f"The plan expires at {_clock(plan, zone)}."
            )
        return (
            f"{_SHOWN[self.window]}, which carries it out once they approve it there. Say so, and wait. If they see "
            f"none, they can run {command} in their own terminal; then {again}. It expires at {_clock(plan, zone)}."
        )


def confirmation_required(plan: Plan, against: str | None, way: Way | None, zone: tzinfo) -> ChangeResult:
    """Report that the user must approve. `way`: how they can, if their yes in the chat is not enough."""
    why = f" The operator's unattended rules do not cover it: {against}." if against else ""
    in_chat = (
        "Show the user this preview and wait for their approval. Only then call this tool again with the same "
        f"arguments and plan_id {plan.id}. The plan expires at {_clock(plan, zone)}."
    )
    return ChangeResult(
        status="confirmation_required",
        said=f"Not done yet: the user must approve it first.{why} {NOTHING_DONE}",
        outcomes=dict(plan.draft.left_out or {}),
        plan_id=plan.id,
        approve_in=way.approve_in if way else "chat",
        preview=plan.draft.preview,
        next=way.next_step(plan, zone) if way else in_chat,
    )


def not_approved(plan: Plan, way: Way, zone: tzinfo) -> ChangeResult:
    """Refuse a plan that the user has not approved in the required way."""
    return ChangeResult(
        status="refused",
        said=f"The user has not approved plan {plan.id}. {NOTHING_DONE}",
        plan_id=plan.id,
        approve_in=way.approve_in,
        preview=plan.draft.preview,
        next=way.next_step(plan, zone),
    )


def declined(plan: Plan) -> ChangeResult:
    """Report that the user declined."""
    said = f"The user did not approve it. {NOTHING_DONE}"
    return ChangeResult(status="declined", said=said, preview=plan.draft.preview)


def not_confirmed(plan: Plan) -> ChangeResult:
    """Report that the question was accepted without the tick or the phrase that makes it an approval."""
    lacking = "the phrase was not typed as shown" if plan.draft.phrase else f"“{CONFIRM}” was not ticked"
    said = f"The question was accepted, but {lacking}, so it is not approved. {NOTHING_DONE}"
    return ChangeResult(status="declined", said=said, preview=plan.draft.preview)


def used(plan_id: str, tool: str, known: Mapping[str, OutcomeWord]) -> ChangeResult:
    """Refuse a plan that was used before. Only RingCentral shows the result: the plan may have been interrupted.

    `known`: the outcomes that the journal has.
    """
    reading = "read_message_store_configuration" if tool == "update_message_store_configuration" else "read_message"
    then = f" Its outcomes then: {tally(known)}." if known else ""
    said = f"Plan {plan_id} has already been used; use {reading} to see the result.{then} {CHANGED_NOTHING}"
    return ChangeResult(status="refused", said=said)


def rehearsal(draft: PlanDraft, against: str | None) -> ChangeResult:
    """Report what a dry run would have done, and whether the user would have been asked."""
    how = f"after the user approves it ({against})" if against else "without asking the user"
    return ChangeResult(
        status="refused",
        said=f"The operator's policy makes this a dry run: the plan would be carried out {how}. {NOTHING_DONE}",
        outcomes={**(draft.left_out or {}), **dict.fromkeys((t.id for t in draft.targets), "skipped")},
        preview=draft.preview,
    )


def nothing_to_do(draft: PlanDraft) -> ChangeResult:
    """Report that the request would change nothing."""
    outcomes: dict[str, OutcomeWord] = dict(draft.left_out or {})
    skipped = "".join(f" {sentence}" for sentence in _skipped(draft))
    if draft.protected:
        return ChangeResult(status="refused", said=f"{skipped[1:]} {NOTHING_DONE}", outcomes=outcomes)
    why = f" ({tally(outcomes)})" if outcomes else ""
    said = f"There was nothing to do{why}.{skipped} {NOTHING_DONE}"
    return ChangeResult(status="nothing_to_do", said=said, outcomes=outcomes)


def carried_out(plan: Plan, execution: Execution, undo_command: str | None) -> ChangeResult:
    """Report the outcome of each message, with one status that is true of all of them."""
    draft = plan.draft
    outcomes = execution.outcomes
    status = execution.status or overall(outcomes)
    problem = execution.problem if status != "done" else None
    if status == "nothing_to_do" and (problem or execution.note):
        status = "failed"
    if draft.severity == "reversible" and "purged" in execution.outcomes.values():
        status = "unknown" if status == "unknown" else "partial"
        problem = (
            "Some messages were purged although only a delete was approved: another app, or an earlier request that "
            "arrived late, deleted them too. This cannot be undone."
        )
    if status == "done" and draft.unseen:
        status = "partial"
    counted = f"{tally(outcomes)}." if outcomes else "Done." if status == "done" else None
    not_done = _not_done(status, execution, purge=draft.severity == "irreversible")
    return ChangeResult(
        status=status,
        said=" ".join(part for part in (counted, problem, execution.note, *_skipped(draft), not_done) if part),
        outcomes=outcomes,
        operation_id=plan.id,
        next=_what_now(plan, execution, undo_command),
    )


def by_policy(done: ChangeResult, plan: Plan) -> ChangeResult:
    """Add that the operator's policy approved the plan."""
    said = f"The operator's policy approved this, so the user was not asked. {done.said}"
    return done.model_copy(update={"said": said, "preview": plan.draft.preview})


def unrecorded(done: ChangeResult) -> ChangeResult:
    """Add that the journal lacks this result. The server reads it from the mailbox at its next start."""
    said = f"The journal could not be written; the operator must fix the state folder. {done.said}"
    return done.model_copy(update={"said": said})


def _not_done(status: Status, execution: Execution, *, purge: bool) -> str | None:
    """Return the sentence that says how many messages were not deleted, if any."""
    words = [word for word in execution.outcomes.values() if word in {"skipped", "failed"}]
    if status == "failed" and words:
        return NOTHING_DONE
    word = "purged" if purge else "deleted"
    return f"{len(words)} {'was' if len(words) == 1 else 'were'} not {word}." if words else None


def _what_now(plan: Plan, execution: Execution, undo_command: str | None) -> str | None:
    outcomes = execution.outcomes
    if execution.in_doubt and outcomes:
        return READ_FIRST
    if "deleted" in outcomes.values():
        return f"To undo: patch_message{f', or the user runs `{undo_command} {plan.id}`' if undo_command else ''}."
    return None


def _clock(plan: Plan, zone: tzinfo) -> str:
    """Return when the plan expires, in the user's time zone: `07:11:05 PST`."""
    return f"{plan.expires.astimezone(zone):%H:%M:%S %Z}"


def _skipped(draft: PlanDraft) -> Iterator[str]:
    """Yield the sentences about messages that the outcomes do not explain."""
    if draft.protected:
        yield f"Skipped {draft.protected} message{'' if draft.protected == 1 else 's'} that the operator protects."
    if draft.unseen:
        yield f"Skipped {draft.unseen} more that could not be read."
