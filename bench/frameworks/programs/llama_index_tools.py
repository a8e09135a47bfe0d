"""llama-index-tools-mcp: the tools, and the blocks of the message that an agent's model gets."""

import asyncio
from typing import Any

from contract import URL, parts_of, serve
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def main() -> None:
    client = BasicMCPClient(URL, timeout=60)
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client).to_tool_list_async()}

    async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
        output = await tools[name].acall(**arguments)
        return parts_of(output.blocks)

    await serve({name: tool.metadata.get_parameters_dict() for name, tool in tools.items()}, call)


asyncio.run(main())
