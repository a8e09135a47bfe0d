"""The hosts that rc-mcp can be added to: their configuration files, and how each handles secrets."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

System = Literal["darwin", "win32", "linux"]

SECRETS = ("RC_APP_CLIENT_SECRET", "RC_USER_JWT")
CREDENTIALS = ("RC_APP_CLIENT_ID", *SECRETS)


class NoPlaceError(ValueError):
    """The file that the host reads cannot be determined."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The system, folders and environment that determine the path of a file."""

    system: System
    home: Path
    here: Path
    environment: Mapping[str, str]

    @classmethod
    def this(cls) -> "Machine":
        """Return the current machine."""
        system: System = "win32" if sys.platform == "win32" else "darwin" if sys.platform == "darwin" else "linux"
        return cls(system, Path.home(), Path.cwd(), os.environ)

    def settings(self) -> Path:
        """Return the folder for a user's application settings."""
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        if self.system == "win32":
            return Path(self.environment.get("APPDATA") or self.home / "AppData" / "Roaming")
        return Path(self.environment.get("XDG_CONFIG_HOME") or self.home / ".config")


@dataclass(frozen=True, slots=True)
class Host:
    """A host. Paths and formats are from the hosts' own documentation, as of November 2026."""

    title: str
    file: Callable[[Machine], Path]
    section: str
    """The key of the servers in its file."""
    reference: str | None
    """How its file refers to a value stored elsewhere; None if the host cannot. `env_vars` lists the names of variables
    to pass on; with `inherited` the server has all variables of the host."""
    transport: str | None
    """An entry's `type`; None if the host has no such key."""
    comments: bool
    """Whether its file may contain comments."""
    where_secrets_are: str
    then: str
    starts_in_folder: bool = False
    """Whether it starts servers in the folder in which it was started, so that they read `.env` there."""
    environment: str = "env"
    """The key of an entry's variables."""
    one_command: bool = False
    """Whether `command` is a list that includes the arguments."""
    asks: bool = True
    """Whether it can show a question (docs/reference/hosts.md). Otherwise plans are shown in the user's browser."""
    timeout_ms: int | None = None
    """An entry's `timeout`; None leaves it to the host."""


def _claude_desktop(machine: Machine) -> Path:
    name = "claude_desktop_config.json"
    usual = machine.settings() / "Claude" / name
    if machine.system != "win32":
        return usual
    # Since February 2026 it is installed as a Windows package, which uses a separate folder.
    local = Path(machine.environment.get("LOCALAPPDATA") or machine.home / "AppData" / "Local")
    packaged = [folder / "LocalCache" / "Roaming" / "Claude" / name for folder in local.glob("Packages/Claude_*")]
    used = [file for file in packaged if file.exists()] or packaged
    if len(used) > 1:
        raise NoPlaceError("there are several Claude packages; name the file with --file")
    return used[0] if used else usual


def _opencode(machine: Machine) -> Path:
    """Return the last of the files that opencode merges, as it takes precedence; `opencode.jsonc` if there is none."""
    # On each system, unless XDG_CONFIG_HOME names another folder.
    folder = Path(machine.environment.get("XDG_CONFIG_HOME") or machine.home / ".config") / "opencode"
    files = [folder / name for name in ("opencode.jsonc", "opencode.json", "config.json")]
    return next((file for file in files if file.exists()), files[0])


HOSTS = {
    "claude-desktop": Host(
        title="Claude Desktop",
        file=_claude_desktop,
        section="mcpServers",
        reference=None,
        transport=None,
        comments=False,
        where_secrets_are="Claude Desktop can only store secrets in this file as plain text.",
        asks=False,
        then="Quit Claude Desktop and start it again.",
    ),
    "claude-code": Host(
        title="Claude Code",
        file=lambda machine: machine.here / ".mcp.json",
        section="mcpServers",
        reference="${%s:-}",
        transport="stdio",
        comments=False,
        where_secrets_are="Claude Code reads them from the environment in which you start it.",
        then="Start Claude Code in this folder and approve the server when it asks; /mcp shows it.",
        starts_in_folder=True,
    ),
    "vscode": Host(
        title="VS Code",
        file=lambda machine: machine.settings() / "Code" / "User" / "mcp.json",
        section="servers",
        reference="${input:%s}",
        transport="stdio",
        comments=True,
        where_secrets_are="VS Code asks for them at the first start, and stores them in its secret storage.",
        then="In VS Code run the command MCP: List Servers, choose it, and start it.",
    ),
    "cursor": Host(
        title="Cursor",
        file=lambda machine: machine.home / ".cursor" / "mcp.json",
        section="mcpServers",
        reference="${env:%s}",
        transport="stdio",
        comments=False,
        where_secrets_are="Cursor reads them from the environment in which you start it.",
        then="In Cursor open Settings, Tools & MCP, and switch the server on.",
    ),
    "codex": Host(
        title="Codex",
        file=lambda machine: Path(machine.environment.get("CODEX_HOME") or machine.home / ".codex") / "config.toml",
        section="mcp_servers",
        reference="env_vars",
        transport=None,
        comments=True,
        where_secrets_are="Codex reads them from the environment in which you start it.",
        then="Start Codex; /mcp shows the server.",
        starts_in_folder=True,
    ),
    "gemini": Host(
        title="Gemini CLI",
        file=lambda machine: machine.home / ".gemini" / "settings.json",
        section="mcpServers",
        reference="${%s:-}",
        transport=None,
        comments=True,
        where_secrets_are="Gemini CLI reads them from the environment in which you start it.",
        then=(
            "Start gemini in a folder that it trusts; /mcp shows the server. In any other folder Gemini CLI starts no "
            "MCP server: run /permissions there, trust the folder, and start gemini again."
        ),
        starts_in_folder=True,
    ),
    "opencode": Host(
        title="opencode",
        file=_opencode,
        section="mcp",
        # Not `{env:NAME}`: the value becomes part of the file's text, so a quotation mark in it would break the file.
        reference="inherited",
        transport="local",
        comments=True,
        where_secrets_are="opencode reads them from the environment in which you start it.",
        then="Start opencode; opencode mcp list shows the server.",
        starts_in_folder=True,
        environment="environment",
        one_command=True,
        timeout_ms=60_000,
    ),
}
