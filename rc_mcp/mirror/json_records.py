"""The records of a JSON file, one at a time: an account's messages are too many for memory.

No library is used. `ijson` 3.6, the best known, is faster, but its C part reads half of an emoji as a question mark, or
refuses it, refuses numbers of more than 64 bits, and takes memory for every bracket that is opened. Here each value is
read as the standard library reads it, and has a limit.
"""

import codecs
import json
import re
from collections.abc import Generator
from typing import IO

MAX_VALUE_CHARS = 4 * 1024 * 1024
"""Ours: how long a record may be. RingCentral's are of some kilobytes."""
_PIECE_BYTES = 256 * 1024
_SPACE = re.compile(r"[ \t\n\r]*")


class NotRecords(ValueError):  # noqa: N818  what the file is, as the copy's errors say
    """The file is not JSON in UTF-8, or has no list of records. The text is for users, and has nothing of the file."""


def records_of(file: IO[bytes]) -> Generator[object]:
    """Yield the values of the list `records` of an object, or of the list that the file is.

    Memory holds one record and a piece of the file.

    Raises:
        NotRecords: the file is something else, or it is damaged.
    """
    values = _Values(file)
    match values.next_sign():
        case "[":
            yield from values.items()
        case "{":
            yield from _records_in_object(values)
        case _:
            raise NotRecords("it is not a list of records in JSON")
    if values.next_sign():
        raise NotRecords("it does not end after its list of records")


def _records_in_object(values: "_Values") -> Generator[object]:
    found = False
    values.take("{")
    is_empty = values.next_sign() == "}"
    while not is_empty:
        name = values.name()
        if name == "records" and values.next_sign() == "[":
            if found:
                raise NotRecords("it has two lists of records")
            found = True
            yield from values.items()
        else:
            values.value(",}")
        if values.next_sign() == "}":
            break
        values.take(",")
    values.take("}")
    if not found:
        raise NotRecords("it has no list of records")


class _Values:
    """The values of a JSON text, which is read in pieces."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._read_value = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._is_all = False

    def next_sign(self) -> str:
        """Return the next character that is no space, without taking it; nothing at the end."""
        while True:
            self._at = _end_of_space(self._text, self._at)
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, sign: str) -> None:
        if self.next_sign() != sign:
            raise self._broken()
        self._at += 1

    def items(self) -> Generator[object]:
        """Take a list, and yield its values."""
        self.take("[")
        if self.next_sign() == "]":
            self.take("]")
            return
        while True:
            yield self.value(",]")
            if self.next_sign() == "]":
                self.take("]")
                return
            self.take(",")

    def name(self) -> object:
        """Take the name of a field."""
        if self.next_sign() != '"':
            raise self._broken()
        name = self.value(":")
        self.take(":")
        return name

    def value(self, ends: str) -> object:
        """Take a value, after which one of these characters must come: a number may go on in the next piece."""
        self.next_sign()
        while True:
            try:
                value, end = self._read_value(self._text, self._at)
            except (ValueError, RecursionError):
                end = len(self._text)
                value = None
            following = _end_of_space(self._text, end)
            if self._text[following : following + 1] in tuple(ends):
                self._at = following
                return value
            if len(self._text) - self._at > MAX_VALUE_CHARS:
                raise NotRecords("one of its records is damaged or too long")
            if not self._more():
                raise self._broken()

    def _more(self) -> bool:
        """Read the next piece. Return False at the end."""
        if self._is_all:
            return False
        piece = self._file.read(_PIECE_BYTES)
        self._is_all = not piece
        try:
            decoded = self._decode.decode(piece, self._is_all)
        except UnicodeDecodeError:
            raise NotRecords("it is not in UTF-8") from None
        self._text = self._text[self._at :] + decoded
        self._at = 0
        return not self._is_all

    def _broken(self) -> NotRecords:
        return NotRecords("its JSON is damaged, or cut off" if self._is_all else "its JSON is damaged")


def _end_of_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start
