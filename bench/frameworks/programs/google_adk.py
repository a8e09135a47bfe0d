"""google-adk: an agent whose model makes one call, and the request that it gets back."""

import asyncio
import json
from typing import Any

from contract import ASKS, URL, mcp_reply, serve
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
from google.genai import types


class Scripted(BaseLlm):
    """Makes one call and keeps the last request."""

    name: str = ""
    arguments: dict[str, Any]
    requests: list[Any]

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
        self.requests.append(llm_request)
        if self.name and len(self.requests) == 1:
            part = types.Part.from_function_call(name=self.name, args=self.arguments)
        else:
            part = types.Part.from_text(text="done")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


def parts(request: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in request.contents[-1].parts:
        if response := part.function_response:
            found.append({"text": json.dumps(response.response, default=str)})
            found += [{"picture": 0} for _ in response.parts or []]
        elif part.inline_data:
            found.append({"picture" if "image" in part.inline_data.mime_type else "file": len(part.inline_data.data)})
    return found


async def main() -> None:
    connection = StreamableHTTPConnectionParams(url=URL, timeout=60)
    toolset = McpToolset(connection_params=connection, elicitation_callback=mcp_reply if ASKS else None)

    async def run(name: str, arguments: dict[str, Any]) -> list[Any]:
        model = Scripted(model="scripted", name=name, arguments=arguments, requests=[])
        runner = InMemoryRunner(LlmAgent(name="clerk", model=model, tools=[toolset]), app_name="clerk")
        session = await runner.session_service.create_session(app_name="clerk", user_id="1")
        say = types.Content(role="user", parts=[types.Part.from_text(text="Call it.")])
        async for _ in runner.run_async(user_id="1", session_id=session.id, new_message=say):
            pass
        return model.requests

    async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
        return parts((await run(name, arguments))[-1])

    (request,) = await run("", {})
    declared = [one for tool in request.config.tools for one in tool.function_declarations]
    tools = {one.name: one.parameters_json_schema or one.parameters.model_dump(mode="json") for one in declared}
    await serve(tools, call)
    await toolset.close()


asyncio.run(main())
