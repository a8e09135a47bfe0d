#!/usr/bin/env bash
# A tool call in progress at SIGTERM is cut off for clients of 2025-11-25, and answered for clients of 2026-07-28.
#
# Expected: uvicorn waits for open answers (timeout_graceful_shutdown), so both are answered.
# Observed: sse-starlette ends every event stream half a second after the signal, and an answer of 2025-11-25 is such a
# stream. Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip --quiet --disable-pip-version-check install mcp==2.3.0 uvicorn==0.54.0 sse-starlette==3.7.0

cat > server.py <<'PY'
import anyio
import uvicorn
from mcp.server import MCPServer

server = MCPServer("slow")


@server.tool()
async def slow() -> str:
    print("called", flush=True)
    await anyio.sleep(3)
    return "answered"


uvicorn.run(server.streamable_http_app(), port=0, timeout_graceful_shutdown=8)
PY

cat > client.py <<'PY'
import re
import subprocess
import sys
from importlib.metadata import version

import anyio
import anyio.to_thread
from mcp import Client


async def outcome(mode: str) -> str:
    found = "cut off"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "server.py"], stdout=pipe, stderr=pipe, text=True) as process:
        line = next(line for line in process.stderr if "running on" in line)
        address = re.search(r"http://\S+", line)[0] + "/mcp"

        async def end() -> None:
            await anyio.to_thread.run_sync(process.stdout.readline)
            process.terminate()

        try:
            async with Client(address, mode=mode) as client, anyio.create_task_group() as tasks:
                await client.list_tools()  # now, or it asks for the schemas when the answer is here
                tasks.start_soon(end)
                found = (await client.call_tool("slow", {})).content[0].text
        except Exception as error:
            print(mode, repr(error), file=sys.stderr)
        process.communicate(timeout=30)
    return found


seen = {mode: anyio.run(outcome, mode) for mode in ("auto", "legacy")}
print("mcp", version("mcp"), "uvicorn", version("uvicorn"), "sse-starlette", version("sse-starlette"))
print("2026-07-28:", seen["auto"], "| 2025-11-25:", seen["legacy"])
sys.exit(seen != {"auto": "answered", "legacy": "cut off"})
PY
venv/bin/python client.py 2>/dev/null
