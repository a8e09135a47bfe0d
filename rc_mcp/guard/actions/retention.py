"""Changing how long the account keeps faxes and voicemails. A shorter period erases older ones of every user."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import ClassVar

from rc_mcp.guard.execution import Execution, is_refusal, never_left, why
from rc_mcp.guard.mailbox import Mailbox
from rc_mcp.guard.preview import CANNOT_BE_UNDONE, fitted, phrase_line
from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state.coordination import unless_stopped
from rc_mcp.guard.state.journal import Record
from rc_mcp.guard.state.plans import PlanDraft
from rc_mcp.ringcentral import RingCentralError, at_once
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.views.changes import Preview
from rc_mcp.views.error_texts import in_words

PERIOD_NOT_CHANGED = "The retention period was not changed."
PERIOD_UNKNOWN = "Whether the retention period will change is unknown."
_HOW_MANY = "How many messages are erased is unknown."
_PROTECTED = "The operator protects some messages, and a shorter retention period would erase them too."


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """A request to set the retention period, in days, of a whole account."""

    retention_period: int

    tool: ClassVar[str] = "update_message_store_configuration"

    @property
    def arguments(self) -> dict[str, object]:
        return {"retention_period": self.retention_period}

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> PlanDraft:
        """Read the period in force and plan the change."""
        current = await _current(mailbox)
        if current is None:
            raise GuardError(f"RingCentral did not report the retention period in force. {NOTHING_DONE}")
        days = self.retention_period
        # An undocumented period, such as 0, may mean more or less.
        lowered = days < current or not LIMITS.min_retention_days <= current <= LIMITS.max_retention_days
        if lowered and mailbox.policy.protects_anybody:
            raise GuardError(f"{_PROTECTED} {NOTHING_DONE}")
        action = f"set the retention period from {current} to {days} days"
        phrase = f"KEEP {days} DAYS"
        what = f"older than {days} days are erased" if lowered else "are kept longer"
        effect = f"Faxes and voicemails {what}, for every extension of the account."
        consequence = [effect, *([CANNOT_BE_UNDONE, phrase_line(phrase)] if lowered else [])]
        return PlanDraft(
            severity="irreversible" if lowered else "reversible",
            question="\n".join(fitted(f"{action[0].upper()}{action[1:]}?", *consequence)),
            phrase=phrase if lowered else None,
            preview=Preview(action=action, warnings=[effect, CANNOT_BE_UNDONE, _HOW_MANY] if lowered else []),
            period_in_force=current if current != days else None,
            retention_period=days,
        )


async def set_retention(mailbox: Mailbox, draft: PlanDraft, days: int, record: Record) -> Execution:
    """Set the period unless it changed since the plan."""
    if draft.severity == "irreversible" and mailbox.policy.protects_anybody:
        return _unchanged(_PROTECTED)
    try:
        if await unless_stopped(record.journal.state.is_stopped, partial(_current, mailbox)) != draft.period_in_force:
            return _unchanged("Another user or app changed it in the meantime.")
        await record.sending_retention(days, before=draft.period_in_force)
    except (RingCentralError, GuardError) as error:
        return _unchanged(why(error))
    execution = await _set(mailbox, days)
    if execution.in_doubt:
        with suppress(GuardError):  # it stays in doubt, from when it was about to leave
            await record.sent({})
    return execution


async def _set(mailbox: Mailbox, days: int) -> Execution:
    try:
        # Sent once: a repetition could undo an administrator's correction of the first request.
        with at_once():
            await mailbox.client.update_message_store_configuration(days, account_id=mailbox.account_id)
    except RingCentralError as error:
        if never_left(error):
            return _unchanged(in_words(error))
        is_refused = is_refusal(error)
    else:
        is_refused = False
    try:
        now_in_force = await _current(mailbox)
    except RingCentralError as error:
        return _unknown(in_words(error))
    if now_in_force is None:
        return _unknown("RingCentral did not report the period in force now.")
    if now_in_force == days:
        return Execution(status="done")
    still = f"RingCentral still keeps messages for {now_in_force} days."
    return _unchanged(still) if is_refused else _unknown(f"{still} The change may still arrive.")


async def _current(mailbox: Mailbox) -> int | None:
    configuration = await mailbox.client.read_message_store_configuration(account_id=mailbox.account_id)
    return configuration.retention_period


def _unchanged(why: str) -> Execution:
    return Execution(problem=f"{why} {PERIOD_NOT_CHANGED}", status="failed")


def _unknown(why: str) -> Execution:
    said = f"{why} {PERIOD_UNKNOWN}"
    return Execution(problem=said, status="unknown", in_doubt=True)
