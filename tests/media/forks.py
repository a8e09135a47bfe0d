"""Runs a worker's program on many files, each in a fork of this process: to start one takes a second."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path


def work_on_each(program: Callable[[], None], task: str, files: Iterable[str], *, within_s: int) -> None:
    """Print a JSON object for each file: the exit status, the messages, and the most memory that its worker took."""
    for path in files:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            os.close(ours)
            _work(program, task, Path(path), theirs, within_s)
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as said:
            messages = said.read().splitlines()
        _, status, used = os.wait4(child, 0)
        sys.stdout.write(json.dumps({"status": status, "messages": messages, "peak_kb": used.ru_maxrss}) + "\n")


def _work(program: Callable[[], None], task: str, path: Path, theirs: int, within_s: int) -> None:
    """Do the worker's work, and never return to what this process does."""
    try:
        signal.alarm(within_s)
        with path.open("rb") as file:
            os.dup2(file.fileno(), 0)
        sys.stdout = os.fdopen(theirs, "w", encoding="utf-8")
        sys.argv[1:] = [task]
        program()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:  # noqa: BLE001  anything else would run the loop of the parent
        traceback.print_exc(limit=3)
        os._exit(1)
