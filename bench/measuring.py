"""Measurement of one job of `bench/client.py`, for both programs: one runs where none of our code is installed.

`on_cpu_s` is for every benchmark.
"""

import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def measuring(plan: Any, sent: Callable[[], int]) -> Generator[dict[str, Any]]:
    """Measure the block and print the result, to which the block adds how much it has `done`."""
    result: dict[str, Any] = {}
    before, before_mb = on_cpu_s(plan["emulator"]), peak_mb()
    began, began_cpu = time.perf_counter(), time.process_time()
    yield result
    result["seconds"], result["cpu_seconds"] = time.perf_counter() - began, time.process_time() - began_cpu
    result["emulator_seconds"] = on_cpu_s(plan["emulator"]) - before
    result["peak_mb"] = peak_mb()
    result["grown_mb"] = result["peak_mb"] - before_mb
    result["requests"] = sent()
    sys.stdout.write(json.dumps(result))


def peak_mb() -> float:
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def on_cpu_s(process: int) -> float:
    """Return the processor time of a process: of all its threads, also those that have ended."""
    # The number of a process's clock, as `clock_getcpuclockid` makes it; Python has that function for threads only. The
    # times of /proc/PID/task leave out threads that have ended, as those of a thread pool do when idle.
    return time.clock_gettime(~process << 3 | 2)
