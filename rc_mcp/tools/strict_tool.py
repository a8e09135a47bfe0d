"""Turn a function into a tool: strict arguments, a lean schema, text and structured answers, readable errors.

By itself, the SDK ignores unknown arguments, hides the cause of errors, and shows pydantic's own messages.
"""

import difflib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ValidationError

from rc_mcp import time_limits
from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.ringcentral import RingCentralError
from rc_mcp.ringcentral.transport.deadlines import call_began
from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.arguments import digits
from rc_mcp.views.changes import MAYBE_CHANGED, after_failure
from rc_mcp.views.error_texts import in_words
from rc_mcp.views.untrusted_text import counted

_FAULTS = 5
_OWNERS = ("owner", "voicemail_owner")
"""Whose shared messages are listed: words such as `Shared`, or ids of extensions."""
_SHAPES = {
    "string_type": "must be a single string, in quotes",
    "int_type": "must be a whole number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "list_type": 'must be a list, such as ["..."]',
    "too_short": "must not be empty",
}
"""How to write a value of each type, by pydantic's name of the fault."""
CRASHED = "failed inside this server; its log says why."
NOT_ASKED = "The app could not show the question to the user, or failed while it was shown."
_NOTHING_SENT = "Nothing was sent to RingCentral."


class StrictTool(Tool):
    """A tool that refuses unknown and mistyped arguments by name, and answers with text and structure alike."""

    @classmethod
    def of(cls, function: Callable[..., Any], title: str, annotations: ToolAnnotations) -> "StrictTool":
        """Make a tool from a typed async function; its docstring is the description."""
        description = " ".join((function.__doc__ or "").split())
        tool = cls.from_function(function, title=title, description=description, annotations=annotations)
        metadata = tool.fn_metadata
        metadata.arg_model.model_config.update(extra="forbid", strict=True)
        metadata.arg_model.model_rebuild(force=True)
        tool.parameters = _with_null(_lean(tool.parameters))
        if metadata.output_schema:
            # Without null as well: an answer omits empty fields (`_same_in_both`).
            metadata.output_schema = {k: v for k, v in _lean(metadata.output_schema).items() if k != "description"}
        return cast("StrictTool", tool)

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run the tool. Every failure is a `ToolError` that names the fault and says which effect did not happen.

        Raises:
            ToolError: the arguments are invalid, or RingCentral or the guard refused.
        """
        arguments = self._read(arguments)
        if foreign := _foreign_extension(arguments, context):
            if self._is_destructive:
                with suppress(GuardError):  # the call is refused even if the journal cannot be written
                    await session_of(context).guard.note(self.name, "refused", reason="extension")
            raise ToolError(
                f"{foreign}: the operator does not allow that extension; omit the argument. {_NOTHING_SENT}"
            )
        try:
            result = await self._in_time(arguments, context)
        except ToolError as error:
            kind = UnexpectedToolError if self._is_crash(error) else ToolError  # only a crash goes to the log, whole
            raise kind(self._in_words(error)) from error.__cause__
        except MCPError as error:
            # The app answered the question with an error; the question comes before any change.
            raise ToolError(f"{NOT_ASKED} {NOTHING_DONE}") from error
        finally:
            if not self._only_reads and (copy := session_of(context).copy):
                copy.was_changed()  # perhaps: however this ended
        if not convert_result:
            return result
        is_answer = isinstance(result, BaseModel) and not isinstance(result, CallToolResult | InputRequiredResult)
        return self.fn_metadata.convert_result(_same_in_both(result) if is_answer else result)

    def _read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments as the SDK will read them: some hosts write a list as JSON in a string. A null
        counts as an omitted argument, and so does an empty string or list where an argument is optional: clients with
        strict schemas make a model fill every argument.

        Raises:
            ToolError: an argument is the string "null", which the SDK would read as null.
        """
        read = self.fn_metadata.pre_parse_json(arguments)
        if lost := [name for name, value in read.items() if value is None and arguments[name] is not None]:
            raise ToolError(f'{lost[0]}: "null" as a string is not a value; omit the argument. {_NOTHING_SENT}')
        known = self.parameters["properties"]
        return {name: value for name, value in read.items() if name not in known or not self._is_omitted(name, value)}

    def _is_omitted(self, name: str, value: object) -> bool:
        return value is None or (value in ("", []) and name not in self._required)

    @property
    def _required(self) -> list[str]:
        return self.parameters.get("required", [])

    async def _in_time(self, arguments: dict[str, Any], context: Context[Any, Any]) -> Any:
        """Run the tool for at most `time_limits.CALL_S`."""
        if self._is_destructive:
            call_began(time_limits.CALL_S)
            return await super().run(arguments, context, convert_result=False)
        with anyio.move_on_after(time_limits.CALL_S):
            return await super().run(arguments, context, convert_result=False)
        slow = f"{self.name} took longer than {time_limits.CALL_S:.0f} s and was canceled."
        if not self._only_reads:
            raise ToolError(f"{slow} {MAYBE_CHANGED}")
        raise ToolError(f"{slow} Ask for less, or try again in a minute. {NOTHING_DONE}")

    @property
    def _is_destructive(self) -> bool:
        return bool(self.annotations and self.annotations.destructive_hint)

    @property
    def _only_reads(self) -> bool:
        return bool(self.annotations and self.annotations.read_only_hint)

    def _is_crash(self, error: ToolError) -> bool:
        anticipated = isinstance(error.__cause__, RingCentralError | GuardError)
        return isinstance(error, UnexpectedToolError) and not anticipated

    def _in_words(self, error: ToolError) -> str:
        cause = error.__cause__
        if self._is_crash(error):
            said = f"{self.name} {CRASHED}"
            return said if self._only_reads else f"{said} {MAYBE_CHANGED}"
        if isinstance(cause, ValidationError):  # of the arguments: any other would be a crash
            return self._faults(cause)
        text = in_words(cause) if isinstance(cause, RingCentralError) else str(cause or error)
        text = text.removeprefix(f"Error executing tool {self.name}: ")
        if text.startswith("Resolver "):
            # The SDK's message for a reply that does not match the requested form.
            text = "The reply to the confirmation request was not valid: it must have each field of the form."
        ending = self._not_done(text, cause)
        return f"{text} {ending}" if ending else text

    def _not_done(self, text: str, cause: BaseException | None) -> str | None:
        """Return the sentence about what was not done, or None if the tool only reads or `text` already says it."""
        if self._only_reads or text.endswith((NOTHING_DONE, _NOTHING_SENT, MAYBE_CHANGED)):
            return None
        if self._is_destructive:
            # The guard sends deletions and reports their outcome itself, so only a read can fail here.
            return NOTHING_DONE
        return after_failure(cause)

    def _faults(self, error: ValidationError) -> str:
        faults = error.errors(include_url=False, include_context=False)
        more = [f"{counted(len(faults) - _FAULTS, 'more fault')}."] if len(faults) > _FAULTS else []
        return " ".join([*(self._fault(f) for f in faults[:_FAULTS]), *more, _NOTHING_SENT])

    def _fault(self, fault: Any) -> str:
        name, known = str(fault["loc"][0]), list(self.parameters["properties"])
        place = "".join(f"[{part}]" for part in fault["loc"][1:])
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}."
            return f"{self.name} has no argument {name[:60]!r}; {hint}"
        if fault["type"] == "missing":
            return f"{self.name} needs {name}."
        if fault["type"] == "too_long":
            most = self.parameters["properties"][name]["maxItems"]
            return f"{name}: at most {most:,} in one call; split them over several calls."
        said = _SHAPES.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
        return f"{name}{place}: {said}."


