"""A minimal MCP server for comparison: the SDK's own, with ten tools that do nothing.

`--http` serves over HTTP, on a port that the system chooses. `--no-gc` collects no garbage while it starts, and
`--defer-build` builds a model when it is first used, as ours does both.
If MINIMAL_ANSWER names a file, the tool `stored` returns the result in it.
"""

import gc
import os
import sys
from pathlib import Path

if "--no-gc" in sys.argv:
    gc.disable()  # before the imports, which take most of a start

if "--defer-build" in sys.argv:
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult

FILE = os.environ.get("MINIMAL_ANSWER")
ANSWER = CallToolResult.model_validate_json(Path(FILE).read_bytes()) if FILE else CallToolResult(content=[])


async def echo(text: str) -> str:
    """Return the text."""
    return text


async def stored() -> CallToolResult:
    """Return the stored answer."""
    return ANSWER


def main() -> None:
    tools = [Tool.from_function(echo, name="echo" if n == 0 else f"echo_{n}") for n in range(9)]
    server = MCPServer("minimal", tools=[*tools, Tool.from_function(stored)], log_level="WARNING")
    if "--http" in sys.argv:
        import uvicorn  # late: a start over stdio does not need it

        uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=0, access_log=False)
    else:
        gc.freeze()
        gc.enable()
        server.run()


if __name__ == "__main__":
    main()
