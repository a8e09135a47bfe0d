#!/usr/bin/env bash
# httpx2 over aiohttp (httpx-aiohttp): a DELETE whose connection ends without an answer reaches the server twice.
#
# Expected: as with httpx2's own transport, one request and `RemoteProtocolError`; a transport may repeat a request only
# if it never left.
# Observed: on a kept connection aiohttp takes a lost answer for a stale connection and, as DELETE is idempotent by
# RFC 9110, sends it again by itself. The transport says `ConnectTimeout`, which httpx documents as "timed out while
# connecting", so a caller that repeats what was never sent sends it a third time. Where a second DELETE does more than
# the first (a trash that it empties), the quicker transport loses data.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'httpx-aiohttp[httpx2]==0.2.0' 'aiohttp==3.14.5' 'httpx2==2.16.2'

cat > lost.py <<'PY'
import asyncio
import sys

import httpx2
from httpx_aiohttp.httpx2 import AiohttpTransport


async def requests_seen(transport: httpx2.AsyncBaseTransport) -> tuple[int, Exception | None]:
    """Send GET, then DELETE on the same connection, to a server that ends the connection at each DELETE."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            seen.append(head.partition(b" ")[0])
            if seen[-1] == b"DELETE":
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    error = None
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get(address)
        try:
            await client.delete(f"{address}/message")
        except httpx2.HTTPError as caught:
            error = caught
    server.close()
    return seen.count(b"DELETE"), error


async def main() -> bool:
    plain, plain_error = await requests_seen(httpx2.AsyncHTTPTransport())
    other, other_error = await requests_seen(AiohttpTransport())
    print(f"httpx2 {httpx2.__version__}: {plain} DELETE, {type(plain_error).__name__}")
    print(f"httpx-aiohttp 0.2.0, aiohttp 3.14.5: {other} DELETE, {type(other_error).__name__}")
    return (plain, other) == (1, 2) and isinstance(other_error, httpx2.ConnectTimeout)


sys.exit(0 if asyncio.run(main()) else 1)
PY
env/bin/python lost.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
