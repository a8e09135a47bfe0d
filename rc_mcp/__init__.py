"""An MCP server for RingCentral's Message Store, an async client for it, and an embedded emulator of the service."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rc-mcp")
except PackageNotFoundError:  # the client and the emulator are also a distribution without the server
    __version__ = version("rc-mcp-client")
