"""What the Python programs share: requests as JSON lines on stdin, what was seen as JSON lines on stdout.

A program starts with the plan as its argument: `{"url": ..., "asks": ...}`; with `asks`, the framework gets a callback
for questions. Its first line has what the framework makes of the tools. Then each request is one call:

    {"tool": NAME, "arguments": {...}, "strict": BOOL, "reply": "accept" or "decline", "patience_s": SECONDS}

and its answer is what the framework would give to its model, in parts, or the error that it raised:

    {"parts": [{"text": ...} or {"picture": CHARACTERS}, ...], "asked": QUESTIONS}
    {"raised": ..., "asked": QUESTIONS}  or  {"cancelled": true, "asked": QUESTIONS}
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

Part = dict[str, Any]
Call = Callable[[str, dict[str, Any], bool], Awaitable[list[Part]]]

PLAN = json.loads(sys.argv[1])
URL: str = PLAN["url"]
ASKS: bool = PLAN["asks"]
# What a framework prints goes to stderr.
_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


class Person:
    """The user whom the server asks: agrees or declines, and counts the questions."""

    reply = "decline"
    asked = 0

    def answer(self) -> tuple[str, dict[str, Any] | None]:
        """Return the action and the content of an answer to a question."""
        self.asked += 1
        return (self.reply, {"confirm": True} if self.reply == "accept" else None)


PERSON = Person()


async def mcp_reply(*_: Any) -> Any:
    """Answer a question, as the callback of the MCP SDK."""
    from mcp.types import ElicitResult

    action, content = PERSON.answer()
    return ElicitResult(action=action, content=content)


async def serve(tools: dict[str, Any], call: Call, *, strict: dict[str, Any] | None = None) -> None:
    """Say what became of the tools, then answer each request. A schema is the framework's, or {"failed": ...}."""
    say({"tools": tools, "strict": strict})
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        PERSON.reply, PERSON.asked = request["reply"], 0
        say(await _seen(call, request) | {"asked": PERSON.asked})


async def _seen(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    calling = asyncio.ensure_future(call(request["tool"], request["arguments"], request["strict"]))
    done, _ = await asyncio.wait([calling], timeout=request["patience_s"])
    if not done:
        calling.cancel()
        await asyncio.wait([calling], timeout=10)
        return {"cancelled": calling.done()}
    try:
        return {"parts": calling.result()}
    except BaseException as error:
        return {"raised": f"{type(error).__name__}: {error}"}


def say(seen: dict[str, Any]) -> None:
    _answers.write(json.dumps(seen, default=str) + "\n")
    _answers.flush()


def each(convert: Callable[[Any], dict[str, Any]], tools: dict[str, Any]) -> dict[str, Any]:
    """Convert each tool's schema; what fails to convert is said."""
    made: dict[str, Any] = {}
    for name, tool in tools.items():
        try:
            made[name] = convert(tool)
        except Exception as error:
            made[name] = {"failed": f"{type(error).__name__}: {error}"}
    return made


def parts_of(content: Any) -> list[Part]:
    """Return the parts of MCP content, of a text, or of the blocks that most frameworks make of it."""
    return [{"text": content}] if isinstance(content, str) else [part_of(block) for block in content]


def part_of(block: Any) -> Part:
    """Return a block as text, or as the kind and the size of what is not text."""
    found = block if isinstance(block, dict) else block.model_dump(mode="json", by_alias=True)
    if isinstance(found.get("text"), str):
        return {"text": found["text"]}
    kind = next((kind for kind in ("image", "audio") if kind in json.dumps(found)[:4000]), "file")
    return {"picture" if kind == "image" else kind: largest(found)}


def largest(found: Any) -> int:
    """Return the characters of the longest string or bytes (as base64) in a block."""
    if isinstance(found, dict):
        return max(map(largest, found.values()), default=0)
    if isinstance(found, list):
        return max(map(largest, found), default=0)
    return len(base64.b64encode(found)) if isinstance(found, bytes) else len(found) if isinstance(found, str) else 0
