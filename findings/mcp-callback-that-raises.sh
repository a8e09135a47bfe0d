#!/usr/bin/env bash
# mcp (the Python SDK) 2.3.0: a client's callback for a question raises an error. Who hears of it depends on the protocol.
#
# Expected: the same in both protocol eras; the error stays in the client, and the server hears only that there is no answer.
# Observed: with 2025-11-25 the server is sent the error's own text, whatever it contains, and `call_tool` raises an MCPError
# with it. With 2026-07-28 the question is part of the tool's answer: the server hears nothing, and the callback's own
# error leaves `call_tool`. A program that catches only MCPError works with one era and ends with the other. A callback
# should answer "decline" instead of raising.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mcp==2.3.0'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version
from typing import Annotated

import anyio
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver import Elicit, ElicitationResult, Resolve
from pydantic import BaseModel

server = MCPServer("asks", log_level="CRITICAL")


class Answer(BaseModel):
    yes: bool


async def question() -> Answer | Elicit[Answer]:
    return Elicit("Shall I?", Answer)


@server.tool()
async def ask(answer: Annotated[ElicitationResult[Answer], Resolve(question)]) -> str:
    """Ask the user."""
    return f"the user said {answer.action}"


async def raises(*_):
    raise LookupError("no terminal")


async def outcome(mode: str) -> str:
    try:
        async with Client(server, mode=mode, elicitation_callback=raises) as client:
            result = await client.call_tool("ask", {})
            return f"answer, is_error={result.is_error}: {result.content[0].text[:80]}"
    except BaseException as error:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return f"raised: {type(error).__name__}: {error}"


found = {era: anyio.run(outcome, mode) for era, mode in {"2025-11-25": "legacy", "2026-07-28": "2026-07-28"}.items()}
print(f"mcp {version('mcp')}", *(f"{mode}: {what}" for mode, what in found.items()), sep="\n")
seen = {"2025-11-25": "raised: MCPError: no terminal", "2026-07-28": "raised: LookupError: no terminal"}
sys.exit(0 if found == seen else 1)
PYTHON
