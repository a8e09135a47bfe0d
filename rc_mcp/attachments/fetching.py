"""Fetches attachments into open files, so that their bytes need not fit in memory."""

import io
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
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
    descriptor: int | None = None,
) -> AsyncGenerator[Fetched]:
    """Yield an attachment in an open file: the one of `descriptor`, or an unnamed one, removed when the block ends.

    Raises:
        ContentTooLarge: the attachment has more than `max_bytes`.
        RingCentralError: RingCentral did not return it.
        OSError: the file of `descriptor` cannot be written.
        ToolError: the unnamed file cannot be written.
    """
    fault_named = _naming_temporary_folder if descriptor is None else nullcontext
    with _own(descriptor) as own, _ReportingFile(own, progress, size, fault_named) as file:
        downloaded = await client.download(
            place.message_id,
            place.attachment_id,
            file,
            max_bytes=max_bytes,
            account_id=place.account_id,
            extension_id=place.extension_id,
        )
        label = labelled(downloaded.content_type)
        head = await to_thread.run_sync(part_of, file, 0, HEAD_BYTES)
        charset = charset_of(head, downloaded.charset)
        yield Fetched(file, downloaded.size, true_kind(head, label, charset), label, charset)


async def read_all(found: Fetched) -> bytes:
    """Return all bytes of an attachment."""
    return await to_thread.run_sync(part_of, found.file, 0, found.size)


@contextmanager
def _own(descriptor: int | None) -> Generator[int]:
    """Yield a copy of the descriptor, or one of a new unnamed file. The caller closes it."""
    if descriptor is not None:
        yield os.dup(descriptor)
        return
    with ExitStack() as held:
        with _naming_temporary_folder():
            unnamed = held.enter_context(tempfile.TemporaryFile(buffering=0))
        yield os.dup(unnamed.fileno())


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

    def __init__(
        self,
        descriptor: int,
        progress: Progress,
        size: int | None,
        fault_named: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__(descriptor, "r+")
        self._fault_named = fault_named
        self._progress = progress
        self._size = size
        self._reported = 0

    def write(self, data: bytes | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        with self._fault_named():
            written_bytes = super().write(data)
        at = self.tell()
        if at - self._reported >= _REPORT_EVERY_BYTES:
            self._reported = at
            from_thread.run(self._progress, float(at), self._size, "bytes")
        return written_bytes
