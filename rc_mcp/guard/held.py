"""The lock under which a change runs, for whoever is about to send something because of it."""

from contextvars import ContextVar

from rc_mcp.guard.database import NOTHING_DONE, GuardError
from rc_mcp.ringcentral.locks import HeldLock

HELD: ContextVar[HeldLock | None] = ContextVar("held", default=None)
"""What `alone` holds for this task and those it starts."""


def still_alone() -> None:
    """To be called after a request was written down and before it leaves.

    Whoever gets hold of a lock on a new file then finds the request in the journal, or this finds the new file.

    Raises:
        GuardError: the lock file was removed or replaced, so another process may have begun a change.
    """
    held = HELD.get()
    if held is not None and not held.is_in_place():
        raise GuardError(f"The lock file in the state folder was removed while it was held. {NOTHING_DONE}")
