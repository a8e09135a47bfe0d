"""A plain text: the charset it is in, and its parts."""

import codecs
import re
from typing import BinaryIO

from rc_mcp.media.limits import LIMITS

_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
"""How a text in Unicode may begin."""
_CHARSET_NAME = re.compile("[a-z0-9][a-z0-9_.:-]{0,39}")
_CHARSETS = re.compile(
    "utf-(8|16-[bl]e|32-[bl]e)|iso8859-[0-9]{1,2}|cp(125[0-8]|437|85[02]|866|874|932|949|950)|koi8-[ru]|mac-roman"
    "|tis-620|shift_jis|euc_(jp|kr)|iso2022_(jp|jp_1|jp_2|kr)|gb2312|gbk|gb18030|hz|big5(hkscs)?"
)
"""By Python's names. It knows other codecs that make no texts, or change them: `zip`, `idna`, `unicode_escape`."""
_SHORT = {"ascii": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""What else they are called; without a mark, the usual order of bytes."""


def charset_of(head: bytes, label: str | None) -> str | None:
    """By Python's name: what the text's first bytes say, else what its label says; None when we cannot decode that."""
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
    """How many parts a plain text of so many bytes has."""
    return max(1, -(-size // LIMITS.text_part_bytes))


def text_part(file: BinaryIO, size: int, number: int, charset: str) -> str:
    """A part of a plain text of `size` bytes, from 1. A letter that lies on its end comes with the next.

    It is read from the beginning on: in some charsets a byte means what those before it say.
    """
    decoder = codecs.getincrementaldecoder(charset)("replace")
    for before in range(number - 1):
        decoder.decode(part_of(file, before * LIMITS.text_part_bytes, LIMITS.text_part_bytes))
    data = part_of(file, (number - 1) * LIMITS.text_part_bytes, LIMITS.text_part_bytes)
    return decoder.decode(data, number >= parts_of_text(size))


def part_of(file: BinaryIO, start: int, size: int) -> bytes:
    """So many of a file's bytes, or those there are."""
    file.seek(start)
    data = bytearray()
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return bytes(data)
