"""The lock of the running change, checked before each of its requests."""

from contextvars import ContextVar

from rc_mcp.guard.state.database import NOTHING_DONE, GuardError
from rc_mcp.locks import HeldLock

HELD: ContextVar[HeldLock | None] = ContextVar("held", default=None)
"""The lock that `alone` holds for this task and its child tasks."""


def still_alone() -> None:
    """Check that the lock is in place. Call this after a request is journaled and before it is sent.

    Either this check finds a new lock file, or a process that locked the new file finds the request in the journal.

    Raises:
        GuardError: the lock file was removed or replaced, so another process may have begun a change.
    """
    held = HELD.get()
    if held is not None and not held.is_in_place():
        raise GuardError(f"The lock file in the state folder was removed while it was held. {NOTHING_DONE}")
