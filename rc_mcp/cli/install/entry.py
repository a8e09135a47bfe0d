"""A server's entry in a host's file: its command, its access level, and the source of its credentials."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import distribution
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from rc_mcp.access import LEVELS
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
_REFERENCE = re.compile(r"\$\{(?:env:|input:)?([\w-]+)(?::-)?\}|\{env:(\w+)\}")
"""A value that the host takes from elsewhere; after `:-` could follow a value for a missing one."""
_EXTRAS = {"keyring": "keyring", "ocr": "rapidocr"}
"""The module that shows whether an extra is installed."""


class NoCommandError(ValueError):
    """No command line would start this rc-mcp safely, without risk that another program runs instead."""


def demo_entry(host: Host, before: Entry, access: str | None) -> Entry:
    """Return the entry for the demo server, which needs no credentials. Without `access` it keeps its level."""
    kept = access or option_access(host, before)
    return _started(host, before, ["serve", "--demo", *(["--access", kept] if kept else [])])


def option_access(host: Host, entry: Entry) -> str | None:
    """Return the value of --access in the entry's command; None if it has none."""
    arguments = entry.get("command" if host.one_command else "args")
    words = [str(word) for word in cast("list[Any]", arguments)] if isinstance(arguments, list) else []
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--access=") else [word])]
    given = [after for before, after in pairwise(parts) if before == "--access"]
    return given[-1] if given and given[-1] in LEVELS else None


def account_entry(
    host: Host,
    before: Entry,
    access: str | None,
    *,
    elsewhere: list[str],
    default: dict[str, str],
    given: dict[str, str],
) -> Entry:
    """Return the entry for the user's own mailbox.

    Existing values in the entry are kept, so a second install without --access does not widen the access level.

    Args:
        before: the entry in the file, empty if there is none.
        access: the level given with --access, which takes precedence.
        elsewhere: the credentials that the host takes from elsewhere. References to others are removed: some hosts
            ask for their values, or pass the reference on as it is.
        default: values to write if the entry has none.
        given: values that the user asked to write.
    """
    chosen = given | ({"RC_MCP_ACCESS": access} if access else {})
    known = {
        name: value
        for name, value in before.get(host.environment, {}).items()
        if name not in CREDENTIALS or name in elsewhere or not _is_unfilled(name, value)
    }
    usual = {"RC_MCP_ACCESS": "delete"} | ({} if host.asks else {"RC_MCP_APPROVAL_PAGE": "on"})
    environment = _references(host, elsewhere) | default | usual | known | chosen
    entry = _started(host, before, ["serve"]) | {host.environment: environment}
    if host.reference == "env_vars":
        passed_on = [name for name in before.get("env_vars", []) if name not in CREDENTIALS or name in elsewhere]
        entry["env_vars"] = [*passed_on, *(name for name in elsewhere if name not in passed_on)]
    return entry


def is_reference(value: object) -> bool:
    """Return whether this value of a variable is no secret itself, but names the place of one."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def inputs(host: Host, elsewhere: list[str]) -> list[dict[str, Any]]:
    """Return the values that the host must ask for, of the credentials that it takes from elsewhere."""
    if host.reference != "${input:%s}":
        return []
    asked = {_input(name) for name in elsewhere}
    secret = {_input(name) for name in SECRETS}
    return [
        {"type": "promptString", "id": id_, "description": text} | ({"password": True} if id_ in secret else {})
        for id_, text in _INPUTS.items()
        if id_ in asked
    ]


def _is_unfilled(name: str, value: object) -> bool:
    """Return whether the value of this credential is empty, or only refers to the variable or the input of its name."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return value == "" or (found is not None and {*found.groups()} & {name, _input(name)} != set())


def _references(host: Host, names: list[str]) -> dict[str, str]:
    if host.reference is None or "%s" not in host.reference:
        return {}
    return {name: host.reference % (_input(name) if "input" in host.reference else name) for name in names}


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
