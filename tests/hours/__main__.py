"""Run tests with the clock shifted: around each hour of a day, and on both days on which clocks change.

`make test-hours` runs the tests of `make test-fast`, or all tests with ALL=1. `python -m tests.hours` passes its
arguments to pytest: `python -m tests.hours tests/guard`.

`handed_on/sitecustomize.py` shifts the clock of every Python process with time-machine, also of processes that tests
start. Only the time of day is shifted; a wait of some seconds takes its usual time. What reads the clock without
Python (OpenSSL, the file system) sees the real one.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tests.installed import python_environment

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FAST = ("-m", "not process and not long and not trio")
ALREADY_IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""time-machine is a plugin of pytest too, which pytest wants to import itself."""
SECONDS_BEFORE = 30
"""A run begins before the full hour, so that the hour, the day or the zone's offset changes while tests run."""
CHANGES = {
    "America/New_York": ("2027-03-14T07:00Z", "2027-11-07T06:00Z"),
    "America/Los_Angeles": ("2027-03-14T10:00Z", "2027-11-07T09:00Z"),  # the zone of the server in most tests
}
"""When clocks change there; 2027-11-07 06:00Z is the second 01:00 of that day in New York."""
AFTER_A_CHANGE = (timedelta(), timedelta(minutes=1), timedelta(hours=1), timedelta(hours=1, minutes=1))


@dataclass(frozen=True)
class Run:
    """One run of the tests.

    Attributes:
        begins: the clock's time at the start.
        zone: the value of TZ.
    """

    begins: datetime
    zone: str

    def __str__(self) -> str:
        return f"{self.begins:%Y-%m-%d %H:%M:%SZ}  {self.zone:<19}"


def runs() -> Iterator[Run]:
    """Yield all runs: 24 hours of tomorrow, then four for each change of clocks."""
    before = timedelta(seconds=SECONDS_BEFORE)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    for hour in range(24):
        yield Run(midnight + timedelta(hours=hour) - before, "UTC")
    for zone, changes in CHANGES.items():
        for change in changes:
            for after in AFTER_A_CHANGE:
                yield Run(datetime.fromisoformat(change) + after - before, zone)


def shifted(run: Run, packages: Path) -> dict[str, str]:
    """Return an environment in which the clock shows `run.begins` now, and continues from there."""
    return {
        **os.environ,
        "HOURS_SHIFT": str((run.begins - datetime.now(UTC)).total_seconds()),
        "PYTHONPATH": os.pathsep.join([str(HERE / "handed_on"), str(packages)]),
        "TZ": run.zone,
    }


def check_that_the_clock_is_shifted(run: Run, packages: Path) -> None:
    """Exit if it is not, also for a process that a test starts: nothing would be tested."""
    program = (
        "import subprocess, sys; code = 'import time; print(time.time())';"
        "print(subprocess.run([sys.executable, '-c', code], env={}, capture_output=True, text=True).stdout)"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, env=shifted(run, packages), capture_output=True, text=True, check=True)
    if abs(float(said.stdout or 0) - run.begins.timestamp()) > SECONDS_BEFORE:
        sys.exit(f"The clock could not be shifted, so no test was run. {said.stderr}")


def tests(run: Run, packages: Path, selection: list[str]) -> tuple[str, list[str]]:
    """Run pytest in one process. Return a line of the table, and the tests that failed."""
    check_that_the_clock_is_shifted(run, packages)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ALREADY_IMPORTED, *selection],
        cwd=ROOT,
        env=shifted(run, packages),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    if done.returncode and not failed:
        return f"{run}  did not run", lines[-20:]
    found = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", lines[-1])}
    counts = f"{found.get('passed', 0):>6}  {found.get('failed', 0) + found.get('error', 0):>6}"
    return f"{run}  {counts}  {time.monotonic() - began:>7.0f}", failed


def main() -> None:
    """Print a line for each run, with the tests that failed below it; exit 1 if any did."""
    selection = sys.argv[1:] or ([] if os.environ.get("ALL") else list(FAST))
    (packages,) = python_environment(HERE).glob("lib/python3*/site-packages")
    all_failed: list[str] = []
    print(f"{'clock at the start':<20}  {'TZ':<19}  passed  failed  seconds", flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as at_once:
        for line, failed in at_once.map(partial(tests, packages=packages, selection=selection), runs()):
            print(line, *failed, sep="\n  ", flush=True)
            all_failed += failed
    sys.exit(1 if all_failed else 0)


if __name__ == "__main__":
    main()
