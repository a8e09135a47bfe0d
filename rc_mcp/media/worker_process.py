"""Processes that open untrusted files: they get no credentials, and end with the block that started them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import BinaryIO

import anyio
from anyio.abc import Process

_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TEMP")
"""The only environment variables passed to a worker: a malicious file must not reach any credentials."""
_NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


@asynccontextmanager
async def worker(
    module: str, task: str, file: BinaryIO, *, more: Mapping[str, str] = _NOTHING_MORE
) -> AsyncGenerator[Process]:
    """Run a module of ours in a process that is killed when the block ends.

    Args:
        task: its only argument.
        file: its standard input, an open file with a descriptor.
        more: environment variables that it gets besides.
    """
    process = await _started(module, task, file, more)
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


async def _started(module: str, task: str, file: BinaryIO, more: Mapping[str, str]) -> Process:
    started: list[Process] = []
    with anyio.CancelScope(shield=True):  # otherwise a cancelled call would leave a new process running
        started.append(
            await anyio.open_process(
                # -P: ignore modules in the current folder.
                [sys.executable, "-P", "-m", module, task],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=tempfile.gettempdir(),
                env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **more},
            )
        )
    return started[0]
