"""The command lines of four hosts, as tests/interop/hosts/package.json pins them."""

import json

from tests.hosts.machine import Command, Machine
from tests.installed import tool


def claude(machine: Machine, *arguments: str) -> Command:
    return Command((machine.program("@anthropic-ai/claude-code-linux-x64/claude"), *arguments))


def codex(machine: Machine, *arguments: str, given: str = "") -> Command:
    program = machine.program("@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
    return Command((program, *arguments), given)


def codex_status(machine: Machine) -> Command:
    """Return the command that connects to all servers and lists their tools: Codex has no other for that."""
    hello = {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "test", "title": "", "version": "1"}}}
    status: dict[str, object] = {"id": 2, "method": "mcpServerStatus/list", "params": {}}
    lines = [json.dumps(message) for message in (hello, {"method": "initialized"}, status)]
    return codex(machine, "app-server", given="\n".join([*lines, ""]))


def gemini(machine: Machine, *arguments: str) -> Command:
    program = machine.program("@google/gemini-cli/bundle/gemini.js")
    return Command((tool("node"), program, *arguments), environment={"GEMINI_API_KEY": "made-up"})


def opencode(machine: Machine, *arguments: str) -> Command:
    return Command((machine.program("opencode-linux-x64/bin/opencode"), *arguments))
