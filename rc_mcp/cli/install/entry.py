"""A server's entry in a host's file: its command, its access level, and the source of its credentials."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rc_mcp.cli.install.hosts import CREDENTIALS, SECRETS, Host

Entry = dict[str, Any]

_ONLY_INSTALLED = ("-E", "-P", "-m", "rc_mcp")
"""-P keeps the working folder off Python's path, and -E ignores PYTHONPATH, in which an empty part also means the
working folder (for the `rc-mcp` script too). Not -I: it would ignore packages from `pip install --user`."""

_INPUTS = {
    "rc-app-client-id": "RingCentral app: client ID",
    "rc-app-client-secret": "RingCentral app: client secret (leave empty if the app has none)",
    "rc-user-jwt": "RingCentral user: JWT credential (leave empty after rc-mcp login)",
}
"""The values that VS Code asks for."""
_EXTRAS = {"keyring": "keyring", "ocr": "rapidocr"}
"""The module that shows whether an extra is installed."""


class NoCommandError(ValueError):
    """No command line would start this rc-mcp safely, without risk that another program runs instead."""


def demo_entry(host: Host, before: Entry, access: str | None) -> Entry:
    """Return the entry for the demo server, which needs no credentials."""
    return _started(host, before, ["serve", "--demo", *(["--access", access] if access else [])])


def account_entry(
    host: Host, before: Entry, access: str | None, *, default: dict[str, str], given: dict[str, str]
) -> Entry:
    """Return the entry for the user's own mailbox.

    Existing values in the entry are kept, so a second install without --access does not widen the access level.

    Args:
        before: the entry in the file, empty if there is none.
        access: the level given with --access, which takes precedence.
        default: values to write if the entry has none.
        given: values that the user asked to write.
    """
    chosen = given | ({"RC_MCP_ACCESS": access} if access else {})
    known = before.get(host.environment, {})
    environment = _references(host) | default | {"RC_MCP_ACCESS": "delete"} | known | chosen
    entry = _started(host, before, ["serve"]) | {host.environment: environment}
    if host.reference == "env_vars":
        passed_on = list(before.get("env_vars", []))
        entry["env_vars"] = [*passed_on, *(name for name in CREDENTIALS if name not in passed_on)]
    return entry


def inputs(host: Host) -> list[dict[str, Any]]:
    """Return the values that the host must ask for."""
    if host.reference != "${input:%s}":
        return []
    secret = {_input(name) for name in SECRETS}
    return [
        {"type": "promptString", "id": id_, "description": text} | ({"password": True} if id_ in secret else {})
        for id_, text in _INPUTS.items()
    ]


def _references(host: Host) -> dict[str, str]:
    if host.reference is None or "%s" not in host.reference:
        return {}
    return {name: host.reference % (_input(name) if "input" in host.reference else name) for name in CREDENTIALS}


def _input(variable: str) -> str:
    return variable.lower().replace("_", "-")


def _started(host: Host, before: Entry, arguments: list[str]) -> Entry:
    command = [*command_line(), *arguments]
    timeout = {"timeout": host.timeout_ms} if host.timeout_ms else {}
    transport = {"type": host.transport} if host.transport else {}
    start = {"command": command} if host.one_command else {"command": command[0], "args": command[1:]}
    return timeout | before | transport | start


def command_line() -> list[str]:
    """Return the command with which a host starts this rc-mcp, with absolute paths: apps do not know a shell's PATH.

    Hosts start it in any folder. If that folder contains another `rc_mcp`, it must not run instead.

    Raises:
        NoCommandError: no command line is safe.
    """
    if "archive-v0" in Path(sys.prefix).parts:  # uvx: an environment in its cache, which is cleared at times
        return [_uvx(), "--from", _requirement(), "python", *_ONLY_INSTALLED]
    if not _starts(sys.executable):
        raise NoCommandError(
            "rc-mcp is not installed for this Python: it was found through the working folder or PYTHONPATH, where "
            "another program could replace it. Install it with pip, pipx or uv"
        )
    return [sys.executable, *_ONLY_INSTALLED]


@cache
def _starts(python: str) -> bool:
    """Return whether this Python starts rc-mcp in an empty folder."""
    with TemporaryDirectory(prefix="rc-mcp-install-") as folder:
        command = [python, *_ONLY_INSTALLED, "--version"]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0  # noqa: S603


def _uvx() -> str:
    """Return the absolute path of uvx: a name without a path could refer to a file in the working folder."""
    beside = Path(os.environ.get("UV", ""))  # uv sets this for programs that it starts
    found = shutil.which("uvx", path=str(beside.parent)) if beside.is_absolute() else None
    found = found or shutil.which("uvx")
    if found is None or not Path(found).is_absolute():
        raise NoCommandError("uvx is not on the PATH. Add it, or install rc-mcp with uv tool install")
    return found


def _requirement() -> str:
    """Return the requirement of this installation, from an index or its PEP 610 source, with installed extras."""
    ours = distribution("rc-mcp")
    extras = [name for name, module in _EXTRAS.items() if find_spec(module)]
    name = f"rc-mcp[{','.join(extras)}]" if extras else "rc-mcp"
    source = json.loads(ours.read_text("direct_url.json") or "{}")
    if not source:
        return f"{name}=={ours.version}"
    vcs = source.get("vcs_info")
    return f"{name} @ {vcs['vcs']}+{source['url']}@{vcs['commit_id']}" if vcs else f"{name} @ {source['url']}"
