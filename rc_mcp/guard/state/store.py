"""What opens the guard's state, and the clocks that date it.

`Journal` and `PlanStore` are stores; the caps go by the journal.

The wall clock can be changed: a user may set it an hour ahead, a time server may set it back. Whether a minute has
passed since a request left must not depend on that. So each request is journaled with a reading of a second clock,
which only goes forward and which no user can set.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

from anyio import CapacityLimiter, fail_after, to_thread
from anyio.lowlevel import RunVar

from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state.state import State, Transaction

_AT_ONCE = 2
"""SQLite takes one writer at a time, and the C library keeps free memory for each thread: more threads cost memory."""
_limiter: RunVar[CapacityLimiter] = RunVar("threads that use the state")
_within_s: RunVar[float] = RunVar("how long to wait for such a thread")
_NO_ANSWER = "The guard's database does not answer. The operator must fix it."

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_thread(function: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Call a function that uses the state, without holding up the event loop.

    These threads are counted apart from all others, so that slow downloads cannot hold up the guard.

    Raises:
        GuardError: the state does not answer in the time of `use_threads`. The function may still end later.
    """
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    within_s = _within_s.get(None)
    if within_s is None:
        return await to_thread.run_sync(function, *arguments, limiter=limiter)
    try:
        with fail_after(within_s):
            return await to_thread.run_sync(function, *arguments, limiter=limiter, abandon_on_cancel=True)
    except TimeoutError as error:
        raise GuardError(f"{_NO_ANSWER} {NOTHING_DONE}") from error


def use_threads(most: int, within_s: float) -> None:
    """Let so many threads at once use the state in this event loop, and wait no longer for one of them.

    For a database on another machine, which may stop answering without ending a connection. What a thread does after
    its caller gave up is harmless: a request leaves only after it was journaled in time.
    """
    _limiter.set(CapacityLimiter(most))
    _within_s.set(within_s)


def _boot() -> str:
    """Return a name for the monotonic clock that processes share; if the system has none, a name for this process.

    Linux names each boot, and a container may have a time namespace with another zero.
    """
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{booted}/{Path('/proc/self/ns/time').stat().st_ino}"
    except OSError:
        return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class MonotonicClock:
    """A monotonic clock that several processes may share."""

    name: str = field(default_factory=_boot)
    """The clock's name. Readings of clocks with different names cannot be compared."""
    seconds: Callable[[], float] = time.monotonic
    """Seconds since a moment that is the same for all processes with this name."""

    def read(self) -> dict[str, Any]:
        """Take a reading, as JSON data."""
        return {"name": self.name, "seconds": self.seconds()}

    def elapsed_s(self, reading: Mapping[str, Any] | None) -> float | None:
        """Return how long ago a reading was taken, or None if this clock did not take it or it is invalid."""
        if not reading or reading.get("name") != self.name:
            return None
        try:
            elapsed_s = self.seconds() - float(reading["seconds"])
        except (LookupError, TypeError, ValueError):
            return None
        return elapsed_s if elapsed_s >= 0 else None


THIS_MACHINE = MonotonicClock()
"""The clock of this machine, until the next restart."""


@dataclass(frozen=True)
class Store:
    """The state, and the clocks that date its rows.

    Raises:
        GuardError: (every method of it and its subclasses) the state cannot be used.
    """

    state: State
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The wall clock in UTC, so that spans are elapsed time, even on a day when clocks change."""
    clock: MonotonicClock = THIS_MACHINE

    def reading(self) -> AbstractContextManager[Transaction]:
        """Open the database for reading."""
        return self.state.reading()

    def writing(self) -> AbstractContextManager[Transaction]:
        """Run one exclusive transaction: at the end, all of it is kept or none of it."""
        return self.state.writing()
