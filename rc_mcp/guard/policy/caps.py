"""The caps of the operator's policy, applied to a plan and counted from the journal."""

from datetime import timedelta

from rc_mcp.guard.policy.rules import Policy
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.plans import PlanDraft


def over_limits(policy: Policy, draft: PlanDraft, journal: Journal, principal: str) -> str | None:
    """Return the operator's limit that this plan would break, counting all deletions, however approved. It blocks."""

    def spent(within: timedelta) -> int:
        touched = journal.touched_within(within, principal)
        return touched.deleted + touched.purged

    return policy.limits.over(len(draft.targets), spent)


def objection(policy: Policy, draft: PlanDraft, journal: Journal, principal: str) -> str | None:
    """Return why this plan may not be carried out unattended, or None if it may. It blocks."""
    purge = draft.severity == "irreversible"

    def spent(within: timedelta) -> int:
        touched = journal.touched_within(within, principal, by="policy")
        return touched.purged if purge else touched.deleted

    return policy.objection(draft.misfits, len(draft.targets), spent, purge=purge)
