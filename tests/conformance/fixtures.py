"""Our server with the fixtures of the official conformance suite: `python -m tests.conformance.fixtures`.

It is the server of `rc-mcp serve --demo --http`, built by the same function, and it also has the tools that the
suite calls by name. Their names, required answers and most of their texts come from the suite.
"""

import base64
import json
from typing import Annotated, Any, Literal

import anyio
import httpx2 as httpx
import uvicorn
from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.server.mcpserver import Audio, Context, Image
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field, JsonValue, create_model
from pydantic.config import JsonDict

from rc_mcp.cli.emulator import login_to
from rc_mcp.emulator import Emulator
from rc_mcp.server import RingCentralServer, build_server
from rc_mcp.session import MailboxSession
from rc_mcp.settings import load_settings

Ctx = Context[MailboxSession]

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
SILENCE = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"


# What a tool can return


def test_simple_text() -> str:
    return "This is a simple text response for testing."


def test_image_content() -> Image:
    return Image(data=PIXEL, format="png")


def test_audio_content() -> Audio:
    return Audio(data=SILENCE, format="wav")


def test_embedded_resource() -> list[EmbeddedResource]:
    return [_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    return [
        TextContent(type="text", text="Multiple content types test:"),
        Image(data=PIXEL, format="png").to_image_content(),
        _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ]


def test_error_handling() -> str:
    raise RuntimeError("This tool intentionally returns an error for testing")


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


# Actions of a tool during a call


async def test_tool_with_progress(ctx: Ctx) -> str:
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await anyio.sleep(0.05)
    return "100 of 100"


async def test_tool_with_logging(ctx: Ctx) -> str:
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(said)  # pyright: ignore[reportDeprecated]
        await anyio.sleep(0.05)
    return "logged"


async def test_logging_tool(ctx: Ctx) -> str:
    return await test_tool_with_logging(ctx)


async def test_sampling(ctx: Ctx, prompt: str) -> str:
    # On the stream of this request: the one for all others may not be open yet.
    answer = await ctx.session.create_message(  # pyright: ignore[reportDeprecated]
        messages=[_says(prompt)], max_tokens=100, related_request_id=ctx.request_id
    )
    return f"LLM response: {answer.content}"


class Named(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = "active"
    verified: bool = True


NAMES: JsonDict = {"enum": ["first", "second"]}
TITLES: list[JsonValue] = [{"const": "first", "title": "The first"}, {"const": "second", "title": "The second"}]
Choices = create_model(
    "Choices",
    untitledSingle=Annotated[str, Field(json_schema_extra=NAMES)],
    titledSingle=Annotated[str, Field(json_schema_extra={"oneOf": TITLES})],
    legacyEnum=Annotated[str, Field(json_schema_extra={**NAMES, "enumNames": ["The first", "The second"]})],
    untitledMulti=Annotated[list[str], Field(json_schema_extra={"items": {"type": "string", **NAMES}})],
    titledMulti=Annotated[list[str], Field(json_schema_extra={"items": {"anyOf": TITLES}})],
)


async def test_elicitation(ctx: Ctx, message: str) -> str:
    return f"User response: {await ctx.elicit(message, Named)}"


async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
    return f"Elicitation completed: {await ctx.elicit('Who are you?', Defaults)}"


async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
    return f"Elicitation completed: {await ctx.elicit('Which?', Choices)}"


async def test_missing_capability(ctx: Ctx) -> str:
    if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs a client that can sample",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return "The client can sample."


async def test_trigger_tool_change(ctx: Ctx) -> str:
    await ctx.notify_tools_changed()
    return "sent"


async def test_trigger_prompt_change(ctx: Ctx) -> str:
    await ctx.notify_prompts_changed()
    return "sent"


def test_x_mcp_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    return f"region={region}"


# What a tool of 2026-07-28 can ask for, by returning instead of answering


def _says(text: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(type="text", text=text))


def _sample(text: str) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[_says(text)], max_tokens=100))


def _form(message: str, name: str, type_: Literal["string", "boolean"] = "string") -> ElicitRequest:
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": type_}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _filled(ctx: Ctx, question: str, name: str) -> str | None:
    """Return the user's value for this field of the question, if the user answered it."""
    answer = (ctx.input_responses or {}).get(question)
    return str((answer.content or {}).get(name)) if isinstance(answer, ElicitResult) else None


async def test_input_required_result_elicitation(ctx: Ctx) -> str | InputRequiredResult:
    if name := _filled(ctx, "user_name", "name"):
        return f"Hello, {name}!"
    return InputRequiredResult(input_requests={"user_name": _form("What is your name?", "name")})


async def test_streaming_elicitation(ctx: Ctx) -> str | InputRequiredResult:
    return await test_input_required_result_elicitation(ctx)


async def test_input_required_result_sampling(ctx: Ctx) -> str | InputRequiredResult:
    answer = (ctx.input_responses or {}).get("capital_question")
    if isinstance(answer, CreateMessageResult):
        return f"The model said: {answer.content}"
    return InputRequiredResult(input_requests={"capital_question": _sample("What is the capital of France?")})


