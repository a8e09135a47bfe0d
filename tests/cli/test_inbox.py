import json
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.cli.inbox import serve
from rc_mcp.guard.policy.rules import NO_POLICY
from rc_mcp.guard.state.journal import Record
from rc_mcp.inbox.browser import SESSION_HEADER, listening_socket
from rc_mcp.inbox.page import html
from rc_mcp.wiring import SessionArguments
from tests.desk import Desk

pytestmark = pytest.mark.process


def test_the_command_serves_the_page_until_it_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rc_mcp", "inbox", "--demo", "--no-browser"]
    environment = {
        "PATH": "",
        "HOME": str(tmp_path),
        "RC_MCP_STATE_DIR": str(tmp_path / "state"),
        "RC_MCP_MIRROR": "off",
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout
        url = json.loads(run.stdout.readline())["url"]
        own, _, key = url.partition("/#")
        with httpx.Client(base_url=own, headers={"Origin": own, "Content-Type": "application/json"}) as page:
            assert page.get("/").text == html()
            page.headers[SESSION_HEADER] = page.post("/session", json={"key": key}).json()["session"]
            seen = page.post("/api/overview", json={"days": 30}).json()
            assert seen["is_demo"] is True
            assert seen["messages"] > 0
            ids = [c["key"] for c in seen["conversations"][:2]]
            plan = page.post("/api/propose", json={"message_ids": ids}).json()
            yes = {"plan_id": plan["id"], "approve": True, "message_ids": ids}
            done = page.post("/api/decide", json=yes).json()
            assert done["status"] == "done"
            undone = page.post("/api/undo", json={"operation_id": done["operation_id"]}).json()
            assert undone["status"] == "done"
        run.send_signal(signal.SIGTERM)
        rest, said = run.communicate(timeout=20)
    assert (run.returncode, rest, said) == (0, "", "")


@pytest.mark.anyio
async def test_the_command_settles_what_an_ended_server_left_in_progress(desk: Desk) -> None:
    deleted = desk.ids(availability="Deleted")[:1]
    async with desk.guard() as guard:
        record = Record(guard.journal, "cut2-shrt", guard.principal, "delete_message")
        who = {"operation": "cut2-shrt", "principal": guard.principal, "tool": "delete_message"}
        guard.journal.append("begun", **who, details={"account_id": "~", "extension_id": "~"})
        await record.sending({i: desk.as_it_is(i) for i in deleted}, "Deleted")
    opened = SessionArguments(transport=desk.faults, now=desk.clock, clock=desk.clock.elapsed)
    with listening_socket(0) as listening:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, desk.settings(), NO_POLICY, listening, False, opened)
            assert (await desk.settled(record.operation)).outcomes == dict.fromkeys(deleted, "deleted")
            tasks.cancel_scope.cancel()
