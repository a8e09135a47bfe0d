"""The MCP SDK for Python: what the server sends, to compare the frameworks with."""

import asyncio
from typing import Any

from contract import ASKS, URL, mcp_reply, parts_of, serve
from mcp import Client


async def main() -> None:
    async with Client(URL, elicitation_callback=mcp_reply if ASKS else None) as client:
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            return parts_of((await client.call_tool(name, arguments)).content)

        await serve(tools, call)


asyncio.run(main())
