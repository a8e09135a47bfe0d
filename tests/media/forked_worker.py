"""Reads many documents, each in a fork of this process that does what the worker does: starting one takes a second.

`python -m tests.media.forked_worker KIND FILE...` prints a JSON object for each file: the exit status, the messages,
and the most memory that its worker took.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path

from rc_mcp.media.protocol import Task
from rc_mcp.media.worker import __main__ as worker
from rc_mcp.media.worker import pdf as _loaded_before_the_forks  # noqa: F401  # pyright: ignore[reportUnusedImport]

_SECONDS = 30


def main() -> None:
    """Read each document, and print what came of it."""
    task = Task(kind=sys.argv[1], ways=["text", "picture"], pages=[(1, None, 1)]).model_dump_json()
    for path in sys.argv[2:]:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            os.close(ours)
            _work(Path(path), theirs, task)
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as said:
            messages = said.read().splitlines()
        _, status, used = os.wait4(child, 0)
        sys.stdout.write(json.dumps({"status": status, "messages": messages, "peak_kb": used.ru_maxrss}) + "\n")


def _work(path: Path, theirs: int, task: str) -> None:
    """Do the worker's work, and never return to what this process does."""
    try:
        signal.alarm(_SECONDS)
        with path.open("rb") as document:
            os.dup2(document.fileno(), 0)
        sys.stdout = os.fdopen(theirs, "w", encoding="utf-8")
        sys.argv[1:] = [task]
        worker.main()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:  # noqa: BLE001  anything else would run the loop of the parent
        traceback.print_exc(limit=3)
        os._exit(1)


if __name__ == "__main__":
    main()
