"""The least that an MCP server can be: the SDK's own, with ten tools that do nothing."""

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool


async def echo(text: str) -> str:
    """Give the text back."""
    return text


def main() -> None:
    tools = [Tool.from_function(echo, name="echo" if n == 0 else f"echo_{n}") for n in range(10)]
    MCPServer("bare", tools=tools, log_level="WARNING").run()


if __name__ == "__main__":
    main()
