"""smolagents: the tools as a CodeAgent calls them; "strict" adds the check that its ToolCallingAgent makes."""

import asyncio
from typing import Any

from contract import URL, each, serve
from smolagents import MCPClient
from smolagents.models import get_tool_json_schema
from smolagents.tools import validate_tool_arguments


def main() -> None:
    with MCPClient({"url": URL, "transport": "streamable-http"}, structured_output=False) as listed:
        tools = {tool.name: tool for tool in listed}

        def called(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            if strict:
                validate_tool_arguments(tools[name], arguments)
            return [{"text": str(tools[name](**arguments, sanitize_inputs_outputs=strict))}]

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            return await asyncio.to_thread(called, name, arguments, strict)

        shown = each(lambda tool: get_tool_json_schema(tool)["function"]["parameters"], tools)
        asyncio.run(serve(shown, call, strict=shown))


main()
