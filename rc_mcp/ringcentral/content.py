"""Reads the content of an attachment: its bytes as a stream, and its headers."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value
from functools import partial

import httpx2 as httpx

from rc_mcp.ringcentral.errors import AnswerLost, ContentTooLarge, UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.connection import failures_named
from rc_mcp.ringcentral.transport.responses import one_line

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


@dataclass(frozen=True)
class Content:
    """An attachment's content, open until its `async with` ends. Its bytes can be read once.

    Attributes:
        content_type: the MIME type RingCentral sent, in lower case and without parameters.
        charset: a text's charset; None if RingCentral sent none.
        size: bytes of the whole attachment, even if only a range was requested; None if unknown.
        file_name: RingCentral's suggestion without folders; None if it sent none.
        status: 200, or 206 if only the requested range follows.
        body_size: bytes that will arrive here; None if unknown.
        etag: a strong ETag, equal for equal bytes; None if RingCentral sent none.
    """

    content_type: str
    charset: str | None
    size: int | None
    file_name: str | None
    status: int
    body_size: int | None
    etag: str | None
    _response: httpx.Response = field(repr=False)

    async def aiter_bytes(self) -> AsyncGenerator[bytes]:
        """Yield the bytes in pieces.

        Raises:
            AnswerLost: the connection broke before the end.
        """
        arrived = 0
        with failures_named(self._response.request):
            async with aclosing(self._response.aiter_bytes()) as chunks:
                async for chunk in chunks:
                    arrived += len(chunk)
                    yield chunk
        if self.body_size not in (None, arrived):
            raise AnswerLost(f"Only {arrived:,} of {self.body_size:,} bytes of the content arrived")

    async def read(self, max_bytes: int) -> bytes:
        """Return all bytes.

        Raises:
            ContentTooLarge: there are more than `max_bytes`. No more than that is held in memory.
            AnswerLost: the connection broke before the end.
        """
        if self.body_size is not None and self.body_size > max_bytes:
            raise ContentTooLarge(max_bytes, self.body_size)
        held = bytearray()
        async with aclosing(self.aiter_bytes()) as chunks:
            async for chunk in chunks:
                if len(held) + len(chunk) > max_bytes:
                    raise ContentTooLarge(max_bytes, self.body_size)
                held += chunk
        return bytes(held)


def content_of(response: httpx.Response, start: int | None) -> Content:
    """Return the content in a successful answer to a request for all of it, or for the bytes from `start` on.

    Raises:
        UnexpectedAnswer: the answer is neither the whole content nor that range.
    """
    encoded = "content-encoding" in response.headers
    body_size = None if encoded else _length(response.headers.get("content-length"))
    whole_size = body_size
    if response.status_code == 206:
        whole_size = _size_behind_range(response.headers.get("content-range", ""), start)
    elif response.status_code != 200:
        raise UnexpectedAnswer("RingCentral answered without content", status=response.status_code)
    header = _parsed_headers(response)
    return Content(
        content_type=header.get_content_type() if "content-type" in header else "application/octet-stream",
        charset=one_line(_read(header.get_content_charset), 40),
        size=whole_size,
        file_name=_file_name(header),
        status=response.status_code,
        body_size=body_size,
        etag=_strong(response.headers.get("etag", "")),
        _response=response,
    )


def _size_behind_range(content_range: str, start: int | None) -> int | None:
    stated = _CONTENT_RANGE.fullmatch(content_range.strip())
    if not stated or start is None or int(stated[1]) != start:
        raise UnexpectedAnswer("RingCentral answered with bytes that were not requested", status=206)
    return None if stated[3] == "*" else int(stated[3])


def _length(value: str | None) -> int | None:
    return int(value) if value and re.fullmatch("[0-9]{1,18}", value) else None


def _strong(etag: str) -> str | None:
    """Return an ETag if If-Range may carry it. A weak one does not guarantee equal bytes (RFC 9110, 13.1.5)."""
    return etag if re.fullmatch(r'"[!#-~]{1,200}"', etag) else None


def _parsed_headers(response: httpx.Response) -> Message:
    message = Message()
    for name in ("content-type", "content-disposition"):
        if value := response.headers.get(name):
            message[name] = value
    return message


def _read(part: Callable[[], object]) -> object:
    """Return a part of a header; None if it cannot be decoded."""
    try:
        return part()
    except Exception:  # noqa: BLE001  a header can make the email package raise anything
        return None


def _extended_name(header: Message) -> str | None:
    """Return `filename*`, which has priority over `filename` (RFC 6266, 4.3); the email package prefers the latter."""
    parameters = header.get_params([], "content-disposition")
    extended = (value for name, value in parameters if name.lower() == "filename" and isinstance(value, tuple))
    return next(map(collapse_rfc2231_value, extended), None)


def _file_name(header: Message) -> str | None:
    """Return only the last part: a name with folders could decide where a download is saved."""
    name = one_line(_read(partial(_extended_name, header)) or _read(header.get_filename), LIMITS.file_name_chars)
    last = re.split(r"[/\\]", name)[-1].strip(". ") if name else ""
    return last or None
