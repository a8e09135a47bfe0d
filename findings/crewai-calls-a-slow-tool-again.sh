#!/usr/bin/env bash
# crewAI's own MCP client on a tool that takes longer than its time limit: the tool runs three times, all of them to the end.
#
# Expected: the limit ("Tool execution timeout: 30 seconds") ends the call with an error, the server is told to cancel, and
# nothing is sent again: the tool says `destructiveHint` and not `idempotentHint`.
# Observed: MCPClient repeats a call that timed out or failed, up to `max_retries` times in all (3 by default), whatever the
# annotations are. The server hears of no cancellation, so it carries out each of them, side by side. The agent hears once,
# after 30 + 1 + 30 + 2 + 30 seconds, that the operation timed out after 30. A text message was sent three times by then, and
# a model that calls again sends three more. An Agent with `mcps=` uses this client with its defaults, and has no setting for
# them. So a server has to recognize a repeated call itself, or answer within the limit. Google ADK's source says why it
# does not repeat a call. Issue 5802 of crewAI is about retries of a whole task; of these we know of no report.
#
# crewAI takes 1 GB. The limit is 1 s here. Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME=$folder CREWAI_DISABLE_TELEMETRY=true OTEL_SDK_DISABLED=true
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check crewai==1.15.30 mcp==1.30.0 2>errors.txt ||
    { cat errors.txt >&2; exit 1; }

cat > server.py <<'PY'
from pathlib import Path

import anyio
from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations

server = FastMCP("texts", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(readOnlyHint=False, destructiveHint=True, idempotentHint=False))
async def send_text(to: str, text: str) -> str:
    """Send a text message, which cannot be taken back."""
    await anyio.sleep(3)
    with Path("sent.txt").open("a") as sent:
        sent.write(f"{to} {text}\n")
    return "sent"


server.run()
PY

cat > call.py <<'PY'
import asyncio
import sys
import time
from importlib.metadata import version
from pathlib import Path

from crewai.mcp import MCPClient
from crewai.mcp.transports.stdio import StdioTransport


async def call() -> str:
    async with MCPClient(StdioTransport(sys.executable, ["server.py"]), execution_timeout=1) as client:
        try:
            return await client.call_tool("send_text", {"to": "+1 555-0100", "text": "Your appointment is at 9."})
        except ConnectionError as error:
            return str(error)
        finally:
            await asyncio.sleep(4)


began = time.monotonic()
said = asyncio.run(call())
sent = Path("sent.txt").read_text().splitlines()
print(f"crewai {version('crewai')}, mcp {version('mcp')}: one call of a tool that takes 3 s, the limit is 1 s", file=sys.stderr)
print(f"the caller hears, once: {said!r}", "the server sent:", *sent, sep="\n  ", file=sys.stderr)
sys.exit(0 if len(sent) == 3 and said == "Operation timed out after 1 seconds" else 1)
PY
venv/bin/python call.py 2>&1 >/dev/null
