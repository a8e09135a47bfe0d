"""The connection a request came over: how an answer leaves, whole, in part or not at all.

On real sockets, `serving.py` lends every request the means to close its connection. In-process there is none to
close: the client's transport is made to raise what it raises when a connection is lost.
"""

import secrets
import sys
from collections.abc import Awaitable, Callable

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rc_mcp.emulator.serving import SOCKET, Socket


class Connection:
    """`log` is called with the status that goes out, before it does, and with 0 when none will."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, log: Callable[[int], None]) -> None:
        self._log = log
        self._scope = scope
        self._receive = receive
        self._send = send
        self._socket: Socket | None = scope.get("extensions", {}).get(SOCKET)

    async def send(self, response: Response) -> None:
        self._log(response.status_code)
        response.headers["RCRequestId"] = secrets.token_hex(16)
        if self._scope["method"] == "HEAD":
            response.body = b""
        await response(self._scope, self._receive, self._send)

    async def send_half(self, response: Response) -> None:
        """Promises the whole body, sends half of it and breaks off. An answer without a body comes whole."""
        body = bytes(response.body)
        if not body or self._scope["method"] == "HEAD":
            await self.send(response)
            return
        self._log(response.status_code)
        response.headers["RCRequestId"] = secrets.token_hex(16)
        start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await self._close("peer closed connection without sending complete message body")

    async def hang_up(self) -> None:
        self._log(0)
        await self._close("Server disconnected without sending a response.")

    async def stall(self) -> None:
        """Says nothing until the client gives up, or the service ends."""
        self._log(0)
        await self._unless_the_service_ends(self._gone)
        await self._close("Server disconnected without sending a response.")

    async def wait(self, until: Callable[[], Awaitable[None]]) -> bool:
        """Waits. False when the service ended first; then the connection is closed and nothing more to be done."""
        if await self._unless_the_service_ends(until):
            return True
        await self.hang_up()
        return False

    async def _close(self, what_the_client_sees: str) -> None:
        if self._socket is None:
            raise self._lost_connection(what_the_client_sees)
        self._socket.close()
        await self._gone()

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _unless_the_service_ends(self, until: Callable[[], Awaitable[None]]) -> bool:
        if self._socket is None:
            await until()
            return True
        came = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancel_when_the_service_ends, self._socket, tasks.cancel_scope)
            await until()
            came = True
            tasks.cancel_scope.cancel()
        return came

    async def _cancel_when_the_service_ends(self, socket: Socket, scope: anyio.CancelScope) -> None:
        await socket.ending.wait()
        scope.cancel()

    def _lost_connection(self, text: str) -> Exception:
        """The exception of whichever httpx (its name changed) sent the request in-process, or the built-in one."""
        client = sys.modules.get(getattr(self._send, "__module__", "").partition(".")[0])
        kind: type[Exception] = getattr(client, "RemoteProtocolError", ConnectionResetError)
        return kind(text)
