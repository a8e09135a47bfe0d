"""The machines that servers run on: clocks that users set, restarts, locks that fail, a folder from elsewhere.

Time passes for all alike, and RingCentral's clock is right. A machine has a wall clock, which anyone may set, and one
that counts from its start, which no user can set.
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

from rc_mcp.guard.clock import Clock as MonotonicClock
from rc_mcp.settings import Settings, load_settings

ZONE = "America/New_York"
DAYS = {
    "an ordinary day": datetime(2026, 11, 23, 9, 0, 0, 250_000, tzinfo=UTC),
    "clocks go forward": datetime(2027, 3, 14, 6, 40, 0, 250_000, tzinfo=UTC),
    "clocks go back": datetime(2027, 11, 7, 5, 40, 0, 250_000, tzinfo=UTC),
}
"""When examples begin: twice it is 20 minutes before the hour that `ZONE` leaves out or repeats."""


class Clock:
    """The right time. It passes when a request is sent, when something waits, and when a step says so."""

    def __init__(self) -> None:
        self._zero = DAYS["an ordinary day"]
        self._elapsed = timedelta()

    def __call__(self) -> datetime:
        return self._zero + self._elapsed

    def begin(self, day: str) -> None:
        """It is that day. For whatever counts seconds, a day has passed."""
        self._elapsed += timedelta(days=1)
        self._zero = DAYS[day] - self._elapsed

    def go_on(self, by: timedelta) -> None:
        """Let time pass."""
        self._elapsed += by

    def seconds(self) -> float:
        """What a clock shows that no user can set."""
        return self._elapsed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Wait so long."""
        self.go_on(timedelta(seconds=seconds))
        await anyio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True)
class Now:
    """One moment, as a server on one machine can know it."""

    right: datetime
    """What no server knows: the right time."""
    wall: datetime
    """What the machine's wall clock shows."""
    boot: str
    """Which clock counts its seconds there."""

    def is_within(self, span: timedelta, now: "Now") -> bool:
        """Whether it is less than `span` ago, by the best clock that a server has for it at `now`."""
        if self.boot == now.boot:
            return now.right - self.right < span
        return now.wall - self.wall < span


class Host:
    """A machine, or a container, with clocks of its own."""

    def __init__(self, name: str, clock: Clock, ahead: timedelta) -> None:
        self._name, self._clock, self._ahead = name, clock, ahead
        self._set_by = timedelta()
        self._boots = 0
        self._began_s = 0.0

    def wall(self) -> datetime:
        """What its wall clock shows."""
        return self._clock() + self._ahead + self._set_by

    def clock(self) -> MonotonicClock:
        """The clock that no user can set: another one after each start."""
        began_s = self._began_s
        return MonotonicClock(self._boot, lambda: self._clock.seconds() - began_s)

    def now(self) -> Now:
        """This moment."""
        return Now(self._clock(), self.wall(), self._boot)

    @property
    def _boot(self) -> str:
        return f"{self._name} {self._boots}"

    def set_clock(self, by: timedelta) -> None:
        """A user or a time server sets its wall clock: so far off the right time, whatever it was before."""
        self._set_by = by

    def start_again(self) -> None:
        """It is switched off and on."""
        self._boots += 1
        self._began_s = self._clock.seconds()


LOCK_FAULTS = {
    "locks: ENOSYS": errno.ENOSYS,
    "locks: ENOLCK": errno.ENOLCK,
    "locks: EIO": errno.EIO,
    "locks: ENOTSUP": errno.ENOTSUP,
    "locks: lock nothing": 0,
}
"""What is wrong with locks in the state folder. The last one says that it locked, to every process at once."""


class Locks:
    """The system's locks, which a file system may not offer."""

    def __init__(self) -> None:
        self.fault: str | None = None

    @property
    def are_refused(self) -> bool:
        """Whether no process can have one."""
        return bool(self.fault and LOCK_FAULTS[self.fault])

    @contextmanager
    def at(self, fault: str | None) -> Generator[None]:
        """Meanwhile they fail in this way."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = None

    @contextmanager
    def instead(self) -> Generator[None]:
        """In the place of the system's."""
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
"""What the `.env` of a folder from elsewhere may bring."""


class ForeignFolder:
    """A project folder from elsewhere: a server that is started in it has its own login in the environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def settings(self, environment: Mapping[str, str], brings: str, usual_state: Path) -> Settings:
        """What a server is told that starts there. `usual_state`: where it keeps its state if it is told nothing.

        Raises:
            SettingsError: it refuses to start there.
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
        """It is gone."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def has_state(self) -> bool:
        """Whether a server kept its state where the folder wanted it."""
        return (self._folder / "state").exists()
