"""autogen-ext: McpWorkbench, and the text that AssistantAgent makes of a result."""

import asyncio
from typing import Any

from autogen_ext.tools.mcp import McpWorkbench, StreamableHttpServerParams
from contract import URL, serve


async def main() -> None:
    async with McpWorkbench(StreamableHttpServerParams(url=URL, timeout=60)) as workbench:
        tools = {tool["name"]: tool["parameters"] for tool in await workbench.list_tools()}

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            return [{"text": (await workbench.call_tool(name, arguments)).to_text()}]

        await serve(tools, call)


asyncio.run(main())
