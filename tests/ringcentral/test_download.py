"""Tests of downloads: complete or absent, resumed after a break, never with wrong bytes or beyond a limit."""

# ruff: noqa: ASYNC240  nothing else runs while a test reads its own folder

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx2 as httpx
import pytest

from rc_mcp.ringcentral import (
    AnswerLost,
    ContentTooLarge,
    FaxNotReady,
    InvalidRequest,
    MessageStoreClient,
    RingCentralError,
    TokenAuth,
    UnexpectedAnswer,
    download,
)
from rc_mcp.ringcentral.limits import LIMITS

pytestmark = pytest.mark.anyio

WHOLE = bytes(range(256)) * 40


class Pieces(httpx.AsyncByteStream):
    """A body in small pieces that breaks off after `until` bytes."""

    def __init__(self, body: bytes, until: int | None = None, *, loses_its_end: bool = False) -> None:
        self._body = body
        self._loses_its_end = loses_its_end
        self._until = len(body) if until is None else until

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, self._until, 100):
            yield self._body[at : min(at + 100, self._until)]
        if self._until < len(self._body) or self._loses_its_end:
            raise httpx.ReadError("reset")


class Media:
    """A media host like RingCentral's that breaks off every answer after a number of bytes."""

    def __init__(self, breaks_after: int, *, etag: str | None = '"v1"') -> None:
        self.breaks_after = breaks_after
        self.etag = etag
        self.body = WHOLE
        self.takes_ranges = True
        self.says_size = True
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        asked = request.headers.get("range", "")
        is_same = request.headers.get("if-range", self.etag) == self.etag
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.takes_ranges and is_same else 0
        body = self.body[first:]
        headers = {"content-type": "application/pdf"} | ({"etag": self.etag} if self.etag else {})
        if self.says_size:
            headers["content-length"] = str(len(body))
        if first:
            headers["content-range"] = f"bytes {first}-{len(self.body) - 1}/{len(self.body)}"
        stream = Pieces(body, min(self.breaks_after, len(body)))
        return httpx.Response(206 if first else 200, headers=headers, stream=stream)

    @property
    def ranges(self) -> list[tuple[str | None, str | None]]:
        return [(request.headers.get("range"), request.headers.get("if-range")) for request in self.requests]


def store(handler: Callable[[httpx.Request], httpx.Response]) -> MessageStoreClient:
    return MessageStoreClient(TokenAuth("t"), transport=httpx.MockTransport(handler))


async def test_a_file_gets_its_name_when_it_is_complete_and_only_its_owner_can_read_it(tmp_path: Path):
    path = tmp_path / "fax.pdf"
    path.write_bytes(b"older")
    path.chmod(0o644)
    async with store(Media(len(WHOLE))) as client:
        done = await client.download("7", "8", path)
    assert path.read_bytes() == WHOLE
    assert path.stat().st_mode & 0o777 == 0o600
    assert (done.size, done.content_type) == (len(WHOLE), "application/pdf")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("etag", ['"v1"', None, 'W/"weak"'])
async def test_a_broken_download_resumes_where_it_broke(tmp_path: Path, etag: str | None):
    media = Media(3_000, etag=etag)
    async with store(media) as client:
        await client.download("7", "8", tmp_path / "fax.pdf")
    assert (tmp_path / "fax.pdf").read_bytes() == WHOLE
    strong = '"v1"' if etag == '"v1"' else None
    assert media.ranges == [
        (None, None),
        *((f"bytes={first}-", strong) for first in (3_000, 6_000, 9_000)),
    ]


@pytest.mark.parametrize("body", [WHOLE, b""])
async def test_a_download_with_all_bytes_but_a_lost_end_of_the_answer_is_complete(body: bytes):
    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        stream = Pieces(body, loses_its_end=True)
        return httpx.Response(200, headers={"content-length": str(len(body))}, stream=stream)

    asked, file = list[httpx.Request](), BytesIO()
    async with store(handle) as client:
        await client.download("7", "8", file)
    assert (file.getvalue(), len(asked)) == (body, 1)


async def test_a_download_that_broke_before_its_first_byte_starts_again():
    media = Media(0)

    def handle(request: httpx.Request) -> httpx.Response:
        media.breaks_after = len(WHOLE) if media.requests else 0
        return media(request)

    file = BytesIO()
    async with store(handle) as client:
        await client.download("7", "8", file)
    assert (file.getvalue(), media.ranges) == (WHOLE, [(None, None)] * 2)


async def test_a_download_that_breaks_too_often_leaves_nothing_behind(tmp_path: Path):
    path = tmp_path / "fax.pdf"
    path.write_bytes(b"older")
    media = Media(100)
    async with store(media) as client:
        with pytest.raises(AnswerLost):
            await client.download("7", "8", path)
    assert len(media.requests) == 6
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("attribute", ["takes_ranges", "says_size"])
async def test_an_answer_that_cannot_be_resumed_starts_again(attribute: str):
    media = Media(3_000)
    setattr(media, attribute, False)

    def handle(request: httpx.Request) -> httpx.Response:
        if media.requests:
            media.breaks_after = len(WHOLE)
        return media(request)

    file = BytesIO(b"kept")
    file.seek(4)
    async with store(handle) as client:
        await client.download("7", "8", file)
    assert file.getvalue() == b"kept" + WHOLE


