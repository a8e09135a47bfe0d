"""agent-framework-core: an agent whose chat client makes one call, and the message that it gets back."""

import asyncio
import json
from typing import Any

from agent_framework import (
    Agent,
    BaseChatClient,
    ChatResponse,
    Content,
    FunctionInvocationLayer,
    MCPStreamableHTTPTool,
    Message,
)
from contract import URL, serve


class Scripted(FunctionInvocationLayer, BaseChatClient):
    """Makes one call and keeps the contents of the last message."""

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.asked = Content.from_function_call("1", name, arguments=json.dumps(arguments))
        self.got: list[Any] = []

    def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **_: Any) -> Any:
        async def respond() -> Any:
            first = len(messages) == 1
            self.got = messages[-1].contents
            return ChatResponse(messages=[Message("assistant", [self.asked if first else Content.from_text("done")])])

        return respond()


def parts(result: Any) -> list[dict[str, Any]]:
    found = [part(item) for item in result.items or []]
    return found or [{"text": str(result.result)}]


def part(content: Any) -> dict[str, Any]:
    if content.type == "text":
        return {"text": content.text}
    return {"picture" if "image" in (content.media_type or "") else "file": len(content.uri or "")}


async def main() -> None:
    async with MCPStreamableHTTPTool("ringcentral", URL, load_prompts=False, request_timeout=60) as server:
        tools = {function.name: function for function in server.functions}

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            model = Scripted(name, arguments)
            await Agent(model, tools=[server]).run("Call it.")
            return [one for result in model.got for one in parts(result)]

        await serve({name: tool.parameters() for name, tool in tools.items()}, call)


asyncio.run(main())
