"""The MCP Inspector, as a client that is not ours: over stdio and HTTP, in both generations of the protocol.

CI has the newer one. `make inspector` has all.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.tools import tools_for
from tests.installed import node_environment, tool
from tests.serving import RC_MCP, http_server
from tests.suites.calls import calls_of_every_tool
from tests.suites.conftest import HERE, RUN_TIMEOUT_S

Inspect = Callable[..., Any]


@pytest.fixture(
    params=[*(pytest.param(name, marks=pytest.mark.long) for name in ("stdio-legacy", "http-legacy")), "http-modern"]
)
def inspect(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks the demo one thing and gives the result; an exit code that is not 0 is a failure."""
    folder = node_environment(HERE)
    package = folder / "node_modules/@modelcontextprotocol/inspector"
    entry = json.loads((package / "package.json").read_text("utf-8"))["bin"]["mcp-inspector"]
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))  # it writes a catalogue of servers there
    transport, _, era = request.param.partition("-")

    def asking(*target: str) -> Inspect:
        def ask(method: str, *arguments: str) -> Any:
            command = [tool("node"), str(package / entry), "--cli", *target, "--protocol-era", era]
            command += ["--method", method, *arguments, "--format", "json", "--quiet"]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
            assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
            return json.loads(ran.stdout)["result"]

        return ask

    if transport == "stdio":
        yield asking(*RC_MCP, "serve", "--demo", "-e", f"RC_MCP_STATE_DIR={tmp_path}")
    else:
        with http_server("--demo") as address:
            yield asking(address, "--transport", "http")


def test_it_finds_every_schema_portable(inspect: Inspect) -> None:
    found = inspect("tools/list", "--strict")
    assert [t["name"] for t in found["tools"]] == [t.name for t in tools_for("admin", with_search=True)]


def test_an_id_from_its_command_line_which_it_sends_as_a_number_is_read(inspect: Inspect) -> None:
    id_ = calls_of_every_tool()["read_message"][0]["message_id"]
    id_ = id_ if isinstance(id_, str) else id_[0]
    assert id_.isdigit()
    result = inspect("tools/call", "--tool-name", "read_message", "--tool-arg", f"message_id={id_}")
    assert [message["id"] for message in result["structuredContent"]["messages"]] == [id_]


def test_it_calls_every_read_tool(inspect: Inspect) -> None:
    calls = calls_of_every_tool()
    for name in (t.name for t in tools_for("read", with_search=True)):
        result = inspect("tools/call", "--tool-name", name, "--tool-args-json", json.dumps(calls[name][0]))
        assert result["isError"] is False
        assert result["content"]


def test_it_reads_a_message_and_an_attachment_as_resources(inspect: Inspect) -> None:
    with Emulator() as emulator:
        fax = next(record for record in emulator.store.messages() if record["type"] == "Fax")
    templates = [t["uriTemplate"] for t in inspect("resources/templates/list")["resourceTemplates"]]
    message, attachment = sorted(templates, key=len)
    values = {"account_id": "~", "extension_id": "~", "message_id": fax["id"]}
    [record] = inspect("resources/read", "--uri", message.format(**values))["contents"]
    assert json.loads(record["text"])["id"] == str(fax["id"])
    values["attachment_id"] = fax["attachments"][0]["id"]
    [content] = inspect("resources/read", "--uri", attachment.format(**values))["contents"]
    assert content["mimeType"] == fax["attachments"][0]["contentType"]


def test_it_gets_every_prompt(inspect: Inspect) -> None:
    prompts = inspect("prompts/list")["prompts"]
    assert prompts
    for prompt in prompts:
        values = [f"{argument['name']}=x" for argument in prompt.get("arguments", [])]
        got = inspect("prompts/get", "--prompt-name", prompt["name"], *(["--prompt-args", *values] if values else []))
        assert got["messages"]
