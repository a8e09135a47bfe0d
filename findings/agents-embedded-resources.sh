#!/usr/bin/env bash
# openai-agents on a file that an MCP tool returns: the model gets its base64 as text.
#
# Expected: a file input, as the SDK makes of a function tool's ToolOutputFileContent, or a note that it was left out. An
# image of an MCP tool does become an image input. pydantic-ai passes the same resource on as bytes with their media type.
# Observed: an embedded resource, and audio, become the JSON of the block. A PDF of 300,000 bytes is over 400,000 characters
# of prompt, which no model can read. The JSON is not the protocol's: its names are Python's, `mime_type` for `mimeType`.
# Issue 1001 of the SDK reports base64 in a result that is too long for the model. An answer with audio or bytes needs a text
# that says what they are, and a server should embed only small ones.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'openai-agents==0.24.0' 'openai==3.57.0' 'mcp==2.3.0' \
    'pydantic-ai-slim[mcp]==2.68.0' 'fastmcp==4.2.3'

cat > server.py <<'PY'
import base64

from mcp.server import MCPServer
from mcp_types import AudioContent, BlobResourceContents, CallToolResult, EmbeddedResource, ImageContent, TextContent

server = MCPServer("attachments")
data = base64.b64encode(bytes(300_000)).decode()


@server.tool()
def read(kind: str) -> CallToolResult:
    if kind == "file":
        blob = BlobResourceContents(uri="fax://1", mime_type="application/pdf", blob=data)
        block = EmbeddedResource(type="resource", resource=blob)
    elif kind == "audio":
        block = AudioContent(type="audio", data=data, mime_type="audio/wav")
    else:
        block = ImageContent(type="image", data=data, mime_type="image/png")
    return CallToolResult(content=[TextContent(type="text", text="An attachment:"), block])


server.run("stdio")
PY

cat > client.py <<'PY'
import asyncio
import json
import sys
from importlib.metadata import version

from agents import RunContextWrapper
from agents.mcp import MCPServerStdio, MCPUtil
from fastmcp.client.transports import StdioTransport
from pydantic_ai.mcp import MCPToolset

kinds = ("image", "audio", "file")


async def main():
    async with MCPServerStdio({"command": sys.executable, "args": ["server.py"]}) as server:
        (tool,) = await server.list_tools()
        seen = {}
        for kind in kinds:
            arguments = json.dumps({"kind": kind})
            _, block = await MCPUtil.invoke_mcp_tool(server, tool, RunContextWrapper(context=None), arguments)
            seen[kind] = block["type"]
            size = len(block.get("text") or block["image_url"])
            print(f"openai-agents {version('openai-agents')}: {kind} -> {block['type']} of {size} characters")
            if block["type"] == "text":
                assert '"mime_type"' in block["text"] and size > 400_000
    async with MCPToolset(StdioTransport(sys.executable, ["server.py"])) as toolset:
        for kind in kinds:
            _, block = await toolset.direct_call_tool("read", {"kind": kind})
            print(f"pydantic-ai {version('pydantic-ai-slim')}: {kind} -> {block.media_type}, {len(block.data)} bytes")
    return seen


sys.exit(asyncio.run(main()) != {"image": "image", "audio": "text", "file": "text"})
PY
venv/bin/python client.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
