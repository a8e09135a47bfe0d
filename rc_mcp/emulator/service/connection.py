"""The connection of a request: sends the answer whole, half of it, or nothing.

On real sockets, `serving.py` gives every request a way to close its connection. In-process there is no connection;
instead, the app raises the exception that the client's transport raises for a lost connection.
"""

import sys
import uuid
from collections.abc import Awaitable, Callable

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rc_mcp.emulator.service.serving import SOCKET, Socket

# As recorded on an answer of the API; no record shows those of a token or of content.
_HEADERS = [
    (b"server", b"nginx"),
    (b"routingkey", b"SJC11P01"),
    (b"content-language", b"en-US"),
    (b"vary", b"Accept-Encoding, User-Agent"),
]


class Connection:
    """A request's connection. It calls `log` with the status before sending it, or with 0 if it sends no answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, log: Callable[[int], None]) -> None:
        self._log = log
        self._scope = scope
        self._receive = receive
        self._send = send
        self._socket: Socket | None = scope.get("extensions", {}).get(SOCKET)

    async def send(self, response: Response) -> None:
        self._log(response.status_code)
        _add_headers(response)
        if self._scope["method"] == "HEAD":
            response.body = b""
        await response(self._scope, self._receive, self._send)

    async def send_half(self, response: Response) -> None:
        """Announce the whole body, send half of it and close. Send an answer without a body whole."""
        body = bytes(response.body)
        if not body or self._scope["method"] == "HEAD":
            await self.send(response)
            return
        self._log(response.status_code)
        _add_headers(response)
        start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await self._close("peer closed connection without sending complete message body")

    async def hang_up(self) -> None:
        self._log(0)
        await self._close("Server disconnected without sending a response.")

    async def stall(self) -> None:
        """Send nothing until the client gives up or the service ends."""
        self._log(0)
        await self._unless_the_service_ends(self._gone)
        await self._close("Server disconnected without sending a response.")

    async def wait(self, until: Callable[[], Awaitable[None]]) -> bool:
        """Wait for `until`. Return False if the service ended first; the connection is then already closed."""
        if await self._unless_the_service_ends(until):
            return True
        await self.hang_up()
        return False

    async def _close(self, client_error: str) -> None:
        if self._socket is None:
            # The exception of the httpx (or httpx2) that sent the request in-process, or the built-in one.
            client = sys.modules.get(getattr(self._send, "__module__", "").partition(".")[0])
            kind: type[Exception] = getattr(client, "RemoteProtocolError", ConnectionResetError)
            raise kind(client_error)
        self._socket.close()
        await self._gone()

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _unless_the_service_ends(self, until: Callable[[], Awaitable[None]]) -> bool:
        if self._socket is None:
            await until()
            return True
        finished = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancel_when_the_service_ends, self._socket, tasks.cancel_scope)
            await until()
            finished = True
            tasks.cancel_scope.cancel()
        return finished

    async def _cancel_when_the_service_ends(self, socket: Socket, scope: anyio.CancelScope) -> None:
        await socket.ending.wait()
        scope.cancel()


def _add_headers(response: Response) -> None:
    response.raw_headers += [*_HEADERS, (b"rcrequestid", str(uuid.uuid4()).encode())]
