"""amagi-mcp-probe: starts the server over stdio, checks every schema, and calls every tool."""

import json
from pathlib import Path

from tests.serving import RC_MCP
from tests.suites.calls import calls_of_every_tool
from tests.suites.conftest import Judge


def test_every_tool_answers_real_arguments_without_a_warning(judge: Judge, tmp_path: Path) -> None:
    file = tmp_path / "calls.json"
    file.write_text(json.dumps(calls_of_every_tool()))
    options = ["--allow-destructive", "--strict", "--env", f"RC_MCP_STATE_DIR={tmp_path}", "--args", str(file)]
    ran = judge("amagi_mcp_probe.cli", *options, "--", *RC_MCP, "serve", "--demo")
    assert ran.returncode == 0, ran.stderr
