#!/usr/bin/env bash
# agent-framework-core on an MCP tool that has an argument named `conversation_id`: it is left out of the call, silently.
#
# Expected: the argument arrives, as it is in the tool's schema and the model filled it in. Or an error, or a warning.
# Observed: `conversation_id` is on a list of the framework's own names (so are `session`, `thread`, `tools`, `options` and
# others). Such an argument is dropped before the call. A tool that requires it fails; a search that filters by it answers
# for everything, and the model takes that for the filtered answer. `additional_tool_argument_names` lets the name pass.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'agent-framework-core==1.23.0' 'mcp==2.3.0' 'tenacity==9.2.1'

cat > server.py <<'PY'
from mcp.server import MCPServer

server = MCPServer("messages")


@server.tool()
def search(conversation_id: str = "any", sender: str = "any") -> str:
    return f"messages of conversation {conversation_id} from {sender}"


server.run("stdio")
PY

cat > client.py <<'PY'
import asyncio
import sys
from importlib.metadata import version

from agent_framework import MCPStdioTool


async def searched(**options):
    async with MCPStdioTool("messages", sys.executable, args=["server.py"], load_prompts=False, **options) as server:
        (search,) = server.functions
        (content,) = await search.invoke(arguments={"conversation_id": "42", "sender": "Ann"})
        return content.text


async def main():
    seen = [await searched(), await searched(additional_tool_argument_names=["conversation_id"])]
    print(f"agent-framework-core {version('agent-framework-core')}, by default: {seen[0]}")
    print(f"agent-framework-core {version('agent-framework-core')}, with the name allowed: {seen[1]}")
    return ["conversation any from Ann" in seen[0], "conversation 42 from Ann" in seen[1]]


sys.exit(asyncio.run(main()) != [True, True])
PY
venv/bin/python client.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
