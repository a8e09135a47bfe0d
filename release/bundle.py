"""The .mcpb bundle for Claude Desktop: the wheel, and what the app has to ask for and start.

Its server type is `uv`: the app runs it with a Python and with packages of its own. What the app asks for goes into the
system's keychain where it is marked sensitive, which is why the bundle is the better way there than a file.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from rc_mcp.tools import tools_for
from release.project import ACCESS, AUTHOR, PROJECT, ROOT, VERSION

_START = '''"""Starts the server that lies beside this file as a wheel."""

from rc_mcp.cli import main

main()
'''


def fill(folder: Path, wheel: Path) -> None:
    """Puts everything that is packed into this folder."""
    folder.mkdir(parents=True)
    shutil.copy(wheel, folder)
    shutil.copy(ROOT / "LICENSE", folder)
    (folder / "server.py").write_text(_START, encoding="utf-8")
    (folder / "pyproject.toml").write_text(_pyproject(wheel.name), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest(), indent=2) + "\n", encoding="utf-8")


def manifest() -> dict[str, Any]:
    """What the app reads."""
    return {
        "manifest_version": "0.4",
        "name": PROJECT["name"],
        "display_name": "RingCentral messages",
        "version": VERSION,
        "description": PROJECT["description"],
        "author": {"name": AUTHOR},
        "license": PROJECT["license"],
        "keywords": PROJECT["keywords"],
        "server": {
            "type": "uv",
            "entry_point": "server.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "server.py", "serve"],
                "env": {
                    "RC_APP_CLIENT_ID": "${user_config.client_id}",
                    "RC_APP_CLIENT_SECRET": "${user_config.client_secret}",
                    "RC_USER_JWT": "${user_config.user_jwt}",
                    "RC_MCP_ACCESS": "${user_config.access}",
                },
            },
        },
        "tools": [{"name": tool.name, "description": _first_sentence(tool.description)} for tool in tools_for(ACCESS)],
        "prompts_generated": True,
        "user_config": _asked(),
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": PROJECT["requires-python"]},
        },
    }


def _asked() -> dict[str, dict[str, Any]]:
    # An empty default: a value that is left out would arrive as its own placeholder.
    optional: dict[str, Any] = {"type": "string", "required": False, "default": ""}
    return {
        "client_id": {
            "type": "string",
            "title": "Client ID",
            "description": "Of your app in the RingCentral Developer Console.",
            "required": True,
        },
        "client_secret": {
            **optional,
            "title": "Client secret",
            "description": "The app's secret. Empty if it has none.",
            "sensitive": True,
        },
        "user_jwt": {
            **optional,
            "title": "JWT credential",
            "description": "Made under your name in the Developer Console. Empty if you logged in with rc-mcp login.",
            "sensitive": True,
        },
        "access": {
            **optional,
            "title": "How far it may go",
            "description": "read, triage (marks, restores), delete (deletes after your yes), purge or admin.",
            "default": ACCESS,
        },
    }


def _first_sentence(text: str | None) -> str:
    return re.split(r"(?<=\.) ", " ".join((text or "").split()))[0]


def _pyproject(wheel: str) -> str:
    pins = re.findall(
        r"^([\w.-]+)(?:\[.*?\])?(==[\w.]+)(?: ; (.*?))?(?= \\|$)",
        (ROOT / "requirements.lock").read_text(),
        re.MULTILINE,
    )
    constraints = "".join(f"    {json.dumps(f'{name}{pin} ; {marker}'.rstrip(' ;'))},\n" for name, pin, marker in pins)
    return f"""\
[project]
name = "{PROJECT["name"]}-bundle"
version = "{VERSION}"
requires-python = "{PROJECT["requires-python"]}"
dependencies = ["{PROJECT["name"]}"]

[tool.uv]
package = false
constraint-dependencies = [
{constraints}]

[tool.uv.sources]
{PROJECT["name"]} = {{ path = "{wheel}" }}
"""