async def test_content_that_changed_in_the_meantime_starts_again_by_its_etag(tmp_path: Path):
    media = Media(3_000)

    def handle(request: httpx.Request) -> httpx.Response:
        if media.requests:
            media.body, media.etag, media.breaks_after = WHOLE[::-1], '"v2"', len(WHOLE)
        return media(request)

    async with store(handle) as client:
        await client.download("7", "8", tmp_path / "fax.pdf")
    assert (tmp_path / "fax.pdf").read_bytes() == WHOLE[::-1]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-range": f"bytes 2999-{len(WHOLE) - 1}/{len(WHOLE)}"},
        {"content-range": f"bytes 3001-{len(WHOLE) - 1}/{len(WHOLE)}"},
        {"content-range": f"bytes 3000-{len(WHOLE)}/{len(WHOLE) + 1}"},
        {"content-range": f"bytes 3000-{len(WHOLE) - 1}/*"},
        {"content-range": f"bytes 3000-{len(WHOLE) - 1}/{len(WHOLE)}", "etag": '"v2"'},
        {},
    ],
)
async def test_a_wrong_rest_is_never_written(tmp_path: Path, headers: dict[str, str]):
    media = Media(3_000)

    def handle(request: httpx.Request) -> httpx.Response:
        if media.requests:
            return httpx.Response(206, headers=headers, stream=Pieces(WHOLE[3_000:]))
        return media(request)

    async with store(handle) as client:
        with pytest.raises(UnexpectedAnswer):
            await client.download("7", "8", tmp_path / "fax.pdf")
    assert list(tmp_path.iterdir()) == []


async def test_a_rest_in_parts_is_requested_until_it_is_complete(tmp_path: Path):
    media = Media(3_000)

    def handle(request: httpx.Request) -> httpx.Response:
        answer = media(request)
        media.breaks_after = len(WHOLE)
        if len(media.requests) == 2:
            told = {"content-range": f"bytes 3000-4999/{len(WHOLE)}", "content-length": "2000"}
            return httpx.Response(206, headers=told, stream=Pieces(WHOLE[3_000:5_000]))
        return answer

    async with store(handle) as client:
        await client.download("7", "8", tmp_path / "fax.pdf")
    assert (tmp_path / "fax.pdf").read_bytes() == WHOLE
    assert [request.headers.get("range") for request in media.requests] == [None, "bytes=3000-", "bytes=5000-"]


@pytest.mark.parametrize("at_a_time", [1_000, len(WHOLE)])
async def test_long_content_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_a_time: int):
    monkeypatch.setattr(download, "LIMITS", replace(LIMITS, write_bytes=at_a_time))
    async with store(Media(len(WHOLE))) as client:
        await client.download("7", "8", tmp_path / "fax.pdf")
    assert (tmp_path / "fax.pdf").read_bytes() == WHOLE


async def test_a_rest_longer_than_stated_is_never_written(tmp_path: Path):
    media = Media(3_000)

    def handle(request: httpx.Request) -> httpx.Response:
        if media.requests:
            told = {"content-range": f"bytes 3000-{len(WHOLE) - 1}/{len(WHOLE)}"}
            return httpx.Response(206, headers=told, stream=Pieces(WHOLE))
        return media(request)

    async with store(handle) as client:
        with pytest.raises(UnexpectedAnswer):
            await client.download("7", "8", tmp_path / "fax.pdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("says_size", [True, False])
async def test_content_above_the_limit_is_refused_before_writing_if_its_size_is_known(says_size: bool):
    media = Media(len(WHOLE))
    media.says_size = says_size
    file = BytesIO()
    async with store(media) as client:
        with pytest.raises(ContentTooLarge) as caught:
            await client.download("7", "8", file, max_bytes=len(WHOLE) - 1)
    assert (caught.value.size, file.getvalue()) == (len(WHOLE) if says_size else None, b"")


async def test_content_at_the_limit_is_written():
    file = BytesIO()
    async with store(Media(len(WHOLE))) as client:
        await client.download("7", "8", file, max_bytes=len(WHOLE))
    assert file.getvalue() == WHOLE


async def test_a_fax_that_is_still_rendering_is_its_own_error(tmp_path: Path):
    async with store(lambda _: httpx.Response(404, json={"errorCode": "MSG-368"})) as client:
        with pytest.raises(FaxNotReady):
            await client.download("7", "8", tmp_path / "fax.pdf")
    assert list(tmp_path.iterdir()) == []


async def test_an_unwritable_path_is_found_before_anything_is_sent(tmp_path: Path):
    media = Media(len(WHOLE))
    async with store(media) as client:
        with pytest.raises(FileNotFoundError):
            await client.download("7", "8", tmp_path / "missing" / "fax.pdf")
        with pytest.raises(InvalidRequest):
            await client.download("7", "8", tmp_path)
        with pytest.raises(RingCentralError):
            await client.download("7", "8", tmp_path / "fax.pdf", max_bytes=-1)
    assert media.requests == []
