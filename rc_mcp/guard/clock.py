"""Elapsed time, by a clock that only goes forward and that no user can set.

The wall clock can be set: an hour ahead by a person, back by a time server. Whether a minute has passed since a request
left must not depend on that. So what leaves is journaled with a reading of this clock too.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def _boot() -> str:
    """One name for all processes that share a monotonic clock; where the system has none, one for this process.

    Linux names each boot, and a container may have a time namespace with another zero.
    """
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{booted}/{Path('/proc/self/ns/time').stat().st_ino}"
    except OSError:
        return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Clock:
    """A monotonic clock, which several processes may share."""

    name: str = field(default_factory=_boot)
    """Which clock it is. Readings of another name cannot be compared."""
    seconds: Callable[[], float] = time.monotonic
    """Since some moment that stays the same for all who share the name."""

    def read(self) -> dict[str, Any]:
        """A reading, to be kept as JSON."""
        return {"name": self.name, "seconds": self.seconds()}

    def elapsed_s(self, reading: Mapping[str, Any] | None) -> float | None:
        """How long ago a reading was taken. None: this clock did not take it, or it is no reading."""
        if not reading or reading.get("name") != self.name:
            return None
        try:
            elapsed_s = self.seconds() - float(reading["seconds"])
        except (LookupError, TypeError, ValueError):
            return None
        return elapsed_s if elapsed_s >= 0 else None


THIS_MACHINE = Clock()
"""The clock of this machine, until it is started anew."""
