"""A machine with one host on it, for tests of hosts' command lines: a home and a project, and no network."""

import json
import os
import platform
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.installed import node_environment

PACKAGES = Path(__file__).parents[1] / "interop" / "hosts"
RUN_TIMEOUT_S = 120
ALONE = ("unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""Runs a program without a network: a host asks its vendor for news, and sends it what it saw."""
_ROWS, _COLUMNS = 50, 4_000
"""A terminal so wide that no address is broken into lines."""


@dataclass(frozen=True)
class Command:
    """A program with its arguments, what it is given on stdin, and its own variables."""

    words: tuple[str | Path, ...]
    given: str = ""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass
class Terminal:
    """A terminal with a program, and what the program wrote on it."""

    file: int
    said: str = ""

    def says(self, pattern: str) -> str:
        """Wait until the program wrote this; return the match."""
        while not (found := re.search(pattern, self.said)):
            assert self._reads(), self.said
        return found[0]

    def type(self, line: str) -> None:
        """Type a line, and press Enter."""
        os.write(self.file, f"{line}\r".encode())

    def rest(self) -> str:
        """Return what the program wrote until it ended."""
        while self._reads():
            pass
        return self.said

    def _reads(self) -> bool:
        try:
            read = os.read(self.file, 65_536)
        except OSError:  # no program has the terminal any more
            return False
        self.said += read.decode(errors="replace")
        return bool(read)


@dataclass
class Machine:
    """A machine with one host on it: a home and a project, both empty, and no network."""

    folder: Path
    packages: Path
    alone: tuple[str | Path, ...] = ALONE
    """Runs a program in the machine's network, which has no way out."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @contextmanager
    def running(
        self, command: Command, stdin: int = subprocess.PIPE, stdout: int = subprocess.DEVNULL
    ) -> Generator[subprocess.Popen[str]]:
        """Run a program in the project; at the end it is killed, with all that it started."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        process = subprocess.Popen(
            [*self.alone, *command.words],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL if stdout == subprocess.DEVNULL else subprocess.STDOUT,
            cwd=self.project,
            env={"HOME": str(self.home), "PATH": path, "TERM": "xterm", **command.environment},
            text=True,
            start_new_session=True,
        )
        end = Timer(RUN_TIMEOUT_S, lambda: os.killpg(process.pid, signal.SIGKILL))
        end.start()
        try:
            if process.stdin:
                process.stdin.write(command.given)
                process.stdin.flush()
            yield process
        finally:
            end.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    @contextmanager
    def on_a_terminal(self, command: Command) -> Generator[Terminal]:
        """Run a program on a terminal, as its user does."""
        import termios  # not on Windows

        ours, its = os.openpty()
        try:
            termios.tcsetwinsize(its, (_ROWS, _COLUMNS))
            with self.running(command, stdin=its, stdout=its):
                os.close(its)
                yield Terminal(ours)
        finally:
            os.close(ours)

    def says(self, command: Command, pattern: str | None = None) -> str:
        """What a program says until a line has this pattern, or until it ends."""
        said = ""
        with self.running(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said += line
                if pattern and re.search(pattern, line):
                    break
        return said

    def first_message(self, command: Command, record: Path) -> dict[str, Any]:
        """Start a host whose server copies what it is sent to the pipe `record`; return the first message."""
        pipe = os.open(record, os.O_RDWR)
        try:
            with self.running(command):
                assert select.select([pipe], [], [], RUN_TIMEOUT_S)[0], "it did not start the server"
                return json.loads(os.read(pipe, 65_536).splitlines()[0])
        finally:
            os.close(pipe)

    def program(self, path: str) -> Path:
        """The program of a package."""
        return self.packages / "node_modules" / path


def new_machine(folder: Path) -> Machine:
    """Return a machine with the packages of all hosts. Skip the test where programs cannot run on it."""
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse("a program cannot be run without a network here")
    if platform.machine() != "x86_64":
        pytest.skip("the packages have programs for x86-64")
    machine = Machine(folder, node_environment(PACKAGES))
    machine.home.mkdir()
    machine.project.mkdir()
    return machine
