"""Downloads an attachment to a file in constant memory, and resumes after a broken connection."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread

from rc_mcp.private_files import new_file, write_all
from rc_mcp.ringcentral.content import Content
from rc_mcp.ringcentral.errors import AnswerLost, ContentTooLarge, InvalidRequest, UnexpectedAnswer
from rc_mcp.ringcentral.limits import LIMITS

Opener = Callable[[int, str | None], AbstractAsyncContextManager[Content]]
"""Requests the bytes from an offset on, if the content still has the given ETag."""


@dataclass(frozen=True)
class Downloaded:
    """The size and headers of a finished download.

    Attributes:
        size: bytes written.
        content_type, charset, file_name: as in `Content`.
    """

    size: int
    content_type: str
    charset: str | None
    file_name: str | None


@contextmanager
def written_whole(path: Path) -> Generator[BinaryIO]:
    """Open a new file for its owner only (0600). Name it `path` if the block succeeds, and otherwise remove it."""
    if path.is_dir():
        raise InvalidRequest(f"{path} is a folder. Nothing was sent.")
    with new_file(path.parent) as (new, file):
        yield file
        file.close()
        new.replace(path)


async def write(open_at: Opener, file: BinaryIO, max_bytes: int | None) -> Downloaded:
    """Write an attachment to `file`, from its current position on.

    After a broken connection it requests the rest, and keeps the earlier bytes only if the answer continues at the
    right byte and states the same size. If the answer is the whole content, or the size was unknown, it starts again.

    Raises:
        AnswerLost: the connection broke more than `LIMITS.resumptions` times.
        UnexpectedAnswer: the rest belongs to other content.
        ContentTooLarge: the content has more than `max_bytes`.
    """
    download = _Download(file, max_bytes)
    left = LIMITS.resumptions
    while True:
        try:
            async with open_at(*download.rest()) as content:
                return await download.take(content)
        except AnswerLost:
            # A request without any answer was already retried where that is useful.
            if not left or not download.begun:
                raise
            left -= 1


class _Download:
    """The progress of one download."""

    def __init__(self, file: BinaryIO, max_bytes: int | None) -> None:
        self._file = file
        self._start = file.tell()
        self._max_bytes = max_bytes
        self._size: int | None = None
        self._etag: str | None = None
        self._arrived = 0
        self.begun = False

    def rest(self) -> tuple[int, str | None]:
        """Return the offset of the next byte, and the ETag of the bytes before it."""
        return (0, None) if self._size is None else (self._arrived, self._etag)

    async def take(self, content: Content) -> Downloaded:
        """Write `content` up to its end."""
        if content.status == 206:
            self._check_same(content)
        else:
            if self._arrived:
                await to_thread.run_sync(self._start_over)
            self._size, self._etag, self.begun = content.size, content.etag, True
        self._check_fits(content.size or 0)
        try:
            async with aclosing(_in_large_pieces(content)) as large_pieces:
                async for pieces in large_pieces:
                    arrived = self._arrived + sum(map(len, pieces))
                    self._check_fits(arrived)
                    await to_thread.run_sync(write_all, self._file, b"".join(pieces))
                    self._arrived = arrived
        except AnswerLost:
            # All bytes arrived; only the end of the answer was lost.
            if self._arrived != self._size:
                raise
        if self._size not in (None, self._arrived):
            raise AnswerLost(f"Only {self._arrived:,} of {self._size:,} bytes of the content arrived")
        return Downloaded(self._arrived, content.content_type, content.charset, content.file_name)

    def _check_same(self, content: Content) -> None:
        other_etag = None not in (content.etag, self._etag) and content.etag != self._etag
        if content.size != self._size or other_etag:
            raise UnexpectedAnswer("RingCentral continued with different content", status=content.status)

    def _check_fits(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise ContentTooLarge(self._max_bytes, self._size)
        if self._size is not None and size > self._size:
            raise UnexpectedAnswer(f"More bytes arrived than the {self._size:,} that the content has")

    def _start_over(self) -> None:
        self._file.seek(self._start)
        self._file.truncate()
        self._arrived = 0


async def _in_large_pieces(content: Content) -> AsyncGenerator[list[bytes]]:
    """Yield the bytes in large pieces, also the last ones before the connection breaks."""
    pieces: list[bytes] = []
    held = 0
    try:
        async with aclosing(content.aiter_bytes()) as arriving:
            async for piece in arriving:
                pieces.append(piece)
                held += len(piece)
                if held >= LIMITS.write_bytes:
                    yield pieces
                    pieces, held = [], 0
    except AnswerLost:
        yield pieces
        raise
    if pieces:
        yield pieces
