#!/usr/bin/env bash
# A GET without a session is refused with 400, but its answer names a session, which does not exist.
#
# Expected: an answer without mcp-session-id, because a refused request opens no session; or a session that works.
# Observed: 400 "Missing session ID" with an mcp-session-id header; a request that uses this id gets 404. So a probe that
# counts these headers reports sessions that the server did not keep.
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip --quiet --disable-pip-version-check install mcp==2.3.0 httpx2==2.16.0

cat > client.py <<'PY'
import sys
from importlib.metadata import version

import anyio
import httpx2
from mcp.server import MCPServer

ACCEPT = {"Accept": "application/json, text/event-stream"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


async def seen() -> tuple[int, bool, int]:
    server = MCPServer("quiet")
    app = server.streamable_http_app()
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000")
    async with server.session_manager.run(), http:
        refused = await http.get("/mcp", headers=ACCEPT)
        session = refused.headers.get("mcp-session-id", "none")
        used = await http.post("/mcp", json=PING, headers={**ACCEPT, "mcp-session-id": session})
        return refused.status_code, session != "none", used.status_code


status, named, used = anyio.run(seen)
print("mcp", version("mcp"), "httpx2", version("httpx2"))
print(f"GET without a session: {status}, names a session: {named}; a request with that session: {used}")
sys.exit((status, named, used) != (400, True, 404))
PY
venv/bin/python client.py
