"""Carrying out a plan, whichever tool made it and wherever the user approved it."""

from rc_mcp.guard.actions.retention import set_retention
from rc_mcp.guard.execution import Execution, delete_by_id
from rc_mcp.guard.mailbox import Mailbox
from rc_mcp.guard.state.journal import Record
from rc_mcp.guard.state.plans import PlanDraft


async def carry_out(mailbox: Mailbox, draft: PlanDraft, record: Record) -> Execution:
    """Carry out the plan and no more. Each request is journaled before it is sent; RingCentral's errors are reported.

    Conversations are deleted by message id too: a plan names its messages (`actions/conversations.py` says why).
    """
    if draft.retention_period is not None:
        return await set_retention(mailbox, draft, draft.retention_period, record)
    return await delete_by_id(mailbox, draft.targets, purge=draft.severity == "irreversible", record=record)
