"""The address book: who has a number, and which numbers a name means. The file is read again when it changes."""

import logging
import stat
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

from rc_mcp.mirror.contacts.contact import MAX_BYTES, Contact, ContactsError, Entries
from rc_mcp.mirror.contacts.tables import read_table
from rc_mcp.mirror.contacts.vcards import is_vcard, read_vcards
from rc_mcp.mirror.folding import BREAK, words
from rc_mcp.views.dialing import Number, dialed

_log = logging.getLogger(__name__)

END_DIGITS = 7
"""Numbers that may be the same end with the same digits, so many."""
_LINES_NAMED = 5

_Version = tuple[int, int, int]
"""The inode, the size and the time of the last change of a file."""


class Contacts:
    """The contacts of an address book at one time. A contact is known by its place in the file."""

    def __init__(self, contacts: Sequence[Contact]) -> None:
        self._contacts = contacts
        self._folded = [f" {BREAK} ".join(" ".join(words(name)) for name in contact.names) for contact in contacts]
        self._by_end: dict[str, list[tuple[Number, int]]] = defaultdict(list)
        for n, contact in enumerate(contacts):
            for number in {dialed(text) for text in contact.numbers}:
                if number.number.lstrip("+").isdecimal():
                    self._by_end[end_of(number.number)].append((number, n))

    def __len__(self) -> int:
        return len(self._contacts)

    def named(self, folded: str) -> set[int]:
        """Return the contacts with a name that has this part, which is folded as names are."""
        return {n for n, name in enumerate(self._folded) if folded in name}

    def name(self, contact: int) -> str:
        """Return the name to show: untrusted, not cleaned."""
        return self._contacts[contact].names[0]

    def numbers(self, contacts: Iterable[int]) -> set[Number]:
        """Return all numbers of these contacts."""
        return {dialed(text) for n in contacts for text in self._contacts[n].numbers}

    def with_end(self, end: str) -> list[tuple[Number, int]]:
        """Return the numbers that end so, as `end_of` returns it, and whose they are."""
        return self._by_end.get(end, [])


NO_CONTACTS = Contacts(())


class AddressBook:
    """The file of RC_MCP_CONTACTS.

    Attributes:
        fault: what is wrong with the file as it was read last; None if all of it is used. The text has nothing of the
            file but line numbers.
    """

    fault: str | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._version: _Version | None = None
        self._contacts = NO_CONTACTS

    def contacts(self) -> Contacts:
        """Return the contacts of the file as it is now. It is read again only if it changed.

        A file that cannot be used counts as empty. The log says so, once for each change of the file.
        """
        with self._lock:
            version = _version(self._path)
            if version is None or version != self._version:
                self._version = version
                self._read()
            return self._contacts

    def _read(self) -> None:
        self._contacts = NO_CONTACTS
        try:
            entries = read_contacts(self._path)
        except ContactsError as error:
            self._note(f"RC_MCP_CONTACTS is not used: {error}")
            return
        self._contacts = Contacts(entries.contacts)
        self._note(left_out(entries))

    def _note(self, fault: str | None) -> None:
        if fault and fault != self.fault:
            _log.warning("%s", fault)
        self.fault = fault


def read_contacts(path: Path) -> Entries:
    """Return the contacts of a vCard file or a table in CSV.

    Raises:
        ContactsError: the file cannot be used.
    """
    try:
        if not path.is_file():
            raise ContactsError("there is no such file.")  # a pipe would be waited for
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ContactsError(f"the file cannot be read ({type(error).__name__}).") from None
    if len(data) > MAX_BYTES:
        line = data.count(b"\n")
        raise ContactsError(
            f"line {line:,}: the file has more than {MAX_BYTES // 2**20} MB up to here. Export it without pictures."
        )
    return read_vcards(data) if is_vcard(data) else read_table(data)


def left_out(entries: Entries) -> str | None:
    """Return a sentence about entries that cannot be read; None if there are none."""
    if not entries.unreadable:
        return None
    lines = ", ".join(f"{line:,}" for line in entries.unreadable[:_LINES_NAMED])
    n = len(entries.unreadable)
    lines += ", ..." if n > _LINES_NAMED else ""
    counted = "1 entry that cannot be read is" if n == 1 else f"{n:,} entries that cannot be read are"
    return f"RC_MCP_CONTACTS: {counted} left out (from line {lines})."


def end_of(number: str) -> str:
    """Return the last digits, which all spellings of a number share."""
    return number[-END_DIGITS:]


def _version(path: Path) -> _Version | None:
    """Return what changes with the file; None if there is no file."""
    try:
        there = path.stat()
    except OSError:
        return None
    return (there.st_ino, there.st_size, there.st_mtime_ns) if stat.S_ISREG(there.st_mode) else None
