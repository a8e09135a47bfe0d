"""Deleting or purging messages by id: planned by reading them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar

from rc_mcp.guard.mailbox import Mailbox, at_most, sort_out, target
from rc_mcp.guard.policy.rules import Policy
from rc_mcp.guard.preview import CANNOT_BE_UNDONE, phrase_line, preview_of, question, warnings_about
from rc_mcp.guard.state.plans import PlanDraft, purge_phrase
from rc_mcp.ringcentral import DeletableType, Message, NotFound
from rc_mcp.views.changes import OutcomeWord


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request to delete (or purge) these messages."""

    message_id: tuple[str, ...]
    purge: bool
    message_type: DeletableType

    tool: ClassVar[str] = "delete_message"

    @property
    def arguments(self) -> dict[str, object]:
        return {"message_id": sorted(set(self.message_id)), "purge": self.purge, "type": self.message_type}

    async def draft(self, mailbox: Mailbox, now: datetime, zone: tzinfo) -> PlanDraft:
        """Read the messages and plan the outcome of each.

        Raises:
            RingCentralError: a message exists, or may exist, and cannot be read.
        """
        found, errors = await mailbox.read(self.message_id)
        for error in errors.values():
            if not isinstance(error, NotFound):
                raise error
        missing: dict[str, OutcomeWord] = dict.fromkeys(errors, "not_found")
        touch, left_out = sort_out(found.values(), purge=self.purge, message_type=self.message_type)
        at_most(touch)
        return deletion_draft(touch, missing | left_out, mailbox.policy, purge=self.purge, now=now, zone=zone)


def deletion_draft(
    messages: Sequence[Message],
    left_out: dict[str, OutcomeWord],
    policy: Policy,
    *,
    purge: bool,
    now: datetime,
    zone: tzinfo,
    where: str = "",
    unseen: int = 0,
) -> PlanDraft:
    """Return the draft for deleting these messages, without the protected ones."""
    touch = [m for m in messages if not policy.protects(m)]
    protected: dict[str, OutcomeWord] = {m.id: "skipped" for m in messages if policy.protects(m)}
    n = len(touch)
    things = f"{n} message{'' if n == 1 else 's'}"
    warnings = warnings_about(touch, now, policy, protected=len(protected), unseen=unseen)
    phrase = purge_phrase(n)
    if purge:
        headline = [f"Purge {things} for good?", where]
        consequence = [CANNOT_BE_UNDONE, phrase_line(phrase)]
    else:
        headline = [f"Delete {things}?", where]
        consequence = ["They go to Deleted and can be restored."]
    return PlanDraft(
        severity="irreversible" if purge else "reversible",
        question=question(headline, touch, warnings, consequence, zone),
        phrase=phrase if purge else None,
        preview=preview_of("purge" if purge else "delete", touch, warnings, zone),
        targets=tuple(target(m) for m in touch),
        left_out=left_out | protected,
        protected=len(protected),
        unseen=unseen,
        misfits=policy.misfits(touch, now, purge=purge),
    )
