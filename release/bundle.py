"""The .mcpb bundle for Claude Desktop: the wheel, and a manifest of its settings and start command.

Its server type is `uv`: the app runs it with its own Python and packages. The app stores sensitive settings in the
system's keychain, so the bundle is safer than a configuration file.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from rc_mcp.tools import tools_for
from release.project import ACCESS, AUTHOR, PROJECT, ROOT, VERSION

_START = '''"""Start the server from the wheel next to this file."""

from rc_mcp.cli import main

main()
'''


def fill(folder: Path, wheel: Path) -> None:
    """Fill this folder with the contents of the bundle."""
    folder.mkdir(parents=True)
    shutil.copy(wheel, folder)
    shutil.copy(ROOT / "LICENSE", folder)
    (folder / "server.py").write_text(_START, encoding="utf-8")
    (folder / "pyproject.toml").write_text(_pyproject(wheel.name), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest(), indent=2) + "\n", encoding="utf-8")


def manifest() -> dict[str, Any]:
    """Return the manifest that the app reads."""
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
                    "RC_MCP_APPROVAL_PAGE": "on",  # the app shows no questions, nor can its window approve all
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
    # Without the empty default, the app would pass the placeholder itself.
    optional: dict[str, Any] = {"type": "string", "required": False, "default": ""}
    return {
        "client_id": {
            "type": "string",
            "title": "Client ID",
            "description": "The client ID of your app in the RingCentral Developer Console.",
            "required": True,
        },
        "client_secret": {
            **optional,
            "title": "Client secret",
            "description": "The app's client secret. Leave empty if it has none.",
            "sensitive": True,
        },
        "user_jwt": {
            **optional,
            "title": "JWT credential",
            "description": "Your JWT credential from the Developer Console. Leave empty if you used rc-mcp login.",
            "sensitive": True,
        },
        "access": {
            **optional,
            "title": "Access level",
            "description": "read, triage (marks, restores), delete (deletes with your approval), purge or admin.",
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
