"""langchain-mcp-adapters: the tools as LangChain and LangGraph agents call them."""

import asyncio
from typing import Any

from contract import ASKS, URL, each, mcp_reply, parts_of, serve
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools


def schema(tool: Any) -> dict[str, Any]:
    return convert_to_openai_tool(tool)["function"]["parameters"]


def strict_schema(tool: Any) -> dict[str, Any]:
    return convert_to_openai_tool(tool, strict=True)["function"]["parameters"]


async def main() -> None:
    callbacks = Callbacks(on_elicitation=mcp_reply) if ASKS else None
    client = MultiServerMCPClient({"ringcentral": {"transport": "streamable_http", "url": URL}}, callbacks=callbacks)
    async with client.session("ringcentral") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            message = await tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
            return parts_of(message.content)

        await serve(each(schema, tools), call, strict=each(strict_schema, tools))


asyncio.run(main())
