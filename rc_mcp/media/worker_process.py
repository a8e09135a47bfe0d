"""Processes that open untrusted files: they get no credentials, and end with the block that started them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import BinaryIO, TypeVar, cast

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import ValidationError

T = TypeVar("T")

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


async def messages_of(
    process: Process, read: Callable[[bytes], T], *, lasts: tuple[type, ...], failed: T, max_bytes: int
) -> AsyncGenerator[T]:
    """Yield the messages that a worker writes, one a line, up to the last one.

    Args:
        read: makes a message of a line; it raises `ValidationError` if the line is not one.
        lasts: the types of a last message.
        failed: the last message of a worker that dies, or writes a line that is too long or no message.
    """
    lines = BufferedByteReceiveStream(cast("ByteReceiveStream", process.stdout))
    while True:
        try:
            message = read(await lines.receive_until(b"\n", max_bytes))
        except (anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.EndOfStream, ValidationError):
            message = failed
        yield message
        if isinstance(message, lasts):
            return


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
