"""The official conformance suite finds no fault, at both generations of the protocol.

Once on the unchanged `rc-mcp serve --demo --http`, and once on the same server with the tools, prompts and resources
that most of its scenarios call by name. Failures are in `demo.yml` or `fixtures.yml`, each line with its reason; the
suite itself says when such a line is out of date. `make conformance` shows the figures.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.installed import node_environment, node_of
from tests.serving import RC_MCP, served

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVERS = {
    "demo": [*RC_MCP, "serve", "--demo", "--http", "--port", "0"],
    "fixtures": [sys.executable, str(HERE / "fixtures.py")],
}
NEEDS_NODE = 22
RUN_TIMEOUT_S = 90


@pytest.fixture(scope="session")
def suite() -> Path:
    """The folder that the suite is installed in."""
    return node_environment(HERE)


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize("server", SERVERS)
def test_every_scored_scenario_passes_but_those_with_a_reason(
    server: str, revision: str, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path / "state"))
    package = suite / "node_modules/@modelcontextprotocol/conformance"
    command = [node_of(suite, NEEDS_NODE), str(package / "dist/index.js"), "server", "--requirements", revision]
    command += ["--expected-failures", str(HERE / f"{server}.yml"), "--output-dir", str(tmp_path / "results")]
    with served(*SERVERS[server]) as running:
        ran = subprocess.run(
            [*command, "--url", running.address], capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
        )
    summary = ran.stdout.partition("=== SUMMARY ===")[2]
    scored = yaml.safe_load((package / f"requirements/{revision}.yaml").read_text("utf-8"))["server"]
    print(f"{server} at {revision}: {figures(summary, scored)}")  # noqa: T201
    assert ran.returncode == 0, summary or ran.stderr


def figures(summary: str, scored: list[str]) -> str:
    """How many of the scenarios that count passed, and of their checks."""
    found = re.findall(r"^(\S) (\S+): (\d+) passed, (\d+) failed$", summary, re.MULTILINE)
    counts = {name: (int(passed), int(failed)) for _, name, passed, failed in found if name in scored}
    passed, failed = (sum(side) for side in zip(*counts.values(), strict=True))
    whole = sum(failed == 0 for _, failed in counts.values())
    return f"{whole} of {len(scored)} scored scenarios, {passed} of {passed + failed} checks"
