"""The STOP file in the state folder, with which a user stops all deletions at once, without the assistant."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio

from rc_mcp.guard.refusals import GuardError

_LOOK_EVERY_S = 0.2

T = TypeVar("T")


class Stopped(GuardError):  # noqa: N818  a state, as the client's errors are
    """The STOP file blocks this request."""

    def __init__(self) -> None:
        super().__init__("The user stopped it (the STOP file).")


def stop_file(state_dir: Path) -> Path:
    """Return the path of the STOP file. While it exists, no more destructive requests are sent."""
    return state_dir / "STOP"


def is_stopped(state_dir: Path) -> bool:
    """Return whether STOP exists, as a file, a folder or a link (even a broken one).

    A state folder that cannot be read counts as stopped, because STOP may be in it.
    """
    try:
        stop_file(state_dir).lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


async def unless_stopped(stopped: Callable[[], bool], read: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `read`. It may wait for RingCentral's limits; STOP cancels it.

    Raises:
        Stopped: STOP existed before, during or after the reading.
    """
    if stopped():
        raise Stopped
    caught: Exception | None = None
    answers: list[T] = []
    reading, watching = anyio.CancelScope(), anyio.CancelScope()

    async def watch() -> None:
        with watching:
            while not stopped():  # noqa: ASYNC110  a file sends no event when it appears
                await anyio.sleep(_LOOK_EVERY_S)
            reading.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        with reading:
            try:
                answers.append(await read())
            except Exception as error:  # noqa: BLE001  raised below: from here it would come in a group
                caught = error
        watching.cancel()
    if reading.cancelled_caught or stopped():  # STOP may already be removed again
        raise Stopped
    if caught is not None:
        raise caught
    return answers[0]
