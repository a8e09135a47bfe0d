"""The command lines of four hosts, unmodified, without an account: what `rc-mcp install` writes is listed and connects.

Each also says at its first contact what tests/hosts/hosts.toml has recorded of it. They run without a network, in homes
of their own. `make hosts` runs this, on Linux on x86-64; its packages need a gigabyte.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.tools import tools_for
from release import bundle
from tests.hosts.machine import PACKAGES, Command, Machine, new_machine
from tests.hosts.programs import claude, codex, codex_status, gemini, opencode
from tests.hosts.table import TABLE, Handshake
from tests.installed import tool

pytestmark = pytest.mark.long

NAME = "ringcentral-demo"


@dataclass(frozen=True)
class CommandLine:
    """A host's command line."""

    title: str
    """In tests/hosts/hosts.toml."""
    host: str
    """For `rc-mcp install`."""
    trust: tuple[str, Callable[[Machine], object]] | None
    """A file in the home and its content: what its user agrees to, as `rc-mcp install` says."""
    status: Callable[[Machine], Command]
    """Connect to all servers and list them."""
    connected: str
    """What it then says of ours: a pattern."""
    session: Callable[[Machine], Command]
    """Begin a session, which comes to nothing: there is no account."""


COMMAND_LINES = [
    CommandLine(
        title="Claude Code",
        host="claude-code",
        trust=(".claude/settings.json", lambda _: {"enabledMcpjsonServers": [NAME]}),
        status=lambda machine: claude(machine, "mcp", "list"),
        connected=rf"{NAME}: .* Connected",
        session=lambda machine: claude(machine, "mcp", "list"),
    ),
    CommandLine(
        title="Codex CLI",
        host="codex",
        trust=None,
        status=codex_status,
        connected="".join(f'(?=.*"{one.name}":)' for one in tools_for("admin", with_search=True)),
        session=codex_status,
    ),
    CommandLine(
        title="Gemini CLI",
        host="gemini",
        trust=(".gemini/trustedFolders.json", lambda machine: {str(machine.project): "TRUST_FOLDER"}),
        status=lambda machine: gemini(machine, "mcp", "list"),
        connected=rf"{NAME}: .* Connected",
        session=lambda machine: gemini(machine, "--prompt", "hello"),
    ),
    CommandLine(
        title="opencode",
        host="opencode",
        trust=None,
        status=lambda machine: opencode(machine, "mcp", "list"),
        connected=rf"{NAME} .*connected",
        session=lambda machine: opencode(machine, "mcp", "list"),
    ),
]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return new_machine(tmp_path)


@pytest.fixture(params=COMMAND_LINES, ids=lambda command_line: command_line.host)
def command_line(request: pytest.FixtureRequest, machine: Machine) -> CommandLine:
    """A host in which rc-mcp is installed and trusted."""
    chosen: CommandLine = request.param
    said = install(machine, chosen.host)
    assert said.startswith(f"Wrote {NAME} to {machine.folder}"), said
    if chosen.trust:
        path, content = chosen.trust
        file = machine.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content(machine)))
    return chosen


def install(machine: Machine, host: str) -> str:
    return machine.says(Command((sys.executable, "-P", "-m", "rc_mcp", "install", host, "--demo")))


def test_what_install_writes_is_listed_and_connects(command_line: CommandLine, machine: Machine) -> None:
    said = machine.says(command_line.status(machine), command_line.connected)
    assert re.search(command_line.connected, said), said


def test_it_says_at_its_first_contact_what_the_table_has_recorded(command_line: CommandLine, machine: Machine) -> None:
    record, script = machine.folder / "record", machine.folder / "python"
    os.mkfifo(record)
    script.write_text(f'#!/bin/sh\ntee {record} | {sys.executable} "$@"\n')
    script.chmod(0o755)
    [written] = [f for f in (*machine.home.rglob("*"), *machine.project.rglob("*")) if mentions(f, sys.executable)]
    written.write_text(written.read_text("utf-8").replace(sys.executable, str(script)), encoding="utf-8")
    message = machine.first_message(command_line.session(machine), record)
    [host] = [host for host in TABLE.hosts if host.title == command_line.title]
    client, said = handshake(message)
    assert (client["version"], [said]) == (host.version, host.handshakes)


def mentions(file: Path, text: str) -> bool:
    return file.is_file() and text.encode() in file.read_bytes()


def handshake(message: dict[str, Any]) -> tuple[dict[str, Any], Handshake]:
    """The client of a first message, and what the table keeps of it."""
    params = message["params"]
    if message["method"] == "server/discover":
        meta = {key.removeprefix("io.modelcontextprotocol/"): value for key, value in params["_meta"].items()}
        params = meta | {"capabilities": meta["clientCapabilities"]}
    client = params["clientInfo"]
    said = {"protocol": params["protocolVersion"], "capabilities": params["capabilities"]}
    return client, Handshake(name=client["name"], **said)


def test_gemini_starts_no_server_in_a_folder_that_it_does_not_trust(machine: Machine) -> None:
    """`rc-mcp install gemini` says so; without that it would look like a fault of ours."""
    assert "/permissions" in install(machine, "gemini")
    assert re.search(rf"{NAME}: .* Disabled", machine.says(gemini(machine, "mcp", "list")))


def test_claude_code_waits_for_its_users_approval(machine: Machine) -> None:
    assert "approve the server" in install(machine, "claude-code")
    assert re.search(rf"{NAME}: .* Pending approval", machine.says(claude(machine, "mcp", "list")))


def test_claude_code_shows_its_model_the_pages_and_a_model_alone_deletes_nothing(machine: Machine) -> None:
    """Nobody is there to answer its question, and a made-up model calls the tools, whatever it is told."""
    install(machine, "claude-code")
    seen = machine.folder / "seen"
    words = claude(machine, "-p", "hello", "--mcp-config", ".mcp.json", "--allowedTools", f"mcp__{NAME}").words
    settings = {
        "ANTHROPIC_API_KEY": "made-up",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "ENABLE_TOOL_SEARCH": "false",
        "MCP_CONNECTION_NONBLOCKING": "false",
    }
    said = machine.says(Command((sys.executable, PACKAGES / "model.py", seen, *words), environment=settings))
    _, pages, deleted = [json.loads(line) for line in seen.read_text("utf-8").splitlines()]
    assert "image" in [block["type"] for block in pages], said
    assert json.loads(deleted)["status"] == "declined"


def test_codex_lists_what_was_installed(machine: Machine) -> None:
    install(machine, "codex")
    listed = machine.says(codex(machine, "mcp", "list"))
    assert re.search(rf"^{NAME} .*serve --demo.* enabled", listed, re.MULTILINE)


@pytest.mark.parametrize(("user_config", "verdict"), [({}, "passes"), ({"x": {"type": "secret"}}, "failed")])
def test_anthropics_own_tool_accepts_the_manifest_of_the_bundle(
    user_config: dict[str, Any], verdict: str, machine: Machine
) -> None:
    manifest = bundle.manifest()
    file = machine.project / "manifest.json"
    file.write_text(json.dumps(manifest | {"user_config": manifest["user_config"] | user_config}))
    said = machine.says(
        Command((tool("node"), machine.program("@anthropic-ai/mcpb/dist/cli/cli.js"), "validate", file))
    )
    assert verdict in said
