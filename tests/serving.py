"""Our command as hosts start it: a process of its own, over HTTP."""

import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

RC_MCP = [sys.executable, "-m", "rc_mcp"]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is running, and the lines it has written on stderr."""

    address: str
    pid: int
    log: list[str]


@contextmanager
def http_server(*options: str) -> Generator[str]:
    """`rc-mcp serve --http` on a port the system chooses; its address."""
    with served(*RC_MCP, "serve", "--http", "--port", "0", *options) as server:
        yield server.address


@contextmanager
def served(*command: str) -> Generator[Served]:
    """Start a program that serves MCP with uvicorn; its line on stderr has the address. Stdout must stay empty."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        log: list[str] = []
        # A pipe without a reader would stop the server at its 64 KB.
        emptied = Thread(target=log.extend, args=(process.stderr,), daemon=True)
        try:
            for line in process.stderr:
                log.append(line)
                if running := re.search(r"running on (http://[^\s/]+)", line):
                    break
            else:
                raise AssertionError(f"it did not start: {log}")
            emptied.start()
            yield Served(f"{running[1]}/mcp", process.pid, log)
        finally:
            process.terminate()
            assert process.stdout.read() == ""
            process.wait(timeout=20)
            if emptied.ident:  # before the pipe is closed under it
                emptied.join(timeout=20)
