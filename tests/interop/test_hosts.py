"""The command lines of four hosts, unmodified, without an account: what `rc-mcp install` writes is listed and connects.

Each also says at its first contact what tests/hosts/hosts.toml has recorded of it. They run without a network, in homes
of their own. `make hosts` runs this, on Linux on x86-64; its packages need a gigabyte.
"""

import json
import os
import platform
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from rc_mcp.tools import tools_for
from release import bundle
from tests.hosts.table import TABLE, Handshake
from tests.installed import node_environment, tool

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
PACKAGES = HERE / "hosts"
RUN_TIMEOUT_S = 120
NAME = "ringcentral-demo"
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Runs a program without a network: a host asks its vendor for news, and sends it what it saw."""


@dataclass(frozen=True)
class Command:
    """A program with its arguments, what it is given on stdin, and its own variables."""

    words: tuple[str | Path, ...]
    given: str = ""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass
class Machine:
    """A machine with one host on it: a home and a project, both empty, and no network."""

    folder: Path
    packages: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @contextmanager
    def running(self, command: Command, output: int | None = subprocess.DEVNULL) -> Generator[subprocess.Popen[str]]:
        """Run a program in the project; at the end it is killed, with all that it started."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        process = subprocess.Popen(
            [*ALONE, *command.words],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT if output == subprocess.PIPE else subprocess.DEVNULL,
            cwd=self.project,
            env={"HOME": str(self.home), "PATH": path, "TERM": "xterm", **command.environment},
            text=True,
            start_new_session=True,
        )
        end = Timer(RUN_TIMEOUT_S, lambda: os.killpg(process.pid, signal.SIGKILL))
        end.start()
        try:
            assert process.stdin is not None
            process.stdin.write(command.given)
            process.stdin.flush()
            yield process
        finally:
            end.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def says(self, command: Command, pattern: str | None = None) -> str:
        """What a program says until a line has this pattern, or until it ends."""
        said = ""
        with self.running(command, subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said += line
                if pattern and re.search(pattern, line):
                    break
        return said

    def first_message(self, command: Command, record: Path) -> dict[str, Any]:
        """Start a host whose server copies what it is sent to the pipe `record`; return the first message."""
        pipe = os.open(record, os.O_RDWR)
        try:
            with self.running(command):
                assert select.select([pipe], [], [], RUN_TIMEOUT_S)[0], "it did not start the server"
                return json.loads(os.read(pipe, 65_536).splitlines()[0])
        finally:
            os.close(pipe)

    def program(self, path: str) -> Path:
        """The program of a package."""
        return self.packages / "node_modules" / path


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


def claude(machine: Machine) -> Command:
    return Command((machine.program("@anthropic-ai/claude-code-linux-x64/claude"), "mcp", "list"))


def codex(machine: Machine, *arguments: str, given: str = "") -> Command:
    program = machine.program("@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
    return Command((program, *arguments), given)


def codex_status(machine: Machine) -> Command:
    hello = {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "test", "title": "", "version": "1"}}}
    status: dict[str, object] = {"id": 2, "method": "mcpServerStatus/list", "params": {}}
    lines = [json.dumps(message) for message in (hello, {"method": "initialized"}, status)]
    return codex(machine, "app-server", given="\n".join([*lines, ""]))


def gemini(machine: Machine, *arguments: str) -> Command:
    program = machine.program("@google/gemini-cli/bundle/gemini.js")
    return Command((tool("node"), program, *arguments), environment={"GEMINI_API_KEY": "made-up"})


def opencode(machine: Machine) -> Command:
    return Command((machine.program("opencode-linux-x64/bin/opencode"), "mcp", "list"))


COMMAND_LINES = [
    CommandLine(
        title="Claude Code",
        host="claude-code",
        trust=(".claude/settings.json", lambda _: {"enabledMcpjsonServers": [NAME]}),
        status=claude,
        connected=rf"{NAME}: .* Connected",
        session=claude,
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
        status=opencode,
        connected=rf"{NAME} .*connected",
        session=opencode,
    ),
]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse("a program cannot be run without a network here")
    if platform.machine() != "x86_64":
        pytest.skip("the packages have programs for x86-64")
    found = Machine(tmp_path, node_environment(PACKAGES))
    found.home.mkdir()
    found.project.mkdir()
    return found


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
    assert re.search(rf"{NAME}: .* Pending approval", machine.says(claude(machine)))


def test_claude_code_shows_its_model_the_pages_and_a_model_alone_deletes_nothing(machine: Machine) -> None:
    """Nobody is there to answer its question, and a made-up model calls the tools, whatever it is told."""
    install(machine, "claude-code")
    seen = machine.folder / "seen"
    words = (*claude(machine).words[:1], "-p", "hello", "--mcp-config", ".mcp.json", "--allowedTools", f"mcp__{NAME}")
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
