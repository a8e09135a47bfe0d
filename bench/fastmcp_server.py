"""An MCP server for comparison, made with FastMCP in an environment of its own: ten tools that do nothing."""

from importlib import import_module
from typing import Any

# Not imported by name: the type checker's environment lacks the package.
FastMCP: Any = import_module("fastmcp").FastMCP


async def echo(text: str) -> str:
    """Return the text."""
    return text


server = FastMCP("minimal")
for n in range(10):
    server.tool(echo, name=f"echo_{n}")
server.run(show_banner=False)
