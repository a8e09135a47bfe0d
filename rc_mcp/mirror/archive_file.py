"""One zip file of a Message Store Export: what it may have, checked before anything of it is used.

RingCentral's guide ("Message Store Exports", developers.ringcentral.com) shows the names in such files: an
archive 0 has `account/ID/extension/ID/message-store.json`, the messages of each extension; the archives from 1 on, of
up to 1 GB each, have `account/ID/extension/ID/message-store/ID/content/ID.wav`, the attachments. The guide's text has
`message-store/content/ID` instead of its picture's `message-store/ID/content/ID.wav`; both are read. It does not show
a `message-store.json`: that it has the records of the API's lists is our assumption.

A name is never used as a path: it is compared with these forms, of which only the ids are used.
"""

import errno
import io
import re
import struct
import zlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from rc_mcp.mirror.errors import NotAnArchive
from rc_mcp.mirror.json_records import NotRecords, records_of

MAX_RATIO = 200
"""Ours: how many times its size a file may have unpacked. Messages as JSON have 10 to 30 times."""
MAX_DIRECTORY_BYTES = 32 * 1024 * 1024
"""Ours: the list of a zip file's entries is read whole. This is enough for some 250,000 attachments of 1 GB."""
_ENCRYPTED = 1
_METHODS = {ZIP_STORED, ZIP_DEFLATED}
"""Others take memory that the file itself decides on."""

_OF_EXTENSION = r"/?account/(?P<account>[0-9]{1,20})/extension/(?P<extension>[0-9]{1,20})/message-store"
_RECORDS = re.compile(rf"{_OF_EXTENSION}\.json")
_CONTENT = re.compile(
    rf"{_OF_EXTENSION}/(?:(?P<message>[0-9]{{1,20}})/content|content/(?P<other>[0-9]{{1,20}}))"
    r"/(?P<attachment>[0-9]{1,20})(?:\.[A-Za-z0-9]{1,10})?"
)

Owner = tuple[str, str]
"""The ids of an account and an extension."""

_DAMAGED = (BadZipFile, EOFError, LookupError, OverflowError, RuntimeError, ValueError, struct.error, zlib.error)
"""Errors that `zipfile` raises for damaged files."""


class Records(NamedTuple):
    """The file with the messages of an extension."""

    owner: Owner
    info: ZipInfo


class Content(NamedTuple):
    """The file of an attachment."""

    owner: Owner
    message_id: str
    attachment_id: str
    info: ZipInfo


class ArchiveFile:
    """An open zip file. Close it, or use it as a context manager.

    Attributes:
        records, contents: its entries that are a message store's, in the order of the file.
        unknown: how many other files it has.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and check the list of its entries.

        Raises:
            NotAnArchive: it is not such a zip file, or is damaged, encrypted, or made to fill the memory.
            OSError: the file cannot be read.
        """
        self.path = path
        self._file = _Bounded(io.FileIO(path))
        try:
            with self.readable():
                self._zip = ZipFile(self._file)
                self._sort(self._zip.infolist())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    def messages(self, records: Records) -> Generator[object]:
        """Yield the messages of an extension as they are in the file.

        Raises:
            NotAnArchive: they are not JSON, or the entry is damaged.
        """
        with self.readable(), self._zip.open(records.info) as entry:
            try:
                yield from records_of(entry)
            except NotRecords as error:
                raise self.refusal(f"Its {records.info.filename} cannot be read: {error}.") from error

    @contextmanager
    def content(self, content: Content) -> Generator[IO[bytes]]:
        """Open an attachment.

        Raises:
            NotAnArchive: the entry is damaged.
        """
        with self.readable(), self._zip.open(content.info) as entry:
            yield entry

    @contextmanager
    def readable(self) -> Generator[None]:
        """Turn the errors of a damaged zip file into ours."""
        try:
            yield
        except (*_DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a place before the file's beginning
                raise
            raise self.refusal("It is not a zip file, or it is damaged or cut off.") from error

    def refusal(self, reason: str) -> NotAnArchive:
        return NotAnArchive(f"{reason} Nothing was imported.", self.path)

    def _sort(self, infos: Iterable[ZipInfo]) -> None:
        self.records: list[Records] = []
        self.contents: list[Content] = []
        self.unknown = 0
        files = [info for info in infos if not info.is_dir()]
        if any(info.flag_bits & _ENCRYPTED for info in files):
            raise self.refusal("It is encrypted. Unpack it and pack it again without a password.")
        for info in files:
            if found := _RECORDS.fullmatch(info.filename):
                self.records.append(Records((found["account"], found["extension"]), info))
            elif found := _CONTENT.fullmatch(info.filename):
                owner = found["account"], found["extension"]
                self.contents.append(Content(owner, found["message"] or found["other"], found["attachment"], info))
            else:
                self.unknown += 1
        self._check()

    def _check(self) -> None:
        if not self.records and not self.contents:
            raise self.refusal("It has no messages and no attachments of RingCentral's Message Store.")
        owners = [records.owner for records in self.records]
        contents = [content[:3] for content in self.contents]
        if len({*owners}) < len(owners) or len({*contents}) < len(contents):
            raise self.refusal("It has two files of the same name.")
        infos = [entry.info for entry in (*self.records, *self.contents)]
        if any(info.compress_type not in _METHODS for info in infos):
            raise self.refusal("It is packed in a way that RingCentral does not use.")
        if sum(info.file_size for info in infos) > MAX_RATIO * self.path.stat().st_size:
            raise self.refusal(f"Unpacked it would have more than {MAX_RATIO} times its size.")


class _Bounded(io.BufferedReader):
    """A file of which only so much is read at once: `zipfile` reads the list of entries whole."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise BadZipFile("the list of entries is too long")
        return super().read(size)
