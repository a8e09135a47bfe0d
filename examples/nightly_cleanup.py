"""Delete old messages unattended, under the operator's policy; report every message that stays, and why.

    python nightly_cleanup.py                        a rehearsal: the demo mailbox, and policy.toml with its dry run
    python nightly_cleanup.py --policy FILE          the demo mailbox, and your own policy file
    python nightly_cleanup.py --server ADDRESS       a running `rc-mcp serve --http`; RC_MCP_HTTP_TOKEN has its token

The server decides by its policy. This client never approves: it sends no plan_id, and cannot be asked (no elicitation).
One message that does not match the rules blocks its whole call. So a call that the policy does not approve is split in
halves, until each message that does not match is named. A dry run is split in the same way, to show what a night would
do. Each call that is not approved leaves a plan; this client never uses it, and it expires.

Exit codes: 0 = every message found is deleted. 3 = some stay, and the lines say why: protected, not covered by the
rules, a cap, a dry run, a stop. 1 = a fault: an outcome is unknown or failed, or a call did not work; read first.
The reason is then one line on stderr. A rate limit is waited for if it ends within two minutes.
"""

import argparse
import os
import re
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import httpx2 as httpx
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

SEARCH = {
    "message_type": ["VoiceMail", "SMS"],
    "read_status": ["Read"],
    "direction": ["Inbound"],
    "date_from": "365d",
    "date_to": "14d",
}
"""The messages to look for. It may find more than the policy allows: the policy decides."""
POLICY = str(Path(__file__).with_name("policy.toml").absolute())
PER_PAGE = 25
"""An answer leaves out rows that are too long for it; so few always fit."""
TIMEOUT_S = 60
"""Longer than the 40 s that the server gives a call."""
MAX_WAIT_S = 120
"""The longest time to wait for a rate limit, before one call."""
ADDRESS = (
    "Is the server running, and is this its address, with /mcp at the end and the right token in RC_MCP_HTTP_TOKEN?"
)


class Fault(Exception):  # noqa: N818  the reason of an early end
    """The reason why a call did not work."""


async def main(arguments: argparse.Namespace) -> int:
    try:
        async with serving(arguments.server) if arguments.server else demo(arguments.policy) as client:
            return await clean_up(client, arguments.max_per_call)
    except Exception as error:  # noqa: BLE001  one line for the log of a timer, whatever it is
        print(" ".join(reason(error, arguments.server).split()), file=sys.stderr)
        return 1


def reason(error: Any, address: str | None) -> str:
    """Return the innermost cause: a task group of the SDK puts errors into groups."""
    while inner := getattr(error, "exceptions", None):
        error = inner[0]
    if isinstance(error, Fault) or not address:
        return f"{error}" or type(error).__name__
    return f"{address}: {type(error).__name__}: {error}. {ADDRESS}"


async def clean_up(client: Client, max_per_call: int) -> int:
    """Delete what the policy allows, print a line for each call, and return the exit code."""
    ids = await find(client)
    print(f"{len(ids)} {'message' if len(ids) == 1 else 'messages'} found; at most {max_per_call} in one call")
    calls = deque(ids[i : i + max_per_call] for i in range(0, len(ids), max_per_call))
    outcomes = dict.fromkeys(ids, "not asked for")
    while calls:
        asked = calls.popleft()
        answer = await call(client, "delete_message", message_id=asked)
        status, operation = answer["status"], answer.get("operation_id")
        print(f"{len(asked)} asked: {status}{f', operation {operation}' if operation else ''}. {answer['said']}")
        is_rehearsal = status == "refused" and "dry run" in answer["said"]
        is_covered = "after the user approves" not in answer["said"]
        if is_rehearsal and is_covered and answer["preview"]["messages"] == len(asked):
            outcomes |= dict.fromkeys(asked, "would be deleted")
        elif status == "refused" and not is_rehearsal:
            outcomes |= dict.fromkeys(asked, "refused")
        elif status != "confirmation_required" and not is_rehearsal:
            outcomes |= dict.fromkeys(asked, status) | answer.get("outcomes", {})
        elif len(asked) > 1:
            half = len(asked) // 2
            calls.extendleft([asked[half:], asked[:half]])
        else:
            outcomes |= dict.fromkeys(asked, "not covered")
            print(f"  the rules do not cover {asked[0]}")
            if "max_per_" in answer["said"]:  # a cap, by its name in the file
                break
    print(f"total: {', '.join(f'{n} {outcome}' for outcome, n in Counter(outcomes.values()).items()) or 'none'}")
    return exit_code(set(outcomes.values()))


def exit_code(outcomes: set[str]) -> int:
    if outcomes & {"failed", "unknown"}:
        return 1
    return 0 if outcomes <= {"deleted", "already", "not_found"} else 3


async def find(client: Client) -> list[str]:
    """Return the ids of all messages that match; the pages are read before anything is deleted."""
    ids: dict[str, None] = {}
    page = pages = 1
    while page <= pages:
        listed = await call(client, "list_messages", **SEARCH, page=page, per_page=PER_PAGE)
        for table in listed["messages"].values():
            at = table["columns"].index("id")
            ids |= dict.fromkeys(cells[at] for cells in table["untrusted_rows"])
        page, pages = page + 1, listed["page"]["total_pages"]
    return list(ids)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool. An error that names a rate limit means that nothing was done: the call is repeated after it."""
    give_up_at = anyio.current_time() + MAX_WAIT_S
    while True:
        result = await client.call_tool(tool, arguments)
        if not result.is_error and result.structured_content is not None:
            return result.structured_content
        said = " ".join(getattr(block, "text", "") for block in result.content)
        wait = re.search(r"Wait (\d+) s before you call again", said)
        if wait is None or anyio.current_time() + int(wait[1]) > give_up_at:
            raise Fault(f"{tool}: {said}")
        print(f"{tool}: a rate limit; waiting {wait[1]} s")
        await anyio.sleep(int(wait[1]))


@asynccontextmanager
async def demo(policy: str) -> AsyncGenerator[Client]:
    with TemporaryDirectory() as state_dir:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-P", "-m", "rc_mcp", "serve", "--demo", "--access", "delete"],
            env={"RC_MCP_STATE_DIR": state_dir, "RC_MCP_POLICY": policy, "RC_MCP_APPROVAL": "human"},
        )
        async with Client(server) as client:
            yield client


@asynccontextmanager
async def serving(address: str) -> AsyncGenerator[Client]:
    token = os.environ.get("RC_MCP_HTTP_TOKEN")
    http = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=TIMEOUT_S)
    async with http, Client(streamable_http_client(address, http_client=http)) as client:
        yield client


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", help="the address of a running server, such as http://127.0.0.1:8000/mcp")
    parser.add_argument("--policy", type=os.path.abspath, default=POLICY, help="the policy file, for the demo mailbox")
    parser.add_argument("--max-per-call", type=int, default=50, help="no more than max_per_call in the policy file")
    sys.exit(anyio.run(main, parser.parse_args()))
