"""STOP: a file in the state folder by which a person ends all deleting, from outside of the assistant and at once."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio

from rc_mcp.guard.database import GuardError

_LOOK_EVERY_S = 0.2

T = TypeVar("T")


class Stopped(GuardError):  # noqa: N818  a state, as the client's errors are
    """A person stopped it."""

    def __init__(self) -> None:
        super().__init__("A person stopped it (the STOP file).")


def stop_file(state_dir: Path) -> Path:
    """While it is there nothing destructive is begun, and what runs ends with the request that is out."""
    return state_dir / "STOP"


def is_stopped(state_dir: Path) -> bool:
    """Whether STOP is there, as a file, a folder or a link to anything or nothing.

    A folder that cannot be read counts as stopped: what cannot be seen may be there.
    """
    try:
        stop_file(state_dir).lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


async def unless_stopped(stopped: Callable[[], bool], read: Callable[[], Awaitable[T]]) -> T:
    """What `read` gives. It may wait for RingCentral's limits; a stop does not wait for it.

    Raises:
        Stopped: before it began, while it ran, or by the time it was over.
    """
    if stopped():
        raise Stopped
    caught: Exception | None = None
    answers: list[T] = []
    reading, watching = anyio.CancelScope(), anyio.CancelScope()

    async def watch() -> None:
        with watching:
            while not stopped():  # noqa: ASYNC110  a file tells nobody when it appears
                await anyio.sleep(_LOOK_EVERY_S)
            reading.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        with reading:
            try:
                answers.append(await read())
            except Exception as error:  # noqa: BLE001  raised below: out of here it would come in a group
                caught = error
        watching.cancel()
    if reading.cancelled_caught or stopped():  # the file may be gone again by now
        raise Stopped
    if caught is not None:
        raise caught
    return answers[0]
