"""Shift the clock of every process, including processes with their own environment."""

import os
import subprocess
from typing import Any

NAMES = ("FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "LD_PRELOAD", "NO_FAKE_STAT", "PYTHONPATH", "TZ")
SHIFTED = {name: os.environ[name] for name in NAMES if name in os.environ}
_start = subprocess.Popen.__init__


def _start_shifted(self: "subprocess.Popen[Any]", *arguments: Any, env: Any = None, **options: Any) -> None:
    _start(self, *arguments, env=None if env is None else {**SHIFTED, **env}, **options)


subprocess.Popen.__init__ = _start_shifted
