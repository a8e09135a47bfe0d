"""Why the guard does not carry something out. Each text ends with a sentence that nothing was done."""
# ruff: noqa: N818  states, as the client's errors are

from datetime import timedelta
from typing import ClassVar

NOTHING_DONE = "Nothing was deleted or changed."
SETTLED_AFTER = timedelta(seconds=60)
"""How long, in elapsed time, an unanswered request may still be carried out: as long as a server would wait for it."""


class GuardError(Exception):
    """The reason why nothing was planned or carried out. Its text says what to do instead."""


class NotNow(GuardError):
    """This call cannot carry the plan out. The plan is unchanged, and a later call may."""

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
