"""Errors for approved plans that this call cannot carry out but a later call may."""
# ruff: noqa: N818  states, as the client's errors are

from typing import ClassVar

from rc_mcp.guard.reconcile import SETTLED_AFTER
from rc_mcp.guard.state.database import NOTHING_DONE, GuardError


class NotNow(GuardError):
    """The plan is unchanged and can be used by a later call."""

    reason: ClassVar[str]
    """The reason in the journal."""
    said: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(f"{self.said} {NOTHING_DONE}")


class Busy(NotNow):
    reason = "busy"
    said = "Another change is still being carried out. Call again in a moment."


class NoTime(NotNow):
    reason = "no_time"
    said = "This call has too little time left to carry it out. Call again."


class InDoubt(NotNow):
    """An earlier request for one of its messages, or for the retention period, may still arrive.

    A second delete would purge the message. An earlier period would replace the one approved now.
    """

    reason = "in_doubt"
    said = (
        "An earlier request to change the same data was interrupted or not answered, and may still arrive. "
        f"Call again in {SETTLED_AFTER.seconds} seconds."
    )
