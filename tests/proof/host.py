"""The machines that servers run on: clocks that users set, restarts, locks that fail, a folder from another author.

Time passes equally for all, and RingCentral's clock is correct. A machine has a wall clock, which users may set, and a
clock that counts from its start, which no user can set.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import anyio

from rc_mcp.guard.state.store import MonotonicClock as MonotonicClock
from rc_mcp.settings import Settings, load_settings

ZONE = "America/New_York"
DAYS = {
    "an ordinary day": datetime(2026, 11, 23, 9, 0, 0, 250_000, tzinfo=UTC),
    "clocks go forward": datetime(2027, 3, 14, 6, 40, 0, 250_000, tzinfo=UTC),
    "clocks go back": datetime(2027, 11, 7, 5, 40, 0, 250_000, tzinfo=UTC),
}
"""When examples begin. The last two begin 20 minutes before the hour that `ZONE` skips or repeats."""


class Clock:
    """The correct time. It advances with requests, with waits, and with steps that pass time."""

    def __init__(self) -> None:
        self._zero = DAYS["an ordinary day"]
        self._elapsed = timedelta()

    def __call__(self) -> datetime:
        return self._zero + self._elapsed

    def begin(self, day: str) -> None:
        """Start on that day. Clocks that count seconds advance by a day."""
        self._elapsed += timedelta(days=1)
        self._zero = DAYS[day] - self._elapsed

    def go_on(self, by: timedelta) -> None:
        """Let time pass."""
        self._elapsed += by

    def seconds(self) -> float:
        """Return the time of a clock that no user can set."""
        return self._elapsed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Let this many seconds pass."""
        self.go_on(timedelta(seconds=seconds))
        await anyio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on one machine, by each of its clocks."""

    right: datetime
    """The correct time, which no server knows."""
    wall: datetime
    """The time of the machine's wall clock."""
    boot: str
    """The start of the machine that its seconds count from."""

    def is_within(self, span: timedelta, now: "Now") -> bool:
        """Return whether the moment is less than `span` ago, by the best clock that a server has at `now`."""
        if self.boot == now.boot:
            return now.right - self.right < span
        return now.wall - self.wall < span


class Host:
    """A machine, or a container, with its own clocks."""

    def __init__(self, name: str, clock: Clock, ahead: timedelta) -> None:
        self._name, self._clock, self._ahead = name, clock, ahead
        self._set_by = timedelta()
        self._boots = 0
        self._began_s = 0.0

    def wall(self) -> datetime:
        """Return the time of the wall clock."""
        return self._clock() + self._ahead + self._set_by

    def clock(self) -> MonotonicClock:
        """Return the clock that no user can set. Each start has a new one."""
        began_s = self._began_s
        return MonotonicClock(self._boot, lambda: self._clock.seconds() - began_s)

    def now(self) -> Now:
        """Return the current moment on this machine."""
        return Now(self._clock(), self.wall(), self._boot)

    @property
    def _boot(self) -> str:
        return f"{self._name} {self._boots}"

    def set_clock(self, by: timedelta) -> None:
        """Set the wall clock this far from the correct time, as a user or a time server would."""
        self._set_by = by

    def start_again(self) -> None:
        """Restart the machine."""
        self._boots += 1
        self._began_s = self._clock.seconds()


LOCK_FAULTS = {
    "locks: ENOSYS": errno.ENOSYS,
    "locks: ENOLCK": errno.ENOLCK,
    "locks: EIO": errno.EIO,
    "locks: ENOTSUP": errno.ENOTSUP,
    "locks: lock nothing": 0,
}
"""Faults of locks in the state folder. The last one reports success to every process at once."""


class Locks:
    """The system's locks, which a file system may not support."""

    def __init__(self) -> None:
        self.fault: str | None = None

    @property
    def are_refused(self) -> bool:
        """Return whether no process can get a lock."""
        return bool(self.fault and LOCK_FAULTS[self.fault])

    @contextmanager
    def at(self, fault: str | None) -> Generator[None]:
        """Let locks fail in this way while the context is open."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = None

    @contextmanager
    def instead(self) -> Generator[None]:
        """Replace the system's locks while the context is open."""
        flock = fcntl.flock

        def failing(file: int, operation: int) -> None:
            if self.fault is None or operation & fcntl.LOCK_UN:
                flock(file, operation)
            elif number := LOCK_FAULTS[self.fault]:
                raise OSError(number, os.strerror(number))

        with mock.patch.object(fcntl, "flock", failing):
            yield


FOREIGN_TOKEN = "a-token-of-the-folder"
_GENEROUS = "\n".join(
    f'[unattended.{kind}]\ntypes = ["SMS", "VoiceMail", "Fax", "Pager"]\nolder_than = "1h"\nread_status = "Any"\n'
    "max_per_call = 200\nmax_per_day = 10000\n"
    for kind in ("delete", "purge")
)
FOREIGN = {
    "a token": {"RC_ACCESS_TOKEN": FOREIGN_TOKEN},
    "a policy": {"RC_MCP_POLICY": "policy.toml"},
    "a state folder": {"RC_MCP_STATE_DIR": "state"},
    "an access level": {"RC_MCP_ACCESS": "admin"},
    "an approval": {"RC_MCP_APPROVAL": "auto"},
    "an address": {"RC_SERVER_URL": "https://elsewhere.test"},
    "everything": {
        "RC_ACCESS_TOKEN": FOREIGN_TOKEN,
        "RC_MCP_POLICY": "policy.toml",
        "RC_MCP_STATE_DIR": "state",
        "RC_MCP_ACCESS": "admin",
    },
}
"""Possible contents of the `.env` of a folder from another author."""


class ForeignFolder:
    """A project folder from another author. A server that starts in it has its own login in the environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def settings(self, environment: Mapping[str, str], brings: str, usual_state: Path) -> Settings:
        """Return the settings of a server that starts in this folder. `usual_state`: its default state folder.

        Raises:
            SettingsError: the server refuses to start there.
        """
        self._folder.mkdir(exist_ok=True)
        (self._folder / "policy.toml").write_text(_GENEROUS, "utf-8")
        lines = "".join(f"{name}={value}\n" for name, value in FOREIGN[brings].items())
        (self._folder / ".env").write_text(lines, "utf-8")
        here = {name: value for name, value in os.environ.items() if not name.startswith("RC_")}
        with (
            chdir(self._folder),
            mock.patch.dict(os.environ, {**here, **environment}, clear=True),
            mock.patch("rc_mcp.settings.user_state_path", return_value=usual_state),
        ):
            return load_settings()

    def forget(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def has_state(self) -> bool:
        """Return whether a server kept its state inside the folder."""
        return (self._folder / "state").exists()
