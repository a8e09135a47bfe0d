"""Writes server.json, the project's entry in the MCP registry: `python -m release.registry`."""

import json
from typing import Any

from rc_mcp.access import LEVELS
from release.project import ACCESS, PROJECT, REGISTRY_NAME, ROOT, VERSION

FILE = ROOT / "server.json"
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"


def entry() -> str:
    """Return the text of server.json."""
    variables: list[dict[str, Any]] = [
        {
            "name": "RC_APP_CLIENT_ID",
            "description": "Client ID of an app of the RingCentral Developer Console",
            "isRequired": True,
        },
        {"name": "RC_APP_CLIENT_SECRET", "description": "The app's client secret, if it has one", "isSecret": True},
        {
            "name": "RC_USER_JWT",
            "description": "JWT credential of the mailbox's user; not needed after `rc-mcp login`",
            "isSecret": True,
        },
        {
            "name": "RC_MCP_ACCESS",
            "description": "How far tools may go; each level includes those before it",
            "default": ACCESS,
            "choices": list(LEVELS),
        },
    ]
    package: dict[str, Any] = {
        "registryType": "pypi",
        "identifier": PROJECT["name"],
        "version": VERSION,
        "runtimeHint": "uvx",
        "transport": {"type": "stdio"},
        "packageArguments": [{"type": "positional", "value": "serve"}],
        "environmentVariables": variables,
    }
    server: dict[str, Any] = {
        "$schema": SCHEMA,
        "name": REGISTRY_NAME,
        "title": "RingCentral messages",
        "description": "Voicemails, faxes, texts and pager messages, with a guard on everything that deletes.",
        "version": VERSION,
        "packages": [package],
    }
    return json.dumps(server, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(entry(), encoding="utf-8")
