"""Charsets and parts of plain texts."""

import codecs
import re
from typing import BinaryIO

from rc_mcp.media.document_limits import LIMITS

_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
"""Byte order marks of Unicode texts."""
_CHARSET_NAME = re.compile("[a-z0-9][a-z0-9_.:-]{0,39}")
_CHARSETS = re.compile(
    "utf-(8|16-[bl]e|32-[bl]e)|iso8859-[0-9]{1,2}|cp(125[0-8]|437|85[02]|866|874|932|949|950)|koi8-[ru]|mac-roman"
    "|tis-620|shift_jis|euc_(jp|kr)|iso2022_(jp|jp_1|jp_2|kr)|gb2312|gbk|gb18030|hz|big5(hkscs)?"
)
"""Accepted codecs, by Python's names. Others, such as `zip`, `idna` and `unicode_escape`, are not charsets."""
_SHORT = {"ascii": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""Other names; without a byte order mark, the usual byte order."""


def charset_of(head: bytes, label: str | None) -> str | None:
    """Return the codec name by the first bytes, or otherwise by the label; None if we cannot decode it."""
    if mark := next((charset for mark, charset in _MARKS if head.startswith(mark)), None):
        return mark
    name = (label or "utf-8").lower().removeprefix("x-")
    if not _CHARSET_NAME.fullmatch(name):
        return None
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return None
    codec = _SHORT.get(codec, codec)
    return codec if _CHARSETS.fullmatch(codec) else None


def parts_of_text(size: int) -> int:
    """Return how many parts a plain text of `size` bytes has."""
    return max(1, -(-size // LIMITS.text_part_bytes))


def text_part(file: BinaryIO, size: int, number: int, charset: str) -> str:
    """Return part `number`, from 1, of a plain text. A character on the boundary belongs to the next part.

    Decoding starts at the beginning of the file, because in some charsets a byte depends on the bytes before it.
    """
    decoder = codecs.getincrementaldecoder(charset)("replace")
    for before in range(number - 1):
        decoder.decode(part_of(file, before * LIMITS.text_part_bytes, LIMITS.text_part_bytes))
    data = part_of(file, (number - 1) * LIMITS.text_part_bytes, LIMITS.text_part_bytes)
    return decoder.decode(data, number >= parts_of_text(size))


def part_of(file: BinaryIO, start: int, size: int) -> bytes:
    """Return up to `size` bytes of a file from `start`."""
    file.seek(start)
    data = bytearray()
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return bytes(data)
