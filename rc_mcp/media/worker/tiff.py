"""The directories of a TIFF file, each a page (TIFF 6.0, "Image File Directory"; BigTIFF has wider numbers).

Pillow walks them too, but it ends at the first one that it does not understand. Here a page can be damaged, or be
compressed in a way that Pillow does not know, and the pages around it are still read.
"""

import struct
from dataclasses import dataclass
from typing import Any

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.worker.page import PageError

_IMAGE_WIDTH, _COMPRESSION, _STRIP_OFFSETS, _STRIP_BYTES = 256, 259, 273, 279
_TILE_OFFSETS, _TILE_BYTES = 324, 325
_DECODERS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946}
"""Compressions that every Pillow reads: none, fax, LZW, JPEG, deflate, PackBits. JBIG (9, 10, 34661) is another."""
_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""Types of numbers in a directory: BYTE, SHORT, LONG and BigTIFF's LONG8."""


@dataclass(frozen=True)
class _Page:
    """The place of a page's directory in the file, and its numbers by tag."""

    offset: int
    tags: dict[int, tuple[int, ...]]


class Tiff:
    """A TIFF file in memory.

    Attributes:
        pages: the pages, up to the first directory that cannot be read: later ones are found only through it.
        or_more: there are more pages than that, or may be.

    Raises:
        PageError: there is no page.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        self._is_big = data[2:4] in {b"+\0", b"\0+"}
        self.pages: list[_Page] = []
        self.or_more = self._walk()
        if not self.pages:
            raise PageError("damaged")

    def only(self, number: int) -> bytes:
        """Return the file with this page as the first one, and with zeros for data that is cut off."""
        page = self.pages[number - 1]
        start, form = (8, "Q") if self._is_big else (4, "I")
        offset = struct.pack(self._order + form, page.offset)
        missing = min(max(0, self._end(page) - len(self._data)), LIMITS.document_bytes)
        return b"".join([self._data[:start], offset, self._data[start + len(offset) :], bytes(missing)])

    def is_cut(self, number: int) -> bool:
        """Return whether the file ends before the data of this page."""
        return self._end(self.pages[number - 1]) > len(self._data)

    def has_decoder(self, number: int) -> bool:
        """Return whether Pillow can read the compression of this page."""
        return self.pages[number - 1].tags.get(_COMPRESSION, (1,))[0] in _DECODERS

    def _end(self, page: _Page) -> int:
        return max(
            (
                offset + size
                for offsets, sizes in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES))
                for offset, size in zip(page.tags.get(offsets, ()), page.tags.get(sizes, ()), strict=False)
            ),
            default=0,
        )

    def _walk(self) -> bool:
        """Collect the pages; return whether there may be more. A file can claim a million, or link them in a circle."""
        seen: set[int] = set()
        try:
            (following,) = self._unpack("Q" if self._is_big else "I", 8 if self._is_big else 4)
            while following and following not in seen:
                if len(self.pages) == LIMITS.counted_pages:
                    return True
                seen.add(following)
                page, following = self._directory(following)
                if _IMAGE_WIDTH not in page.tags:
                    return True
                self.pages.append(page)
        except struct.error:
            return True
        return False

    def _directory(self, offset: int) -> tuple[_Page, int]:
        """Return the page at this place, and the place of the next one.

        Raises:
            struct.error: the file ends before.
        """
        count_form, entry_form, next_form = ("Q", "HHQ8s", "Q") if self._is_big else ("H", "HHI4s", "I")
        (count,) = self._unpack(count_form, offset)
        start = offset + struct.calcsize(self._order + count_form)
        size = struct.calcsize(self._order + entry_form)
        (following,) = self._unpack(next_form, start + count * size)
        entries = (self._unpack(entry_form, start + n * size) for n in range(count))
        tags = {tag: self._numbers(kind, number, value) for tag, kind, number, value in entries if kind in _NUMBERS}
        return _Page(offset, tags), following

    def _numbers(self, kind: int, count: int, value: bytes) -> tuple[int, ...]:
        form = f"{count}{_NUMBERS[kind]}"
        try:
            if struct.calcsize(self._order + form) <= len(value):
                return struct.unpack_from(self._order + form, value)
            (offset,) = struct.unpack(self._order + ("Q" if self._is_big else "I"), value)
            return self._unpack(form, offset)
        except (struct.error, OverflowError):
            return ()

    def _unpack(self, form: str, offset: int) -> tuple[Any, ...]:
        if offset > len(self._data):
            raise struct.error("the file ends before")
        return struct.unpack_from(self._order + form, self._data, offset)
