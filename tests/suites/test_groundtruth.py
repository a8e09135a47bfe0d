"""mcp-groundtruth: compares the effects of each tool on the mailbox with its annotations.

It starts the server again for every observation, some hundred and fifty times, and compares the emulator's database. So
it takes minutes, and runs only with `make groundtruth`.
"""

import json
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.emulator import Emulator
from tests.suites.calls import calls_of_every_tool
from tests.suites.conftest import HERE, Judge
from tests.suites.visible_server import MOMENT

# A minute a tool where the machine is busy.
RUN_TIMEOUT_S = 900

DEFINITION = """
[target]
name = "rc-mcp"
command = [{python}, {server}, "{{state}}/mailbox.db"]
env = {{ PYTHONPATH = {root} }}

[state]
locations = ["sqlite:mailbox.db"]

[[adapters]]
kind = "sqlite"
label = "mailbox.db"
seed = "mailbox.sql"
business = ["message", "phone_number", "setting"]
append_only = []
# When a message was changed is RingCentral's bookkeeping: it moves even if the new value equals the old one.
mask = [{{ region = "message", column = "modified_ms", kind = "timestamp" }}]
"""

# The suite calls every change but an addition destructive. We use the word only if data can be lost.
NOTHING_IS_LOST = {
    "update_message: destructive": "a message marked as read can be marked as unread",
    "patch_message: destructive": "a restored message can be deleted again, with a tool that is declared destructive",
}


@pytest.mark.long
def test_no_tool_contradicts_its_annotations(judge: Judge, tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    calls = {tool: arguments[0] for tool, arguments in calls_of_every_tool(filled(folder)).items()}
    values = {"python": sys.executable, "server": str(HERE / "visible_server.py"), "root": str(HERE.parents[1])}
    text = DEFINITION.format(**{name: json.dumps(value) for name, value in values.items()})
    for name, arguments in calls.items():
        text += f'\n[[tools]]\nname = "{name}"\n[tools.arguments]\n'
        text += "".join(f"{argument} = {json.dumps(value)}\n" for argument, value in arguments.items())
    (folder / "target.toml").write_text(text)
    ran = judge(
        "mcpgt.cli", "run", "--audit", "--concurrent-attempts", "1",
        "--runs-dir", str(tmp_path / "runs"), str(folder), timeout_s=RUN_TIMEOUT_S,
    )  # fmt: skip
    if "IsolationUnavailable" in ran.stderr or "isolation" in ran.stderr:
        pytest.skip("it needs a sandbox without network, which this machine does not offer")
    assert ran.returncode == 0, ran.stderr
    lines = re.findall(r"^ +(\w+) +(\w+) +(?:true|false) +(\S+)", ran.stdout, re.MULTILINE)
    verdicts = {f"{tool}: {test}": verdict for tool, test, verdict in lines}
    assert len(verdicts) == 4 * len(calls)
    amiss = {what: verdict for what, verdict in verdicts.items() if verdict.startswith(("VIOLATION", "INCONCLUSIVE"))}
    assert amiss == dict.fromkeys(NOTHING_IS_LOST, "VIOLATION")


def filled(folder: Path) -> list[dict[str, Any]]:
    """Writes the mailbox that every observation starts from, and gives its messages."""
    database = folder / "mailbox.db"
    with Emulator(db=database, now=lambda: MOMENT) as emulator:
        records = emulator.store.messages()
    with closing(sqlite3.connect(database)) as connection:
        (folder / "mailbox.sql").write_text("\n".join(connection.iterdump()))
    database.unlink()
    return records