async def test_input_required_result_list_roots(ctx: Ctx) -> str | InputRequiredResult:
    answer = (ctx.input_responses or {}).get("client_roots")
    if isinstance(answer, ListRootsResult):
        return f"The client has {len(answer.roots)} roots."
    return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})


async def test_input_required_result_request_state(ctx: Ctx) -> str | InputRequiredResult:
    if ctx.request_state == "asked" and _filled(ctx, "confirm", "ok"):
        return "state-ok"
    return InputRequiredResult(
        input_requests={"confirm": _form("Please confirm", "ok", "boolean")}, request_state="asked"
    )


async def test_input_required_result_tampered_state(ctx: Ctx) -> str | InputRequiredResult:
    return await test_input_required_result_request_state(ctx)


async def test_input_required_result_multiple_inputs(ctx: Ctx) -> str | InputRequiredResult:
    questions: dict[str, InputRequest] = {
        "user_name": _form("What is your name?", "name"),
        "greeting": _sample("Write a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if questions.keys() <= (ctx.input_responses or {}).keys():
        return "All inputs received."
    return InputRequiredResult(input_requests=questions, request_state="asked")


async def test_input_required_result_multi_round(ctx: Ctx) -> str | InputRequiredResult:
    name, color = _filled(ctx, "step1", "name"), _filled(ctx, "step2", "color")
    if color and ctx.request_state:
        return f"{json.loads(ctx.request_state)['name']} likes {color}."
    if name:
        questions: dict[str, InputRequest] = {"step2": _form("Step 2: What is your favorite color?", "color")}
        return InputRequiredResult(input_requests=questions, request_state=json.dumps({"name": name}))
    return InputRequiredResult(
        input_requests={"step1": _form("Step 1: What is your name?", "name")}, request_state="{}"
    )


async def test_input_required_result_capabilities(ctx: Ctx) -> InputRequiredResult:
    can = ctx.client_capabilities
    questions: dict[str, InputRequest] = {}
    if can and can.sampling:
        questions["sample"] = _sample("Say hello")
    if can and can.elicitation:
        questions["ask"] = _form("What is your name?", "name")
    return InputRequiredResult(input_requests=questions, request_state="asked")


TOOLS = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_progress,
    test_tool_with_logging,
    test_logging_tool,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_missing_capability,
    test_trigger_tool_change,
    test_trigger_prompt_change,
    test_x_mcp_header,
    test_input_required_result_elicitation,
    test_streaming_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
)


# Prompts


def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803
    return [
        UserMessage(_embedded(resourceUri, "text/plain", "Embedded resource content for testing.")),
        UserMessage("Please process the embedded resource above."),
    ]


def test_prompt_with_image() -> list[UserMessage]:
    return [UserMessage(Image(data=PIXEL, format="png").to_image_content()), UserMessage("Please analyze the image.")]


async def test_input_required_result_prompt(ctx: Ctx) -> str | InputRequiredResult:
    if context := _filled(ctx, "user_context", "context"):
        return f"Use this: {context}"
    return InputRequiredResult(input_requests={"user_context": _form("What context should the prompt use?", "context")})


PROMPTS = (
    test_simple_prompt,
    test_prompt_with_arguments,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
    test_input_required_result_prompt,
)


# The server


def with_fixtures(server: RingCentralServer) -> RingCentralServer:
    """Return this server with the tools, prompts and resources of the suite added."""
    for function in TOOLS:
        server.add_tool(function, description="What the conformance suite calls.")
    for function in PROMPTS:
        server.add_prompt(Prompt.from_function(function, description="What the conformance suite asks for."))
    server.resource("test://static-text", name="text")(lambda: "This is the content of the static text resource.")
    server.resource("test://static-binary", name="binary", mime_type="image/png")(lambda: PIXEL)
    server.resource("test://watched-resource", name="watched")(lambda: "Watched resource content")
    server.resource("test://template/{id}/data", mime_type="application/json")(template)
    # What only 2025-11-25 knows. Our own subscriptions are to messages, and the suite has an address of its own.
    low_level = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    low_level.add_request_handler("logging/setLevel", SetLevelRequestParams, nothing)
    low_level.add_request_handler("resources/subscribe", SubscribeRequestParams, nothing)
    low_level.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, nothing)
    return server


def template(id: str) -> str:  # noqa: A002
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


async def nothing(ctx: ServerRequestContext[MailboxSession], params: Any) -> EmptyResult:
    return EmptyResult()


def main() -> None:
    with Emulator(rate_limits=False) as emulator:
        settings = load_settings(
            **login_to(emulator),
        )
        server = with_fixtures(build_server(settings, transport=httpx.ASGITransport(app=emulator.app)))
        uvicorn.run(server.streamable_http_app(), port=0, access_log=False)


if __name__ == "__main__":
    main()
