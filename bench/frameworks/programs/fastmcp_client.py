"""fastmcp: its Client, as a program or another framework uses it."""

import asyncio
from typing import Any

from contract import ASKS, PERSON, URL, parts_of, serve
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult


async def reply(message: str, kind: type, params: Any, context: Any) -> Any:
    action, content = PERSON.answer()
    return ElicitResult(action=action, content=content)


async def main() -> None:
    async with Client(URL, elicitation_handler=reply if ASKS else None) as client:
        tools = {tool.name: tool.input_schema for tool in await client.list_tools()}

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            result = await client.call_tool(name, arguments, raise_on_error=False)
            return parts_of(result.content)

        await serve(tools, call)


asyncio.run(main())
