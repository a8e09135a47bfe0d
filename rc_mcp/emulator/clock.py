"""The emulator's own time: the computer's or a test's, run faster, and moved ahead by hand.

Rate-limit windows, tokens, sync tokens, retention and what becomes of deleted messages all go by it, so that a
month passes in a moment and nobody has to sleep.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio

# How often a request that waits looks at the clock, which anybody may move at any moment.
_GLANCE_S = 0.005


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Tells the time when called. `scale` is how much faster it runs than its source; at 0 it stands still."""

    def __init__(self, source: Callable[[], datetime] = utc_now, *, scale: float = 1) -> None:
        if scale < 0:
            raise ValueError("time cannot run backwards: a time scale is 0 or more")
        self.scale = scale
        self._source = source
        self._origin = source()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return self._origin + (self._source() - self._origin) * self.scale + self._ahead

    @property
    def lead(self) -> timedelta:
        """How far it is ahead of its source."""
        return self() - self._source()

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Moves the time ahead and gives the new one. Never back: no service forgets what it has told."""
        try:
            span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            moved = self() + span
        except OverflowError:
            raise ValueError("that is beyond the calendar") from None
        if span < timedelta():
            raise ValueError("time cannot run backwards")
        self._ahead += span
        return moved

    async def reach(self, moment: datetime) -> None:
        """Waits until it is that time, however it comes about."""
        while self() < moment:  # noqa: ASYNC110  what the time comes from has no event to wait for
            await anyio.sleep(_GLANCE_S)
