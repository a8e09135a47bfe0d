"""One at a time over all processes of this machine, by a lock on a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from filelock import FileLock

_POLL_S = 0.02


async def lock_on(lock_file: Path, patience_s: float) -> "FileLock | None":
    """The lock, held, to be released by the caller; None when others held it for that long.

    It is the system's own, so it ends with the process that holds it, however that ends. Its folder has to exist.

    Raises:
        OSError: there can be no lock there.
    """
    from filelock import FileLock, Timeout  # here, so that no start waits for it

    lock = FileLock(lock_file, mode=0o600)
    until = anyio.current_time() + patience_s
    while True:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if anyio.current_time() >= until:
                return None
            await anyio.sleep(_POLL_S)
        else:
            return lock
