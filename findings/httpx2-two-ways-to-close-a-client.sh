#!/usr/bin/env bash
# httpx2 on a transport that clients share: leaving `async with` closes it, though its `aclose` was overridden.
#
# Expected: `async with client` and `await client.aclose()` do the same, as with files and streams. A subclass of
# AsyncHTTPTransport whose `aclose` does nothing can serve several clients, each with its own login and cookies.
# Observed: a client's `aclose` calls `aclose` of the transport. Leaving `async with` calls only the transport's
# `__aexit__`, and AsyncHTTPTransport's own one closes the connections itself. So the end of one client cuts off a request
# of another: ReadError without a text, after the server got the request. The overridden `aclose` was never called, and
# tests that end clients by `aclose` see none of it. Override both, or wrap a transport in an AsyncBaseTransport, whose
# `__aexit__` does call `aclose`. That clients enter and leave their transports is meant so (issue 432).
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'httpx2==2.16.2' 2>errors.txt || { cat errors.txt >&2; exit 1; }

cat > shared.py <<'PY'
import asyncio
import sys

import httpx2


class Shared(httpx2.AsyncHTTPTransport):
    """Connections that outlive each client."""

    calls = 0

    async def aclose(self) -> None:
        self.calls += 1


class Wrapped(httpx2.AsyncBaseTransport):
    """The same, around a transport."""

    calls = 0

    def __init__(self) -> None:
        self.inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        self.calls += 1


async def by_async_with(client: httpx2.AsyncClient) -> None:
    async with client:
        pass


async def end(transport: Shared | Wrapped, close) -> tuple[str, int]:
    """Close one client while another waits for its answer. Return the answer, and how often `aclose` was called."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nanswered")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    one, other = httpx2.AsyncClient(transport=transport), httpx2.AsyncClient(transport=transport)
    request = asyncio.create_task(one.get(address))
    await asked.wait()
    await close(other)
    answer.set()
    try:
        outcome = (await request).text
    except httpx2.HTTPError as error:
        outcome = repr(error)
    server.close()
    return outcome, transport.calls


found = {
    "AsyncHTTPTransport, aclose": asyncio.run(end(Shared(), httpx2.AsyncClient.aclose)),
    "AsyncHTTPTransport, async with": asyncio.run(end(Shared(), by_async_with)),
    "AsyncBaseTransport, aclose": asyncio.run(end(Wrapped(), httpx2.AsyncClient.aclose)),
    "AsyncBaseTransport, async with": asyncio.run(end(Wrapped(), by_async_with)),
}
print(f"httpx2 {httpx2.__version__}: the other client's request, and calls of the overridden aclose")
for way, (outcome, calls) in found.items():
    print(f"{way}: {outcome}, {calls}")
kept = ("answered", 1)
sys.exit(0 if list(found.values()) == [kept, ("ReadError('')", 0), kept, kept] else 1)
PY
venv/bin/python shared.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
