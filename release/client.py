"""The distribution `rc-mcp-client`: the Python client, and the emulator with its pytest plugin, without the server.

It is for an agent's own environment: the server needs mcp 2, and several agent frameworks need mcp 1. It has the same
modules under the same names as `rc-mcp`, so an environment gets one of the two. An extra cannot do this: whoever
installs `rc-mcp` wants the server, and no installer adds an extra by default.

`make client` builds its wheel into dist/, for use before it is on PyPI.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tomlkit

from release.project import PROJECT, ROOT, WHOLE

NAME = f"{PROJECT['name']}-client"
MODULES = ("__init__.py", "emulator", "locks.py", "private_files.py", "py.typed", "ringcentral")
"""What it has of `rc_mcp`."""
NEEDS = ("anyio", "filelock", "httptools", "httpx2", "pillow", "pydantic", "starlette", "tzdata", "uvicorn")
"""What these modules import, of the project's dependencies."""
DIST = ROOT / "dist"


def main() -> None:
    """Build the wheel into dist/ and print the command that installs it in another environment."""
    with TemporaryDirectory(prefix="rc-mcp-client-") as name:
        sources = Path(name) / "sources"
        fill(sources)
        print(f'pip install "{wheel(sources, DIST)}"')


def wheel(sources: Path, into: Path) -> Path:
    """Build the wheel of these sources into a folder, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    subprocess.run(command, cwd=sources, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return into / f"{NAME.replace('-', '_')}-{PROJECT['version']}-py3-none-any.whl"


def fill(folder: Path) -> None:
    """Fill this folder with the sources of the distribution, ready to be built."""
    (folder / "rc_mcp").mkdir(parents=True)
    for name in MODULES:
        source = ROOT / "rc_mcp" / name
        if source.is_dir():
            shutil.copytree(source, folder / "rc_mcp" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / "rc_mcp")
    shutil.copy(ROOT / "LICENSE", folder)
    shutil.copy(ROOT / "release/client.md", folder / "README.md")
    (folder / "pyproject.toml").write_text(tomlkit.dumps(_settings()), encoding="utf-8")


def _settings() -> dict[str, Any]:
    same = ("version", "license", "license-files", "requires-python", "classifiers")
    return {
        "build-system": WHOLE["build-system"],
        "project": {
            "name": NAME,
            "description": "A Python client for RingCentral's Message Store, and an emulator of it for tests.",
            "readme": "README.md",
            "keywords": [keyword for keyword in PROJECT["keywords"] if keyword != "mcp"],
            "dependencies": [needed for needed in PROJECT["dependencies"] if _name(needed) in NEEDS],
            **{key: PROJECT[key] for key in same},
        },
        "tool": {"hatch": {"build": {"targets": {"wheel": {"packages": ["rc_mcp"]}}}}},
    }


def _name(needed: str) -> str:
    return needed.split(">")[0]


if __name__ == "__main__":
    main()
