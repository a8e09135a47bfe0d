"""Reads many documents: `python -m tests.media.forked_worker KIND FILE...` (see `forks.py`)."""

import sys

from rc_mcp.media.protocol import Task
from rc_mcp.media.worker import __main__ as worker
from rc_mcp.media.worker import pdf as _loaded_before_the_forks  # noqa: F401  # pyright: ignore[reportUnusedImport]
from tests.media.forks import work_on_each

if __name__ == "__main__":
    task = Task(kind=sys.argv[1], ways=["text", "picture"], pages=[(1, None, 1)])
    work_on_each(worker.main, task.model_dump_json(), sys.argv[2:], within_s=30)