def _same_in_both(result: BaseModel) -> CallToolResult:
    """Return the answer both as compact JSON text and as structured content; hosts show one or the other."""
    return CallToolResult(
        content=[TextContent(type="text", text=result.model_dump_json(exclude_none=True))],
        structured_content=result.model_dump(mode="json", exclude_none=True),
    )


def _foreign_extension(arguments: dict[str, Any], context: Ctx) -> str | None:
    """Return the argument that names an extension which the operator does not allow.

    Three arguments take an extension id, also as a number. Other values are refused later.
    """
    app, extension = session_of(context), digits(arguments.get("extension_id"))
    named = [("extension_id", extension)] if isinstance(extension, str) else []
    named += [(name, value) for name in _OWNERS for value in _ids(arguments.get(name))]
    return next((name for name, value in named if not app.may_touch(value)), None)


def _ids(value: object) -> list[str]:
    """Return the ids in a list or a single value. Other values are not extension ids, or are refused later."""
    values = map(digits, cast("list[object]", value) if isinstance(value, list) else [value])
    return [v for v in values if isinstance(v, str) and v.isdigit()]


def _lean(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema in fewer tokens: no titles, definitions inlined, optional without null."""
    definitions: dict[str, Any] = schema.get("$defs", {})

    def walk(node: Any, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        node = cast("dict[str, Any]", node)
        if names:  # the keys are names of properties, among them perhaps `title`
            return {name: walk(value) for name, value in node.items()}
        if reference := node.get("$ref"):
            node = {
                **definitions[reference.removeprefix("#/$defs/")],
                **{k: v for k, v in node.items() if k != "$ref"},
            }
        lean = {k: walk(v, names=k == "properties") for k, v in node.items() if k not in {"title", "$defs"}}
        if "const" in lean:  # some clients drop it, and a model would see any string
            lean["enum"] = [lean.pop("const")]
        return _without_null(lean)

    return walk(schema)


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the arguments with null allowed for each optional one that no empty value can omit.

    Clients with strict schemas make a model fill every argument. An enum and a number without a default have no value
    that means "not given". They have `anyOf`, because Gemini refuses a list of types, and null within an enum.
    """

    def published(name: str, argument: dict[str, Any]) -> dict[str, Any]:
        is_number = argument.get("type") == "integer" and "default" not in argument
        if name in schema.get("required", []) or not (is_number or "enum" in argument):
            return argument
        outside = {k: v for k, v in argument.items() if k in {"description", "default"}}
        inside = {k: v for k, v in argument.items() if k not in outside}
        return {**outside, "anyOf": [inside, {"type": "null"}]}

    return {**schema, "properties": {name: published(name, a) for name, a in schema["properties"].items()}}


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    if "default" in node and node["default"] in (None, [], {}):
        node = {k: v for k, v in node.items() if k != "default"}
    arms = [arm for arm in node.get("anyOf", []) if arm != {"type": "null"}]
    if len(arms) != 1:
        return node
    return {**arms[0], **{k: v for k, v in node.items() if k != "anyOf"}}
