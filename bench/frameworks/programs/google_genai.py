"""google-genai: its converter of MCP tools, and the parts that its automatic function calling sends back."""

import asyncio
import json
from typing import Any

from contract import ASKS, URL, each, mcp_reply, serve
from google.genai import _extra_utils, _mcp_utils, types
from google.genai._adapters import McpToGenAiToolAdapter
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


def parts(found: list[Any]) -> list[dict[str, Any]]:
    # As the client sends it: the result is a model of the MCP SDK in a dictionary.
    return [{"text": json.dumps(part.model_dump(mode="json")["function_response"]["response"])} for part in found]


async def main() -> None:
    async with (
        streamable_http_client(URL) as (read, write),
        ClientSession(read, write, elicitation_callback=mcp_reply if ASKS else None) as session,
    ):
        await session.initialize()
        listed = await session.list_tools()
        adapter = McpToGenAiToolAdapter(session, listed)

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            asked = types.Part.from_function_call(name=name, args=arguments)
            content = types.Content(role="model", parts=[asked])
            response = types.GenerateContentResponse(candidates=[types.Candidate(content=content)])
            return parts(await _extra_utils.get_function_response_parts_async(response, {name: adapter}))

        def converted(tool: Any) -> Any:
            (declared,) = _mcp_utils.mcp_to_gemini_tool(tool).function_declarations
            return declared.parameters.model_dump(mode="json", exclude_none=True)

        await serve(each(converted, {tool.name: tool for tool in listed.tools}), call)


asyncio.run(main())
