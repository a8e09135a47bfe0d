"""A contact of the address book, and what its readers have in common."""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rc_mcp.mirror.errors import MirrorError

MAX_BYTES = 32 * 1024 * 1024
"""Address books with pictures are large. 50,000 contacts without pictures take 10 MB."""
MAX_CONTACTS = 50_000
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class ContactsError(MirrorError):
    """The address book cannot be used. The text is for users and has nothing of the file but a line number."""


class Contact(NamedTuple):
    """A contact: its names, the one to show first, and its numbers as the file has them."""

    names: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass
class Entries:
    """The contacts of a file that have a name and a number.

    Attributes:
        unreadable: the lines at which entries begin that cannot be read. They are left out.
    """

    contacts: list[Contact] = field(default_factory=list[Contact])
    unreadable: list[int] = field(default_factory=list[int])

    def add(self, names: Iterable[str], numbers: Iterable[str], line: int) -> None:
        """Add a contact that begins in this line, unless it has no name or no number.

        Raises:
            ContactsError: the file has too many.
        """
        known = tuple(dict.fromkeys(plain for name in names if (plain := " ".join(name.split()))))
        dialed = tuple(dict.fromkeys(plain for number in numbers if (plain := number.strip())))
        if not known or not dialed:
            return
        if len(self.contacts) == MAX_CONTACTS:
            raise ContactsError(f"line {line:,}: it has more than {MAX_CONTACTS:,} contacts.")
        self.contacts.append(Contact(known, dialed))


def in_utf8(data: bytes) -> bytes:
    """Return the text in UTF-8 if a byte order mark says its encoding; otherwise unchanged."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace").encode()
    return data


def text_of(data: bytes) -> str:
    """Return the text: UTF-8, or that of Windows in Western Europe and America, in which old programs write files."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
