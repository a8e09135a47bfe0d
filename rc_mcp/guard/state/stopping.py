"""Stopping all deletes, and allowing them again: the STOP file, which counts, and its rows in the journal."""

from pathlib import Path
from typing import Literal

from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.state.coordination import stop_file
from rc_mcp.guard.state.database import exists
from rc_mcp.guard.state.journal import Journal

NO_JOURNAL = "the state folder has no journal yet, or it was removed."


class NotRecorded(Exception):  # noqa: N818  a state
    """Deletes were stopped, or are allowed again, but the journal does not say so. The text says why."""


def stop(state_dir: Path) -> bool:
    """Make the STOP file. Return False if there is one already.

    Raises:
        OSError: it cannot be made.
    """
    try:
        # Any existing file of that name is a stop, even a broken link: do not follow or replace it.
        stop_file(state_dir).touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return False
    return True


def resume(state_dir: Path) -> bool:
    """Remove the STOP file. Return False if there was none.

    Raises:
        OSError: it cannot be removed.
    """
    file = stop_file(state_dir)
    try:
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    except FileNotFoundError:
        return False
    return True


def record(state_dir: Path, event: Literal["stopped", "resumed"], by: str) -> None:
    """Journal that the STOP file was made or removed.

    `by`: the command, or `inbox`.

    Raises:
        NotRecorded: that is not possible.
    """
    try:
        is_there = exists(state_dir)  # a new file would hide that a journal was lost
        if is_there:
            Journal(state_dir).append(event, operation=None, principal="", tool=by, details={})
    except GuardError as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise NotRecorded(f"the journal cannot be written{cause}.") from error
    except Exception as error:
        raise NotRecorded(f"the journal cannot be continued ({type(error).__name__}).") from error
    if not is_there:
        raise NotRecorded(NO_JOURNAL)
