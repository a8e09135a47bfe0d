"""The only place where the guard opens its state. `Journal` and `PlanStore` are stores; the caps go by the journal."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rc_mcp.guard.state import database
from rc_mcp.guard.state.clock import THIS_MACHINE, MonotonicClock


@dataclass(frozen=True)
class Store:
    """The state folder, and the clocks that date its rows. Another database needs only another `reading` and `writing`.

    Raises:
        GuardError: (every method of it and its subclasses) the state folder cannot be used.
    """

    state_dir: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The wall clock in UTC, so that spans are elapsed time, even on a day when clocks change."""
    clock: MonotonicClock = THIS_MACHINE

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open the database for reading."""
        return database.reading(self.state_dir)

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run one exclusive transaction: at the end, all of it is kept or none of it."""
        return database.writing(self.state_dir)
