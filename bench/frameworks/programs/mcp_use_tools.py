"""mcp-use: the LangChain tools that its MCPAgent uses."""

import asyncio
from typing import Any

from contract import ASKS, URL, each, mcp_reply, parts_of, serve
from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp_use import MCPClient
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter


async def main() -> None:
    client = MCPClient({"mcpServers": {"rc": {"url": URL}}}, elicitation_callback=mcp_reply if ASKS else None)
    await client.create_all_sessions()
    tools = {tool.name: tool for tool in await LangChainAdapter().create_tools(client)}

    async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
        message = await tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
        return parts_of(message.content)

    await serve(each(lambda tool: convert_to_openai_tool(tool)["function"]["parameters"], tools), call)
    await client.close_all_sessions()


asyncio.run(main())
