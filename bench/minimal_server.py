"""A minimal MCP server for comparison: the SDK's own, with ten tools that do nothing."""

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool


async def echo(text: str) -> str:
    """Return the text."""
    return text


def main() -> None:
    tools = [Tool.from_function(echo, name="echo" if n == 0 else f"echo_{n}") for n in range(10)]
    MCPServer("minimal", tools=tools, log_level="WARNING").run()


if __name__ == "__main__":
    main()
