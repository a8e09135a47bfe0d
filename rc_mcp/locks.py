"""File locks across all processes of this machine.

A lock that the file system does not support is an error. So `filelock.FileLock` is not used: without `flock` it falls
back to a lock that other objects do not see. `lock_descriptor` takes only the system's lock.
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
    """A system lock on an open file. It ends with its process, even after a crash."""

    def __init__(self, file: Path, descriptor: int) -> None:
        self._file = file
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock. It never fails: the work under the lock is already done."""
        with suppress(OSError):
            os.close(self._descriptor)

    def is_in_place(self) -> bool:
        """Return whether the file is still the locked one: it may have been removed or replaced."""
        try:
            there = self._file.lstat()
            return os.path.samestat(there, os.fstat(self._descriptor))
        except OSError:
            return False


async def lock_on(lock_file: Path, patience_s: float) -> HeldLock | None:
    """Take the lock, which the caller must release. Return None if others held it all that time.

    The folder of the file must exist.

    Raises:
        OSError: the file cannot be locked, or the lock would have no effect.
    """
    until = anyio.current_time() + patience_s
    while (held := _attempt(lock_file)) is None:
        if anyio.current_time() >= until:
            return None
        await anyio.sleep(_POLL_S)
    return held


def wait_for_lock(lock_file: Path, patience_s: float) -> HeldLock | None:
    """Do as `lock_on`, in a thread that may block.

    Raises:
        OSError: the file cannot be locked, or the lock would have no effect.
    """
    until = time.monotonic() + patience_s
    while (held := _attempt(lock_file)) is None:
        if time.monotonic() >= until:
            return None
        time.sleep(_POLL_S)
    return held


def _attempt(lock_file: Path) -> HeldLock | None:
    from filelock import lock_descriptor  # imported late for a fast start

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
    """Return whether the lock refuses another handle, as it would another process's. False if the file was replaced.

    Raises:
        OSError: the system grants the lock twice.
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
            raise OSError(errno.ENOLCK, "file locks have no effect on this file system", str(lock_file))
        return False
    finally:
        os.close(second)
