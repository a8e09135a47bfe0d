"""The emulator's clock: the computer's or a test's time, which can run faster and be moved ahead.

Rate limits, tokens, sync tokens, retention and the removal of deleted messages use it, so that tests need not sleep.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio

# A waiting request checks the clock this often, because the clock may be moved at any moment.
_CHECK_EVERY_S = 0.005


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """A clock; calling it returns the time. It runs `scale` times as fast as its source; at 0 it is stopped."""

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
        """How far the clock is ahead of its source."""
        return self() - self._source()

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Move the time ahead and return the new time. The time never goes back, as on a real service."""
        try:
            span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            moved = self() + span
        except OverflowError:
            raise ValueError("the time would be after the year 9999; the clock was not moved") from None
        if span < timedelta():
            raise ValueError("time cannot run backwards; the clock was not moved")
        self._ahead += span
        return moved

    async def reach(self, moment: datetime) -> None:
        """Wait until the clock reaches `moment`, by itself or moved ahead."""
        while self() < moment:  # noqa: ASYNC110  the source of the time has no event to wait for
            await anyio.sleep(_CHECK_EVERY_S)
