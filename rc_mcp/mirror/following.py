"""Feeds the copy as long as a server runs: all its mailboxes in turn, in one process of those that share a folder."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Never

import anyio

from rc_mcp.locks import lock_on, wait_for_lock
from rc_mcp.mirror.feed import Feed
from rc_mcp.private_files import make_folder

LOCK = "mirror-feed.lock"
EVERY_S = 60.0
"""Ours: the time between two syncs."""


@asynccontextmanager
async def only_feed(state_dir: Path) -> AsyncGenerator[bool]:
    """Take the lock of the feed in the block. Yield False if another process on this folder, or task, has it.

    Raises:
        OSError: the state folder cannot be used.
    """
    make_folder(state_dir)
    lock = await lock_on(state_dir / LOCK, 0)
    try:
        yield lock is not None
    finally:
        if lock:
            lock.release()


def is_fed(state_dir: Path) -> bool:
    """Return whether a process feeds the copy now. It creates no file.

    Raises:
        OSError: this cannot be known.
    """
    if not (state_dir / LOCK).exists():
        return False
    lock = wait_for_lock(state_dir / LOCK, 0)
    if lock:
        lock.release()
    return lock is None


class Wakeup:
    """A sign for `follow` that a mailbox has just been changed from here, so that it syncs before its time."""

    def __init__(self) -> None:
        self._given = anyio.Event()

    def give(self) -> None:
        self._given.set()

    async def wait(self, until: float) -> None:
        """Wait for a sign, at most until a time of anyio's clock."""
        with anyio.CancelScope(deadline=until):
            await self._given.wait()

    def is_given(self) -> bool:
        return self._given.is_set()

    def clear(self) -> None:
        self._given = anyio.Event()


async def follow(
    feeds: Sequence[Feed], state_dir: Path, wakeup: Wakeup | None = None, *, every_s: float = EVERY_S
) -> Never:
    """Feed the copy until canceled. While another process feeds it, wait, and take over when that one ends.

    A fault ends an attempt for one mailbox, and nothing else: `Feed.fault` has it, and the next attempt follows after
    some minutes.
    """
    wakeup = wakeup or Wakeup()
    while True:
        try:
            async with only_feed(state_dir) as is_ours:
                while is_ours:
                    await _round(feeds, wakeup, every_s)
        except OSError as error:  # of the lock
            for feed in feeds:
                feed.fault = error
        await anyio.sleep(every_s)


async def _round(feeds: Sequence[Feed], wakeup: Wakeup, every_s: float) -> None:
    """Sync all mailboxes, and fetch texts of each in turn until the next round."""
    wakeup.clear()
    ends = anyio.current_time() + every_s
    for feed in feeds:
        await feed.attempt(feed.sync_again)
    while anyio.current_time() < ends and not wakeup.is_given():
        if not sum([await feed.attempt(partial(feed.texts, most=1)) for feed in feeds]):
            await wakeup.wait(ends)
