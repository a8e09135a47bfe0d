"""Writes plugin/, a Claude Code plugin with the server and its prompts as skills: `python -m release.plugin`.

Each skill is generated from its prompt; a test fails if they differ.
"""

import json
import re
from pathlib import PurePosixPath
from shutil import rmtree

import frontmatter

from rc_mcp.prompts import FrontMatter, prompt_files, without_tools
from rc_mcp.tools import SEARCH
from release.project import ACCESS, AUTHOR, PROJECT, ROOT, VERSION

FOLDER = ROOT / "plugin"
MARKETPLACE = ROOT / ".claude-plugin" / "marketplace.json"
NAME = "ringcentral"


def files() -> dict[PurePosixPath, str]:
    """Return every file of the plugin, by its path in the plugin."""
    manifest = {
        "name": NAME,
        "version": VERSION,
        "description": PROJECT["description"],
        "author": {"name": AUTHOR},
        "license": PROJECT["license"],
        "keywords": PROJECT["keywords"],
    }
    variables = {name: f"${{{name}:-}}" for name in ("RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT")}
    server = {
        "type": "stdio",
        "command": "uvx",
        "args": [f"{PROJECT['name']}@{VERSION}", "serve"],
        "env": {**variables, "RC_MCP_ACCESS": f"${{RC_MCP_ACCESS:-{ACCESS}}}"},
    }
    made = {
        PurePosixPath(".claude-plugin/plugin.json"): _json(manifest),
        PurePosixPath(".mcp.json"): _json({"mcpServers": {"ringcentral": server}}),
    }
    for file in prompt_files():
        name = file.name.removesuffix(".md").replace("_", "-")
        made[PurePosixPath("skills", name, "SKILL.md")] = skill(
            name, without_search(file.name, file.read_text("utf-8"))
        )
    return made


def marketplace() -> str:
    """Return the file with which Claude Code finds the plugin in this repository."""
    plugin = {"name": NAME, "source": "./plugin", "description": PROJECT["description"]}
    return _json(
        {
            "name": PROJECT["name"],
            "description": PROJECT["description"],
            "owner": {"name": AUTHOR},
            "plugins": [plugin],
        }
    )


def without_search(file_name: str, text: str) -> str:
    """Return a prompt file for a server without a local copy, as the plugin starts it."""
    return without_tools(file_name, text, {SEARCH})


def skill(name: str, prompt: str) -> str:
    """Return a prompt file as a skill, which takes the prompt's arguments from the user's words."""
    metadata, body = frontmatter.parse(prompt)
    head = FrontMatter.model_validate(metadata)
    what = [
        f"- `<{a.name}>`: {a.description}" + (f" Default: {a.default}." if a.default else "") for a in head.arguments
    ]
    said = [
        "The user's words: $ARGUMENTS",
        "",
        "Take these values from them; ask only for values without a default:",
        *what,
        "",
    ]
    text = re.sub(r"\{\{(\w+)\}\}", r"<\1>", body.strip())
    front = [f"name: {name}", f"description: {json.dumps(head.description, ensure_ascii=False)}"]
    return "\n".join(["---", *front, "---", *(said if head.arguments else []), text, ""])


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the plugin again from scratch."""
    rmtree(FOLDER, ignore_errors=True)
    for path, text in files().items():
        file = FOLDER / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    MARKETPLACE.parent.mkdir(exist_ok=True)
    MARKETPLACE.write_text(marketplace(), encoding="utf-8")


if __name__ == "__main__":
    write()
