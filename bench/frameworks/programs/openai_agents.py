"""openai-agents: the function tools of an MCP server, and the items that the Responses API gets from them."""

import asyncio
import json
from typing import Any

from agents.items import ItemHelpers
from agents.mcp import MCPServerStreamableHttp, MCPUtil
from agents.tool_context import ToolContext
from contract import URL, each, parts_of, serve
from openai.types.responses import ResponseFunctionToolCall


async def main() -> None:
    async with MCPServerStreamableHttp({"url": URL}, client_session_timeout_seconds=60) as server:
        listed = {tool.name: tool for tool in await server.list_tools()}
        made: dict[bool, dict[str, Any]] = {
            strict: each(lambda tool, s=strict: MCPUtil.to_function_tool(tool, server, s), listed)
            for strict in (False, True)
        }

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            text = json.dumps(arguments)
            context = ToolContext(None, tool_name=name, tool_call_id="1", tool_arguments=text)
            output = await made[strict][name].on_invoke_tool(context, text)
            asked = ResponseFunctionToolCall(arguments=text, call_id="1", name=name, type="function_call")
            return parts_of(ItemHelpers.tool_call_output_item(asked, output)["output"])

        strict = {name: tool.params_json_schema for name, tool in made[True].items() if tool.strict_json_schema}
        await serve({name: tool.params_json_schema for name, tool in made[False].items()}, call, strict=strict)


asyncio.run(main())
