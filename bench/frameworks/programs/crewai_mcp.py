"""crewai-tools: the tools of an MCP server, run as a crew's agent runs them."""

import asyncio
from typing import Any

from contract import URL, each, parts_of, serve
from crewai_tools import MCPServerAdapter


def main() -> None:
    with MCPServerAdapter({"url": URL, "transport": "streamable-http"}) as listed:
        tools = {tool.name: tool for tool in listed}

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            return parts_of(await asyncio.to_thread(lambda: tools[name].run(**arguments)))

        asyncio.run(serve(each(lambda tool: tool.args_schema.model_json_schema(), tools), call))


main()
