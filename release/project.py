"""Facts about the project for everything that is published, from pyproject.toml and the code."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
WHOLE: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT: dict[str, Any] = WHOLE["project"]
VERSION: str = PROJECT["version"]
AUTHOR = "the rc-mcp authors"
ACCESS = "delete"
"""The access level of a new installation: everything that can be undone."""
REGISTRY_NAME = "io.github.rc-mcp/rc-mcp"
"""The name in the MCP registry. Its owner must be the GitHub account that publishes; README repeats it."""


def text_of(path: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / path).read_text("utf-8")
