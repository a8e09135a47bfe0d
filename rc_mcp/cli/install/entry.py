"""What is written for a server: how it is started, how far it may go, and where its credentials come from."""

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
"""-P keeps the working folder off Python's path, and -E whatever PYTHONPATH says, in which an empty part is the working
folder too (also for the `rc-mcp` script). Not -I: it would leave out what `pip install --user` installed."""

_INPUTS = {
    "rc-app-client-id": "RingCentral app: client ID",
    "rc-app-client-secret": "RingCentral app: client secret (leave empty if the app has none)",
    "rc-user-jwt": "RingCentral user: JWT credential (leave empty after rc-mcp login)",
}
"""What VS Code asks for."""
_EXTRAS = {"keyring": "keyring", "ocr": "rapidocr_onnxruntime"}
"""Which module tells that an extra is there."""


class NoCommandError(ValueError):
    """There is no command line by which a host could start this rc-mcp, and nothing else in its place."""


def demo_entry(host: Host, before: Entry, access: str | None) -> Entry:
    """The server on the emulator, which needs no credentials."""
    return before | _started(host, ["serve", "--demo", *(["--access", access] if access else [])])


def account_entry(
    host: Host, before: Entry, access: str | None, *, default: dict[str, str], given: dict[str, str]
) -> Entry:
    """The server for the user's own mailbox.

    What stands in the entry already stays: it is the user's. So installing again never widens the access level.

    Args:
        before: the entry as it stands in the file, empty if there is none.
        access: the level the user asked for now, which goes before all.
        default: values to be written where there are none.
        given: values the user asked to be written.
    """
    chosen = given | ({"RC_MCP_ACCESS": access} if access else {})
    environment = _references(host) | default | {"RC_MCP_ACCESS": "delete"} | before.get("env", {}) | chosen
    entry = before | _started(host, ["serve"]) | {"env": environment}
    if host.reference == "env_vars":
        known = list(before.get("env_vars", []))
        entry["env_vars"] = [*known, *(name for name in CREDENTIALS if name not in known)]
    return entry


def inputs(host: Host) -> list[dict[str, Any]]:
    """What the host is told to ask for."""
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


def _started(host: Host, arguments: list[str]) -> Entry:
    command, *before = command_line()
    transport = {"type": "stdio"} if host.says_type else {}
    return {**transport, "command": command, "args": [*before, *arguments]}


def command_line() -> list[str]:
    """How a host starts this rc-mcp. Whole paths, because apps do not know a shell's PATH or its environments.

    Hosts start it in a folder of their choice, which may hold an `rc_mcp` of its own: that must not run in ours' place.

    Raises:
        NoCommandError: there is no such command line.
    """
    if "archive-v0" in Path(sys.prefix).parts:  # uvx: an environment in its cache, which is cleared at times
        return [_uvx(), "--from", _requirement(), "python", *_ONLY_INSTALLED]
    if not _starts(sys.executable):
        raise NoCommandError(
            "rc-mcp is not installed for this Python: it was found through the working folder or PYTHONPATH, where "
            "another could take its place. Install it with pip, pipx or uv"
        )
    return [sys.executable, *_ONLY_INSTALLED]


@cache
def _starts(python: str) -> bool:
    """Whether this Python starts this rc-mcp, in a folder that has nothing."""
    with TemporaryDirectory(prefix="rc-mcp-install-") as folder:
        command = [python, *_ONLY_INSTALLED, "--version"]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0  # noqa: S603


def _uvx() -> str:
    """The program itself, by its whole path: a bare name could mean one in the working folder."""
    beside = Path(os.environ.get("UV", ""))  # uv says so to what it starts
    found = shutil.which("uvx", path=str(beside.parent)) if beside.is_absolute() else None
    found = found or shutil.which("uvx")
    if found is None or not Path(found).is_absolute():
        raise NoCommandError("uvx is not on the PATH. Put it there, or install rc-mcp with uv tool install")
    return found


def _requirement() -> str:
    """What was installed here: from an index, or from where PEP 610 says; with the extras that are there."""
    ours = distribution("rc-mcp")
    extras = [name for name, module in _EXTRAS.items() if find_spec(module)]
    name = f"rc-mcp[{','.join(extras)}]" if extras else "rc-mcp"
    source = json.loads(ours.read_text("direct_url.json") or "{}")
    if not source:
        return f"{name}=={ours.version}"
    vcs = source.get("vcs_info")
    return f"{name} @ {vcs['vcs']}+{source['url']}@{vcs['commit_id']}" if vcs else f"{name} @ {source['url']}"
