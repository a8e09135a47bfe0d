"""An MCP server for RingCentral's Message Store, an async client for it, and an embedded emulator of the service."""

from importlib.metadata import version

__version__ = version("rc-mcp")
