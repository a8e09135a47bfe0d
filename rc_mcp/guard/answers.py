"""What the caller of a destructive tool is told: what happened, what did not, and what to do now."""

from collections.abc import Iterator
from datetime import tzinfo

from rc_mcp.guard.database import NOTHING_DONE
from rc_mcp.guard.deletion import Execution
from rc_mcp.guard.plans import Draft, Plan
from rc_mcp.views.changes import Changes, OutcomeWord, Status, overall, tally


def confirmation_required(plan: Plan, against: str | None, approve_command: str | None, zone: tzinfo) -> Changes:
    """Nothing yet: a person has to agree. `approve_command`: where only their own terminal will do."""
    why = f" It is not covered by what the operator lets happen unattended: {against}." if against else ""
    in_chat = (
        "Show the user this preview and wait for their yes. Only then call this tool again with the same "
        f"arguments and plan_id {plan.id}. It expires at {_clock(plan, zone)}."
    )
    return Changes(
        status="confirmation_required",
        said=f"Not done yet: a person has to agree first.{why} {NOTHING_DONE}",
        outcomes=dict(plan.draft.left_out or {}),
        plan_id=plan.id,
        approve_in="terminal" if approve_command else "chat",
        preview=plan.draft.preview,
        next=_terminal_step(plan, approve_command, zone) if approve_command else in_chat,
    )


def not_approved(plan: Plan, approve_command: str, zone: tzinfo) -> Changes:
    """The model's word is not enough for this plan."""
    return Changes(
        status="refused",
        said=f"Plan {plan.id} has not been approved by a person. {NOTHING_DONE}",
        plan_id=plan.id,
        approve_in="terminal",
        preview=plan.draft.preview,
        next=_terminal_step(plan, approve_command, zone),
    )


def declined(plan: Plan) -> Changes:
    """A person said no, or nothing that counts as a yes."""
    said = f"The person did not agree. {NOTHING_DONE}"
    return Changes(status="declined", said=said, preview=plan.draft.preview)


def used(plan_id: str) -> Changes:
    """It may have been cut short: what it did is for the mailbox to say."""
    said = f"Plan {plan_id} was used already: read_message says what became of its messages. This call did nothing."
    return Changes(status="refused", said=said)


def rehearsal(draft: Draft, against: str | None) -> Changes:
    """A dry run: what would have been done, and how."""
    how = f"once a person has agreed, as {against}" if against else "without a question"
    return Changes(
        status="refused",
        said=f"This is a dry run, by the operator's policy: the plan would be carried out {how}. {NOTHING_DONE}",
        outcomes={**(draft.left_out or {}), **dict.fromkeys((t.id for t in draft.targets), "skipped")},
        preview=draft.preview,
    )


def nothing_to_do(draft: Draft) -> Changes:
    """There was nothing that could have been asked about."""
    outcomes: dict[str, OutcomeWord] = dict(draft.left_out or {})
    left_alone = "".join(f" {sentence}" for sentence in _left_alone(draft))
    if draft.protected:
        return Changes(status="refused", said=f"{left_alone[1:]} {NOTHING_DONE}", outcomes=outcomes)
    why = f" ({tally(outcomes)})" if outcomes else ""
    said = f"There was nothing to do{why}.{left_alone} {NOTHING_DONE}"
    return Changes(status="nothing_to_do", said=said, outcomes=outcomes)


def carried_out(plan: Plan, execution: Execution, undo_command: str | None) -> Changes:
    """What became of each message, in one status that is true of all of them."""
    draft = plan.draft
    outcomes = execution.outcomes
    status = execution.status or overall(outcomes)
    problem = execution.problem if status != "done" else None
    if status == "nothing_to_do" and (problem or execution.note):
        status = "failed"
    if draft.severity == "reversible" and "purged" in execution.outcomes.values():
        status = "unknown" if status == "unknown" else "partial"
        problem = (
            "Some are Purged though only a delete was agreed to: they were deleted twice, by something else or by an "
            "earlier request that came late. It is final."
        )
    if status == "done" and draft.unseen:
        status = "partial"
    counted = f"{tally(outcomes)}." if outcomes else "Done." if status == "done" else None
    not_done = _not_done(status, execution, purge=draft.severity == "irreversible")
    return Changes(
        status=status,
        said=" ".join(part for part in (counted, problem, execution.note, *_left_alone(draft), not_done) if part),
        outcomes=outcomes,
        operation_id=plan.id,
        next=_what_now(plan, execution, undo_command),
    )


def by_policy(done: Changes, plan: Plan) -> Changes:
    """The same, where nobody was asked."""
    said = f"Approved by the operator's policy, so nobody was asked. {done.said}"
    return done.model_copy(update={"said": said, "preview": plan.draft.preview})


def unrecorded(done: Changes) -> Changes:
    """The same, where the journal does not say so. The next start reads what became of the messages."""
    said = f"The journal could not be written; the operator must fix the state folder. {done.said}"
    return done.model_copy(update={"said": said})


def _not_done(status: Status, execution: Execution, *, purge: bool) -> str | None:
    """The last words of an answer about messages that were to be deleted, and were not, or not yet."""
    words = [word for word in execution.outcomes.values() if word in {"skipped", "failed"}]
    if status == "failed" and words:
        return NOTHING_DONE
    word = "purged" if purge else "deleted"
    return f"{len(words)} {'was' if len(words) == 1 else 'were'} not {word}." if words else None


def _what_now(plan: Plan, execution: Execution, undo_command: str | None) -> str | None:
    outcomes = execution.outcomes
    if execution.in_doubt and outcomes:
        return (
            "Read the unknown messages again before anything else. A request for them may still arrive, so for a "
            "minute nothing more is sent for them. No delete was retried."
        )
    if "deleted" in outcomes.values():
        return f"To undo: patch_message{f', or the user runs `{undo_command} {plan.id}`' if undo_command else ''}."
    return None


def _terminal_step(plan: Plan, approve_command: str, zone: tzinfo) -> str:
    return (
        f"The user has to run `{approve_command} {plan.id}` in their own terminal. Tell them, show the "
        "preview, and wait. Then call this tool again with the same arguments and this plan_id. "
        f"It expires at {_clock(plan, zone)}."
    )


def _clock(plan: Plan, zone: tzinfo) -> str:
    """When it expires, by the user's clock: `07:11:05 PST`."""
    return f"{plan.expires.astimezone(zone):%H:%M:%S %Z}"


def _left_alone(draft: Draft) -> Iterator[str]:
    """What is not among the outcomes, or for another reason than these tell."""
    if draft.protected:
        who = "1 message is" if draft.protected == 1 else f"{draft.protected} messages are"
        yield f"{who} protected by the operator and left alone."
    if draft.unseen:
        yield f"{draft.unseen} more could not be read and {'was' if draft.unseen == 1 else 'were'} left alone."
