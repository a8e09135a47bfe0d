"""What an operator's policy has left for a plan: its caps, counted from the journal."""

from datetime import timedelta

from rc_mcp.guard.journal import Journal
from rc_mcp.guard.plans import Draft
from rc_mcp.guard.policy import Policy


def over_limits(policy: Policy, draft: Draft, journal: Journal, principal: str) -> str | None:
    """Which of the operator's limits this would break, counted over everything that went, whoever agreed. It blocks.

    Raises:
        GuardError: the journal cannot be read.
    """

    def spent(within: timedelta) -> int:
        touched = journal.touched_within(within, principal)
        return touched.deleted + touched.purged

    return policy.limits.over(len(draft.targets), spent)


def objection(policy: Policy, draft: Draft, journal: Journal, principal: str) -> str | None:
    """Why this may not be done unattended; None: it may. It blocks.

    Raises:
        GuardError: the journal cannot be read.
    """
    purge = draft.severity == "irreversible"

    def spent(within: timedelta) -> int:
        touched = journal.touched_within(within, principal, by="policy")
        return touched.purged if purge else touched.deleted

    return policy.objection(draft.misfits, len(draft.targets), spent, purge=purge)
