"""Talking to a replica as raw HTTP, so that each byte of an answer can be looked at: in this process, or over a socket.

In this process an ASGI application is called without a server between, which is several times faster.
"""

import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import anyio
import httpx2 as httpx
from anyio.abc import ObjectReceiveStream
from mcp.shared.inbound import NAME_BEARING_METHODS, encode_header_value
from mcp.types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from starlette.types import ASGIApp, Receive, Send

MODERN, LEGACY = "2026-07-28", "2025-11-25"
PATIENCE_S = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: everything that a replica said."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of this name, or an empty text."""
        return next((value for known, value in self.headers if known == name), "")

    def everything(self) -> bytes:
        """Return headers and body."""
        return "\n".join(f"{name}: {value}" for name, value in self.headers).encode() + b"\n\n" + self.body

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body: the last one, if the answer is a stream of events."""
        if self.header("content-type").startswith("text/event-stream"):
            lines = [line[5:] for line in self.body.splitlines() if line.startswith(b"data:") and len(line) > 6]
            return json.loads(lines[-1]) if lines else {}
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class Line(Protocol):
    """A way to one replica."""

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Said:
        """Send a request and return the whole answer."""
        ...

    def listen(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Any:  # an asynchronous context manager of `ObjectReceiveStream[bytes]`
        """Send a request and yield the body of its answer as it comes, the headers first."""
        ...


@dataclass
class InProcess:
    """A replica in this process, called as an ASGI application."""

    app: ASGIApp
    client: tuple[str, int] = ("127.0.0.1", 50_000)

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Said:
        got = _Got()
        with anyio.fail_after(PATIENCE_S):
            try:
                await self.app(self._scope(method, url, headers, body), _receiving(body, anyio.Event()), got.send)
            except Exception:  # noqa: BLE001  a server logs it, and says 500
                _log.exception("the application failed")
                got.status = got.status or 500
        return Said(got.status, tuple(got.headers), b"".join(got.parts))

    @asynccontextmanager
    async def listen(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncGenerator[ObjectReceiveStream[bytes]]:
        gone = anyio.Event()
        into, out = anyio.create_memory_object_stream[bytes](10_000)
        got = _Got(said=into.send_nowait)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_call, self.app, self._scope(method, url, headers, body), _receiving(body, gone), got.send)
            try:
                yield out
            finally:
                gone.set()
                tasks.cancel_scope.cancel()
                into.close()
                out.close()

    def _scope(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        parts = urlsplit(url)
        named = {"host": parts.netloc, **headers, **({"content-length": str(len(body))} if body else {})}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()],
            "client": self.client,
            "server": (parts.hostname, parts.port or 80),
            "state": {},
        }


@dataclass
class OverSocket:
    """A replica in a process of its own, at an address; `url` of a request names the public address."""

    address: str
    http: httpx.AsyncClient

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Said:
        parts = urlsplit(url)
        there = self.address + parts.path + (f"?{parts.query}" if parts.query else "")
        answer = await self.http.request(method, there, headers={"host": parts.netloc, **headers}, content=body)
        return Said(answer.status_code, tuple(answer.headers.multi_items()), answer.content)


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncGenerator[None]:
    """Run the lifespan of an application."""
    into, inbox = anyio.create_memory_object_stream[MutableMapping[str, Any]](2)
    said, outbox = anyio.create_memory_object_stream[MutableMapping[str, Any]](2)
    with into, inbox, said, outbox:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                _call, app, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.receive, said.send
            )
            await into.send({"type": "lifespan.startup"})
            started = await outbox.receive()
            assert started["type"] == "lifespan.startup.complete", started
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    await into.send({"type": "lifespan.shutdown"})
                    await outbox.receive()


def request(
    method: str,
    params: Mapping[str, Any],
    *,
    token: str | None,
    capabilities: Mapping[str, Any],
    version: str = MODERN,
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of an MCP request."""
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
    }
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    given = dict(params)
    if version == MODERN:
        headers["mcp-method"] = method
        if (named := NAME_BEARING_METHODS.get(method)) and isinstance(params.get(named), str):
            headers["mcp-name"] = encode_header_value(params[named])
        given["_meta"] = {
            PROTOCOL_VERSION_META_KEY: MODERN,
            CLIENT_CAPABILITIES_META_KEY: capabilities,
            CLIENT_INFO_META_KEY: {"name": "proof", "version": "1"},
        }
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}
    return headers, json.dumps(body).encode()


async def _call(app: ASGIApp, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


@dataclass
class _Got:
    """What an application sends."""

    said: Callable[[bytes], None] | None = None
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    parts: list[bytes] = field(default_factory=list[bytes])

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in message["headers"]]
            part = "\n".join(f"{name}: {value}" for name, value in self.headers).encode()
        else:
            part = message.get("body", b"")
            self.parts.append(part)
        if self.said and part:
            self.said(part)


def _receiving(body: bytes, gone: anyio.Event) -> Callable[[], Any]:
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await gone.wait()
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
