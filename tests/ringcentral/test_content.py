"""Tests of attachments: streamed, never held beyond the caller's limit, and never accepted incomplete."""

from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.ringcentral import (
    AnswerLost,
    ContentTooLarge,
    FaxNotReady,
    GatewayAnswered,
    MailboxNotFound,
    MessageStoreClient,
    NotFound,
    RangeNotSatisfiable,
    TokenAuth,
    UnexpectedAnswer,
)
from rc_mcp.ringcentral.content import content_of

pytestmark = pytest.mark.anyio

WAV = {"content-type": "Audio/X-WAV", "content-length": "5", "content-disposition": 'attachment; filename="a note.wav"'}


class Pieces(httpx.AsyncByteStream):
    """A body that counts the bytes read, can break, and records whether it was closed."""

    def __init__(self, *pieces: bytes, breaks: bool = False) -> None:
        self._pieces = pieces
        self._breaks = breaks
        self.taken = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece
        if self._breaks:
            raise httpx.ReadError("reset")

    async def aclose(self) -> None:
        self.closed = True


def store(answer: httpx.Response) -> MessageStoreClient:
    return MessageStoreClient(TokenAuth("a-token"), transport=httpx.MockTransport(lambda _: answer), max_wait_s=0)


async def test_content_has_its_headers_before_a_byte_is_read():
    body = Pieces(b"abc", b"de")
    async with store(httpx.Response(200, headers=WAV, stream=body)).read_message_content("7", "8") as content:
        assert (content.status, content.content_type, content.size) == (200, "audio/x-wav", 5)
        assert content.file_name == "a note.wav"
        assert body.taken == 0
        assert [piece async for piece in content.aiter_bytes()] == [b"abc", b"de"]
    assert body.closed


async def test_content_left_unread_is_closed():
    body = Pieces(b"abc", b"de")
    async with store(httpx.Response(200, headers=WAV, stream=body)).read_message_content("7", "8"):
        pass
    assert (body.taken, body.closed) == (0, True)


async def test_content_read_in_part_is_closed():
    body = Pieces(*[b"x"] * 9)
    async with store(httpx.Response(200, stream=body)).read_message_content("7", "8") as content:
        pieces = content.aiter_bytes()
        assert await anext(pieces) == b"x"
        await pieces.aclose()
    assert (body.taken, body.closed) == (1, True)


async def test_content_is_read_whole_when_it_fits():
    async with store(httpx.Response(200, headers=WAV, stream=Pieces(b"abc", b"de"))).read_message_content(
        "7", "8"
    ) as c:
        assert await c.read(5) == b"abcde"


async def test_content_that_is_too_large_is_refused_before_it_is_read_where_its_size_is_known():
    body = Pieces(b"abc", b"de")
    async with store(httpx.Response(200, headers=WAV, stream=body)).read_message_content("7", "8") as content:
        with pytest.raises(ContentTooLarge) as caught:
            await content.read(4)
    assert (caught.value.max_bytes, caught.value.size, body.taken) == (4, 5, 0)


async def test_content_of_unknown_size_is_read_no_further_than_allowed():
    body = Pieces(*[b"12345"] * 1000)
    async with store(httpx.Response(200, stream=body)).read_message_content("7", "8") as content:
        assert content.size is None
        with pytest.raises(ContentTooLarge):
            await content.read(12)
    assert body.taken == 3


async def test_a_range_gives_the_size_of_the_whole():
    headers = {"content-range": "bytes 10-12/999", "content-length": "3"}
    answer = httpx.Response(206, headers=headers, stream=Pieces(b"abc"))
    async with store(answer).read_message_content("7", "8", byte_range=(10, 12)) as content:
        assert (content.status, content.size, content.body_size) == (206, 999, 3)
        assert await content.read(3) == b"abc"


async def test_a_server_that_ignores_the_range_sends_the_whole_and_says_so():
    answer = httpx.Response(200, headers=WAV, stream=Pieces(b"abcde"))
    async with store(answer).read_message_content("7", "8", byte_range=(1, 2)) as content:
        assert (content.status, content.size) == (200, 5)


@pytest.mark.parametrize(
    ("status", "content_range", "byte_range"),
    [
        (206, "bytes 0-2/9", None),
        (206, "bytes 0-2/9", (1, 2)),
        (206, "", (0, 2)),
        (206, "lines 0-2/9", (0, 2)),
        (204, "", None),
        (207, "", None),
    ],
)
async def test_bytes_that_were_not_requested_are_an_error(
    status: int, content_range: str, byte_range: tuple[int, int] | None
):
    body = Pieces(b"abc")
    answer = httpx.Response(status, headers={"content-range": content_range}, stream=body)
    with pytest.raises(UnexpectedAnswer):
        async with store(answer).read_message_content("7", "8", byte_range=byte_range):
            raise AssertionError
    assert body.closed


