"""Why a plan that somebody agreed to is not carried out by this call, and may be by the next."""
# ruff: noqa: N818  states, as the client's errors are

from typing import ClassVar

from rc_mcp.guard.database import NOTHING_DONE, GuardError
from rc_mcp.guard.reconcile import SETTLED_AFTER


class NotNow(GuardError):
    """The plan is as it was."""

    reason: ClassVar[str]
    """For the journal."""


class Busy(NotNow):
    """Another change is under way."""

    reason = "busy"

    def __init__(self) -> None:
        super().__init__(f"Another change is still being carried out. Call again in a moment. {NOTHING_DONE}")


class NoTime(NotNow):
    """The time for the whole call is nearly over."""

    reason = "no_time"

    def __init__(self) -> None:
        super().__init__(f"This call has too little time left to carry it out. Call again. {NOTHING_DONE}")


class InDoubt(NotNow):
    """An earlier request for one of its messages, or for the retention period, may still arrive.

    A second delete would purge the message. An earlier period would come into force after the one agreed to now.
    """

    reason = "in_doubt"

    def __init__(self) -> None:
        super().__init__(
            "An earlier request to change the same was cut short, or not answered, and may still arrive. "
            f"Call again in {SETTLED_AFTER.seconds} seconds. {NOTHING_DONE}"
        )
