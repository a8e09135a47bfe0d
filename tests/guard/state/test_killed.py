"""A real server is killed (kill -9) at random moments of a delete of 200 messages, and started again.

Afterwards the journal and the mailbox agree on every message. `make prove-kills` kills at 100 moments, CI at as many
as fit in about a minute. A seed spreads the moments evenly from before the first request to after the last; `pytest -s`
prints the states that they hit.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.guard.reconcile import reconcile
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal, Operation
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.guard.state.store import THIS_MACHINE, MonotonicClock
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient

KILLS = int(os.environ.get("KILLS", "20"))
LANES = 2
MESSAGES = 200
PATIENCE_S = 60.0


class Server:
    """`rc-mcp serve` in its own process, driven over stdin and stdout."""

    def __init__(self, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "rc_mcp", "serve"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, env={**os.environ, **environment}, **pipes)
        self._requests = 0
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        self._answer(self._send("initialize", hello))
        self._write({"method": "notifications/initialized"})

    def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        return self._answer(self.begin(tool, **arguments))

    def begin(self, tool: str, **arguments: object) -> int:
        """Call a tool without waiting for the answer."""
        return self._send("tools/call", {"name": tool, "arguments": arguments})

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self, number: int) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == number:
                return message["result"].get("structuredContent", message["result"])
        raise AssertionError("the server ended without an answer")

    def _send(self, method: str, params: Mapping[str, object]) -> int:
        self._requests += 1
        self._write({"id": self._requests, "method": method, "params": params})
        return self._requests

    def _write(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()


@contextmanager
def mailbox() -> Generator[dict[str, str]]:
    """Start an emulator in its own process; yield its addresses and a login."""
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--no-rate-limits", "--admin", "--messages", str(MESSAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def availability(login: dict[str, str]) -> dict[str, str]:
    """Return the availability of each message in the mailbox."""
    messages = httpx.get(f"{login['admin_url']}/messages?limit=10000").json()["messages"]
    return {str(m["id"]): m["availability"] for m in messages}


def settled_by_the_restart(journal: Journal, operation_id: str, login: dict[str, str]) -> Operation:
    """Return the operation after the new server has journaled all certain outcomes."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        operation = journal.operation(operation_id)
        assert operation is not None
        store = availability(login)
        doubts = {store[i] for i in operation.in_doubt}
        if operation.begun is None or operation.done is not None or doubts == {"Alive"}:
            return operation
        time.sleep(0.02)
    raise AssertionError(f"{operation_id} was not settled")


def settled_later(journal: Journal, operation: Operation, login: dict[str, str]) -> Operation:
    """Return the operation a minute later, when no request can still arrive."""

    async def settle() -> None:
        auth = JWTAuth(login["server_url"], login["client_id"], login["client_secret"], login["jwt"])
        async with MessageStoreClient(auth, server_url=login["server_url"], media_url=login["media_url"]) as client:
            later = MonotonicClock(THIS_MACHINE.name, lambda: THIS_MACHINE.seconds() + 60)
            await reconcile(Journal(journal.state, clock=later), client, operation.principal)

    if operation.begun is not None and operation.done is None:
        anyio.run(settle)
    settled = journal.operation(operation.id)
    assert settled is not None
    return settled


def agree(operation: Operation, store: dict[str, str]) -> None:
    """Check that the journal and the mailbox agree on each message."""
    words = {"deleted": "Deleted", "failed": "Alive", "skipped": "Alive"}
    for message_id, word in operation.outcomes.items():
        assert words[word] == store[message_id], (message_id, word, store[message_id])
    deleted = {i for i in (operation.asked or {})["ids"] if store[i] != "Alive"}
    assert deleted == {i for i, word in operation.outcomes.items() if word == "deleted"}


@pytest.mark.parametrize("lane", range(LANES))
def test_after_kill_9_the_journal_and_the_mailbox_agree_on_every_message(tmp_path: Path, lane: int) -> None:
    chance = random.Random(20261124 + lane)  # noqa: S311  moments, not secrets
    hit: Counter[str] = Counter()
    with mailbox() as login:
        environment = {
            "RC_SERVER_URL": login["server_url"],
            "RC_MEDIA_URL": login["media_url"],
            "RC_APP_CLIENT_ID": login["client_id"],
            "RC_APP_CLIENT_SECRET": login["client_secret"],
            "RC_USER_JWT": login["jwt"],
            "RC_MCP_STATE_DIR": str(tmp_path),
        }
        ids = [i for i, state in availability(login).items() if state == "Alive"][:MESSAGES]
        journal, server = Journal(Folder(tmp_path)), Server(environment)
        took_s = [undisturbed(server, ids) for _ in range(3)]
        try:
            for _ in range(KILLS // LANES):
                plan = server.call("delete_message", message_id=ids)["plan_id"]
                server.begin("delete_message", message_id=ids, plan_id=plan)
                time.sleep(chance.uniform(0, 1.1 * statistics.median(took_s)))
                server.kill()
                before = journal.operation(plan)
                server = Server(environment)

                operation = settled_by_the_restart(journal, plan, login)
                agree(operation, availability(login))
                operation = settled_later(journal, operation, login)
                agree(operation, availability(login))

                found = PlanStore(Folder(tmp_path)).get(plan)
                assert found is not None
                assert (found[1] == "used") == (operation.begun is not None)
                if operation.begun is not None:
                    assert operation.outcomes.keys() == set(ids)
                    assert operation.done is not None
                hit[_what_was_hit(before)] += 1
                server.call("patch_message", message_id=ids, availability="Alive")
        finally:
            server.kill()
        assert journal.verify().faults == ()
        assert "Purged" not in {availability(login)[i] for i in ids}
    print(f"\nlane {lane}, killed {hit.total()} times:", *(f"\n  {n:3} {what}" for what, n in sorted(hit.items())))  # noqa: T201


def undisturbed(server: Server, ids: list[str]) -> float:
    """Return the seconds that an undisturbed delete takes. It is undone."""
    plan = server.call("delete_message", message_id=ids)["plan_id"]
    began = time.monotonic()
    assert server.call("delete_message", message_id=ids, plan_id=plan)["status"] == "done"
    took_s = time.monotonic() - began
    server.call("patch_message", message_id=ids, availability="Alive")
    return took_s


def _what_was_hit(operation: Operation | None) -> str:
    if operation is None or operation.begun is None:
        return "before it was begun"
    if operation.done is not None:
        return "after it was done"
    return f"{len(operation.intents)} of 4 requests out, {'one' if operation.in_doubt else 'none'} unanswered"