@pytest.mark.parametrize("body", [Pieces(b"abc"), Pieces(b"abc", breaks=True)])
async def test_content_that_ends_too_soon_is_never_treated_as_whole(body: Pieces):
    async with store(httpx.Response(200, headers=WAV, stream=body)).read_message_content("7", "8") as content:
        with pytest.raises(AnswerLost):
            await content.read(100)


@pytest.mark.parametrize(
    ("status", "code", "parameter", "kind"),
    [
        (404, "CMN-102", "messageId", NotFound),
        (404, "CMN-102", "attachmentId", NotFound),
        (404, "CMN-102", "extensionId", MailboxNotFound),
        (404, "AGW-404", None, GatewayAnswered),
        (404, "CMN-120", None, GatewayAnswered),
        (416, "CMN-107", None, RangeNotSatisfiable),
        (404, "MSG-368", None, FaxNotReady),
    ],
)
async def test_refusals_are_raised_on_entering(status: int, code: str, parameter: str | None, kind: type[Exception]):
    answer = httpx.Response(status, json={"errorCode": code, "parameterName": parameter})
    with pytest.raises(kind):
        async with store(answer).read_message_content("7", "8"):
            raise AssertionError


async def test_a_404_without_a_ringcentral_code_does_not_mean_a_missing_attachment():
    with pytest.raises(UnexpectedAnswer):
        async with store(httpx.Response(404, text="<html>")).read_message_content("7", "8"):
            raise AssertionError


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="C:\\temp\\fax.pdf"', "fax.pdf"),
        ("attachment; filename*=UTF-8''caf%C3%A9.pdf", "café.pdf"),
        ("attachment; filename=\"caf_.pdf\"; filename*=UTF-8''caf%C3%A9.pdf", "café.pdf"),
        ("attachment; FileName*=UTF-8''caf%C3%A9.pdf; filename=\"caf_.pdf\"", "café.pdf"),
        ("attachment; filename=\"caf_.pdf\"; filename*=undefined''x%ff", "caf_.pdf"),
        ("attachment; filename*=UTF-8''..; filename=\"a.pdf\"", None),
        ('attachment; filename=".."', None),
        ('attachment; filename=""', None),
        ("inline", None),
        (f"attachment; filename*{'9' * 5000}=x", None),
        ("attachment; filename*=undefined''x%ff", None),
        ("attachment; filename*=a\x00b''x%ff", None),
        (f'attachment; filename="{"n" * 60}.pdf"', f"{'n' * 60}.pdf"),
    ],
)
async def test_a_file_name_never_decides_where_it_is_saved(disposition: str, name: str | None):
    answer = httpx.Response(200, headers={"content-disposition": disposition}, content=b"")
    async with store(answer).read_message_content("7", "8") as content:
        assert content.file_name == name
        assert content.content_type == "application/octet-stream"


async def test_a_transcripts_charset_is_given():
    answer = httpx.Response(200, headers={"content-type": "text/plain; charset=UTF-8"}, content=b"hi")
    async with store(answer).read_message_content("7", "8") as content:
        assert (content.content_type, content.charset) == ("text/plain", "utf-8")


@pytest.mark.parametrize("parameter", [f"charset*{'9' * 5000}=x", "charset*=a%00b'x'y"])
async def test_an_unreadable_charset_is_omitted(parameter: str):
    answer = httpx.Response(200, headers={"content-type": f"text/plain; {parameter}"}, content=b"hi")
    async with store(answer).read_message_content("7", "8") as content:
        assert (content.content_type, content.charset) == ("text/plain", None)


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "²"])
async def test_an_unreadable_length_is_omitted(length: str):
    headers = httpx.Headers({"content-length": length}, encoding="utf-8")
    async with store(httpx.Response(200, headers=headers, stream=Pieces(b"abc"))).read_message_content("7", "8") as c:
        assert (c.size, await c.read(3)) == (None, b"abc")


header_text = st.text(st.characters(min_codepoint=32, max_codepoint=126)).map(str.strip)


@given(content_type=header_text, disposition=header_text.map(lambda text: f"attachment; {text}"), length=header_text)
def test_no_header_breaks_the_parsing(content_type: str, disposition: str, length: str):
    headers = {"content-type": content_type, "content-disposition": disposition, "content-length": length}
    content = content_of(httpx.Response(200, headers=headers, stream=Pieces()), None)
    assert content.file_name is None or not set("/\\") & set(content.file_name)
