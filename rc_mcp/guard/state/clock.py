"""Elapsed time, by a clock that only goes forward and that no user can set.

The wall clock can be changed: a user may set it an hour ahead, a time server may set it back. Whether a minute has
passed since a request left must not depend on that. So each request is journaled with a reading of this clock too.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


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
