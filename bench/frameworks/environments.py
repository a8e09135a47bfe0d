"""An environment for each framework, with its pins from `locks/`, installed once into `.interop/`."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.installed import installed, node_environment, python_of, tool

LOCKS = Path(__file__).parent / "locks"
INSTALL_TIMEOUT_S = 900


def command_of(program: Path, lock: str) -> list[str]:
    """Return the command that starts a program with the packages of `locks/LOCK`; installs them if need be."""
    return node_command(program, lock) if program.suffix == ".mjs" else python_command(program, lock)


def python_command(program: Path, lock: str) -> list[str]:
    pins = LOCKS / f"{lock}.txt"

    def install(folder: Path) -> None:
        uv = str(Path(sys.executable).with_name("uv"))
        run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
        run(uv, "pip", "install", "--quiet", "--no-deps", "--python", python_of(folder), "-r", str(pins))

    return [python_of(installed(f"frameworks-{lock}", [pins], install)), str(program)]


def node_command(program: Path, lock: str) -> list[str]:
    folder = node_environment(LOCKS / lock)
    # A module finds its imports beside itself.
    for file in program.parent.glob("*.mjs"):
        shutil.copy(file, folder)
    return [tool("node"), str(folder / program.name)]


def run(*command: str) -> None:
    """Run a step of an install, and raise with its last words if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} {command[1]} failed: {done.stderr[-500:]}")
