"""strands-agents: the tools of an MCP client, and the tool result that its models format."""

import asyncio
from typing import Any

from contract import ASKS, URL, largest, mcp_reply, serve
from mcp.client.streamable_http import streamable_http_client
from strands.tools.mcp import MCPClient


def part(block: dict[str, Any]) -> dict[str, Any]:
    if "text" in block:
        return {"text": block["text"]}
    kind = "picture" if "image" in block else "file"
    return {kind: largest(block)}


def main() -> None:
    client = MCPClient(lambda: streamable_http_client(URL), elicitation_callback=mcp_reply if ASKS else None)
    with client:
        tools = {tool.tool_name: tool for tool in client.list_tools_sync()}

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            use = {"toolUseId": "1", "name": name, "input": arguments}
            (event,) = [event async for event in tools[name].stream(use, {})]
            return [part(block) for block in event.tool_result["content"]]

        asyncio.run(serve({name: tool.tool_spec["inputSchema"]["json"] for name, tool in tools.items()}, call))


main()
