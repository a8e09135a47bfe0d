"""The end of a login in the browser: one address on this machine that RingCentral sends the person back to.

Own code, because all it takes is the first line of one request, and a web server would log it, code and all.
"""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

import anyio
from anyio.abc import ByteStream, Listener, SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

HOST = "127.0.0.1"
PATH = "/callback"

_HEAD_BYTES = 16_384
_PATIENCE_S = 10.0
"""For one connection: browsers open some that they never use."""
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>rc-mcp</title></head><body><p>{}</p></body></html>
"""


def redirect_uri(listener: Listener[SocketStream]) -> str:
    """The address a listener is reached by, as it has to be registered for the app."""
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610
    return f"http://{HOST}:{port}{PATH}"


async def answer_to(listener: Listener[SocketStream], state: str) -> Mapping[str, str]:
    """What RingCentral sends back to the one who asked with this state. Anything else that calls is turned away."""
    found: dict[str, str] = {}

    async def receive(stream: ByteStream) -> None:
        async with stream:
            with anyio.move_on_after(_PATIENCE_S):
                try:
                    asked = await _parameters(stream)
                except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.BrokenResourceError):
                    return
                if asked is None:
                    await _send(stream, HTTPStatus.NOT_FOUND, "There is nothing here.")
                elif found or not hmac.compare_digest(asked.get("state", "").encode(), state.encode()):
                    await _send(stream, HTTPStatus.BAD_REQUEST, "This is not the answer rc-mcp is waiting for.")
                else:
                    found.update(asked)
                    await _send(stream, HTTPStatus.OK, _goodbye(asked))
                    serving.cancel()

    with anyio.CancelScope() as serving:
        await listener.serve(receive)
    return found


async def _parameters(stream: ByteStream) -> dict[str, str] | None:
    """Of a GET for our address; None for anything else."""
    head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", _HEAD_BYTES)
    method, _, rest = head.decode("latin-1").partition(" ")
    # Not by urlsplit, which raises for some of what a stranger may send.
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
