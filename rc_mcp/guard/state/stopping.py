"""The journal's rows about STOP, which counts even without them."""

from typing import Literal

from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.state import State

NO_JOURNAL = "the state folder has no journal yet, or it was removed."


class NotRecorded(Exception):  # noqa: N818  a state
    """Deletes were stopped, or are allowed again, but the journal does not say so. The text says why."""


def record(state: State, event: Literal["stopped", "resumed"], by: str) -> None:
    """Journal that all deletes were stopped, or are allowed again.

    `by`: the command, or `inbox`.

    Raises:
        NotRecorded: that is not possible.
    """
    try:
        is_there = state.exists()  # a new file would hide that a journal was lost
        if is_there:
            Journal(state).append(event, operation=None, principal="", tool=by, details={})
    except GuardError as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise NotRecorded(f"the journal cannot be written{cause}.") from error
    except Exception as error:
        raise NotRecorded(f"the journal cannot be continued ({type(error).__name__}).") from error
    if not is_there:
        raise NotRecorded(NO_JOURNAL)
