"""Shift the clock of every process, including processes with their own environment."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

NAMES = ("HOURS_SHIFT", "PYTHONPATH", "TZ")
HANDED_ON = {name: os.environ[name] for name in NAMES}
_start = subprocess.Popen.__init__


def _start_shifted(self: "subprocess.Popen[Any]", *arguments: Any, env: Any = None, **options: Any) -> None:
    _start(self, *arguments, env=None if env is None else {**HANDED_ON, **env}, **options)


subprocess.Popen.__init__ = _start_shifted
time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(os.environ["HOURS_SHIFT"])), tick=True).start()
