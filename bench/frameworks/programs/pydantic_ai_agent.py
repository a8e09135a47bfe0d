"""pydantic-ai: an agent whose model is a function that makes one call and keeps what it gets back."""

import asyncio
from typing import Any

from contract import ASKS, PERSON, URL, each, serve
from fastmcp.client.elicitation import ElicitResult
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer


async def reply(message: str, kind: type, params: Any, context: Any) -> Any:
    action, content = PERSON.answer()
    return ElicitResult(action=action, content=content)


def parts(messages: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in messages[-1].parts:
        if isinstance(part, ToolReturnPart):
            found.append({"text": part.model_response_str()})
            found += [{"picture" if "image" in file.media_type else "file": len(file.base64)} for file in part.files]
        elif isinstance(part, RetryPromptPart):
            found.append({"text": part.model_response()})
    return found


async def main() -> None:
    shown: dict[str, Any] = {}

    async def look(messages: Any, info: AgentInfo) -> ModelResponse:
        shown.update({tool.name: tool.parameters_json_schema for tool in info.function_tools})
        return ModelResponse([TextPart("done")])

    async with MCPToolset(URL, elicitation_handler=reply if ASKS else None) as toolset:
        await Agent(FunctionModel(look), toolsets=[toolset], output_type=str).run("Look.")

        async def call(name: str, arguments: dict[str, Any], strict: bool) -> Any:
            got: list[dict[str, Any]] = []

            async def once(messages: Any, info: AgentInfo) -> ModelResponse:
                if len(messages) == 1:
                    return ModelResponse([ToolCallPart(name, arguments)])
                got.extend(parts(messages))
                return ModelResponse([TextPart("done")])

            await Agent(FunctionModel(once), toolsets=[toolset]).run("Call it.")
            return got

        def strict_schema(schema: Any) -> Any:
            return OpenAIJsonSchemaTransformer(schema, strict=True).walk()

        await serve(shown, call, strict=each(strict_schema, shown))


asyncio.run(main())
