"""Fetches attachments into open files, so that their bytes need not fit in memory."""

import io
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from anyio import from_thread, to_thread
from mcp.server.mcpserver.exceptions import ToolError

from rc_mcp.media.kinds import HEAD_BYTES, labelled, true_kind
from rc_mcp.media.plain_text import charset_of, part_of
from rc_mcp.media.reading import Progress
from rc_mcp.ringcentral import MessageStoreClient
from rc_mcp.views.messages import attachment_uri

_REPORT_EVERY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class AttachmentRef:
    """The address of an attachment."""

    account_id: str
    extension_id: str
    message_id: str
    attachment_id: str

    @property
    def uri(self) -> str:
        return attachment_uri(self.account_id, self.extension_id, self.message_id, self.attachment_id)


@dataclass(frozen=True)
class Fetched:
    """An attachment in an open file, with its detected type."""

    file: BinaryIO
    size: int
    kind: str
    label: str
    charset: str | None
    """Python's name of the charset; None if we cannot decode it."""


@asynccontextmanager
async def fetch(
    client: MessageStoreClient,
    place: AttachmentRef,
    *,
    max_bytes: int,
    progress: Progress,
    size: int | None = None,
    file: BinaryIO | None = None,
) -> AsyncGenerator[Fetched]:
    """Yield an attachment in this open file, or in an unnamed one that is removed when the block ends.

    Raises:
        ContentTooLarge: the attachment has more than `max_bytes`.
        RingCentralError: RingCentral did not return it.
        OSError: `file` cannot be written.
        ToolError: the unnamed file cannot be written.
    """
    with ExitStack() as held:
        with nullcontext() if file else _naming_temporary_folder():
            file = file or held.enter_context(tempfile.TemporaryFile(buffering=0))
            downloaded = await client.download(
                place.message_id,
                place.attachment_id,
                _ReportingFile(file.fileno(), progress, size),
                max_bytes=max_bytes,
                account_id=place.account_id,
                extension_id=place.extension_id,
            )
            head = await to_thread.run_sync(part_of, file, 0, HEAD_BYTES)
        label = labelled(downloaded.content_type)
        charset = charset_of(head, downloaded.charset)
        yield Fetched(file, downloaded.size, true_kind(head, label, charset), label, charset)


async def read_all(found: Fetched) -> bytes:
    """Return all bytes of an attachment."""
    return await to_thread.run_sync(part_of, found.file, 0, found.size)


@contextmanager
def _naming_temporary_folder() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ToolError(
            f"The temporary folder (TMPDIR) cannot be used: {error.strerror}. The operator must fix it. "
            "Nothing was read."
        ) from None


class _ReportingFile(io.FileIO):
    """A file that reports write progress from the writing thread to the event loop."""

    def __init__(self, descriptor: int, progress: Progress, size: int | None) -> None:
        super().__init__(descriptor, "r+", closefd=False)
        self._progress = progress
        self._size = size
        self._reported = 0

    def write(self, data: bytes | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        written_bytes = super().write(data)
        at = self.tell()
        if at - self._reported >= _REPORT_EVERY_BYTES:
            self._reported = at
            from_thread.run(self._progress, float(at), self._size, "bytes")
        return written_bytes
