"""One at a time over all processes of this machine, by a lock on a file.

A lock that cannot be had is an error. `filelock.FileLock` is not used: where the file system has no `flock`, it turns
into a lock that other objects do not see. `lock_descriptor` takes the same lock of the system, and nothing else.
"""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

import anyio

_POLL_S = 0.02
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


class HeldLock:
    """A lock of the system's own on an open file. It ends with the process that holds it, however that ends."""

    def __init__(self, file: Path, descriptor: int) -> None:
        self._file = file
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it. Never fails: what was done under the lock is done."""
        with suppress(OSError):
            os.close(self._descriptor)

    def is_in_place(self) -> bool:
        """Whether others still meet this lock: the file may have been removed or replaced since."""
        try:
            there = self._file.lstat()
            return os.path.samestat(there, os.fstat(self._descriptor))
        except OSError:
            return False


async def lock_on(lock_file: Path, patience_s: float) -> HeldLock | None:
    """The lock, held, to be released by the caller; None when others held it for that long.

    Its folder must exist.

    Raises:
        OSError: there can be no lock there, or it would keep nobody out.
    """
    until = anyio.current_time() + patience_s
    while (held := _attempt(lock_file)) is None:
        if anyio.current_time() >= until:
            return None
        await anyio.sleep(_POLL_S)
    return held


def wait_for_lock(lock_file: Path, patience_s: float) -> HeldLock | None:
    """As `lock_on`, for a thread that may block.

    Raises:
        OSError: there can be no lock there, or it would keep nobody out.
    """
    until = time.monotonic() + patience_s
    while (held := _attempt(lock_file)) is None:
        if time.monotonic() >= until:
            return None
        time.sleep(_POLL_S)
    return held


def _attempt(lock_file: Path) -> HeldLock | None:
    from filelock import lock_descriptor  # here, so that no start waits for it

    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
    held = HeldLock(lock_file, descriptor)
    try:
        if lock_descriptor(descriptor, blocking=False) and _keeps_others_out(held, lock_file):
            return held
    except BaseException:
        held.release()
        raise
    held.release()
    return None


def _keeps_others_out(held: HeldLock, lock_file: Path) -> bool:
    """Whether another handle on the file is refused, as another process's would be. False when it was replaced.

    Raises:
        OSError: the system says yes to everyone.
    """
    from filelock import lock_descriptor

    try:
        second = os.open(lock_file, os.O_RDWR | _NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        if not lock_descriptor(second, blocking=False):
            return held.is_in_place()
        if held.is_in_place():
            raise OSError(errno.ENOLCK, "locks on this file system keep nobody out", str(lock_file))
        return False
    finally:
        os.close(second)
