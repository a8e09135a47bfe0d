"""fastmcp's Client, which logs in and calls a tool. The first argument is the server's address."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.auth import OAuth


async def main() -> None:
    login = OAuth(client_metadata_url=sys.argv[2]) if len(sys.argv) > 2 else OAuth()
    async with Client(sys.argv[1], auth=login) as client:
        result = await client.call_tool("whoami", {})
        sys.stdout.write(f"whoami: {result.content[0].text}\n")


asyncio.run(main())
