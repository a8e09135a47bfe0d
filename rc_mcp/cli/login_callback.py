"""The redirect address of a browser login: RingCentral sends the browser back to this machine.

Own code: it only needs the first line of one request, and a web server would log that line with the secret code.
"""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

import anyio
from anyio.abc import ByteStream, Listener, SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from rc_mcp import time_limits

HOST = "127.0.0.1"
PATH = "/callback"

_HEAD_BYTES = 16_384
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>rc-mcp</title></head><body><p>{}</p></body></html>
"""


def redirect_uri(listener: Listener[SocketStream]) -> str:
    """Return the listener's address as it must be registered for the app."""
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610
    return f"http://{HOST}:{port}{PATH}"


async def answer_to(listener: Listener[SocketStream], state: str) -> Mapping[str, str]:
    """Wait for the redirect with this state and return its parameters. Other requests are refused."""
    found: dict[str, str] = {}

    async def receive(stream: ByteStream) -> None:
        async with stream:
            with anyio.move_on_after(time_limits.BROWSER_CONNECTION_S):
                try:
                    asked = await _parameters(stream)
                except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.BrokenResourceError):
                    return
                if asked is None:
                    await _send(stream, HTTPStatus.NOT_FOUND, "Not found.")
                elif found or not hmac.compare_digest(asked.get("state", "").encode(), state.encode()):
                    await _send(stream, HTTPStatus.BAD_REQUEST, "rc-mcp is not waiting for this login.")
                else:
                    found.update(asked)
                    await _send(stream, HTTPStatus.OK, _goodbye(asked))
                    serving.cancel()

    with anyio.CancelScope() as serving:
        await listener.serve(receive)
    return found


async def _parameters(stream: ByteStream) -> dict[str, str] | None:
    """Return the parameters of a GET for the redirect address; None for any other request."""
    head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", _HEAD_BYTES)
    method, _, rest = head.decode("latin-1").partition(" ")
    # urlsplit raises errors for some malformed addresses.
    path, _, query = rest.split(" ", 1)[0].partition("?")
    return dict(parse_qsl(query)) if method == "GET" and path == PATH else None


def _goodbye(asked: Mapping[str, str]) -> str:
    return "You can close this window." if asked.get("code") else "You are not logged in. You can close this window."


async def _send(stream: ByteStream, status: HTTPStatus, text: str) -> None:
    page = _PAGE.format(text).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(page)}\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    await stream.send(head.encode() + page)
