"""Which senders and recipients a name or a number in a query means.

They are looked up among all distinct parties of the copy: thousands of times fewer than messages, so a scan is as quick
as an index of name fragments over messages, and finds one and two letters too.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator

from rc_mcp.mirror.folding import words
from rc_mcp.views.dialing import Number, dialed, north_american, with_country_codes

Contacts = Callable[[str], Iterable[str]]
"""Returns the numbers of all contacts whose name has this part."""

_SHORTEST_END = 3
_SHORTEST_NUMBER = 7
"""Fewer digits may be the end of a number, but not a number without its country code."""
_IS_NUMBER = re.compile(r"\+?[0-9]+")


def parties_of(db: sqlite3.Connection, value: str, contacts: Contacts, *, numbers_only: bool) -> set[int]:
    """Return the numbers of all parties that a value means.

    A name means those whose name has it as a part. A number means the same number however it is written, numbers that
    end with its digits if they are at least three, and the extension of these digits.
    """
    found = set(_with_number(db, value))
    if not numbers_only:
        folded = " ".join(words(value))
        found.update(n for (n,) in db.execute("SELECT number FROM party WHERE instr(folded, ?)", (folded,)))
        if not _IS_NUMBER.fullmatch(dialed(value).number):
            for number in contacts(value):
                found.update(_with_number(db, number))
    return found


def _with_number(db: sqlite3.Connection, value: str) -> Iterator[int]:
    asked = dialed(value)
    if not _IS_NUMBER.fullmatch(asked.number):
        return
    digits = asked.number.lstrip("+")
    end = digits[-_SHORTEST_NUMBER:].lstrip("0") or digits
    candidates = db.execute(
        "SELECT number, phone, extension FROM party WHERE extension = ? OR (digits LIKE ? AND digits != '')",
        (digits, f"%{end[-_SHORTEST_NUMBER:]}"),
    )
    for number, phone, extension in candidates.fetchall():
        if (extension == digits and asked.extension is None) or _is_meant(asked, dialed(phone), extension):
            yield number


def _is_meant(asked: Number, known: Number, extension: str) -> bool:
    """Return whether the known number is the asked one, or ends with its digits."""
    if not _IS_NUMBER.fullmatch(known.number):
        return False
    if asked.extension is not None and asked.extension not in {known.extension, extension}:
        return False
    whole = asked.number if asked.number.startswith("+") else north_american(asked.number)
    digits, there = asked.number.lstrip("+"), known.number.lstrip("+")
    if whole == known.number:
        return True
    if whole and not known.number.startswith("+") and len(there) >= _SHORTEST_NUMBER:
        return with_country_codes([whole, known.number])[known.number] == whole
    if asked.number.startswith("+"):
        return False
    local = digits.lstrip("0")  # without the zero dialed before an area code
    return (len(digits) >= _SHORTEST_END and there.endswith(digits)) or (
        len(local) >= _SHORTEST_NUMBER and there.endswith(local)
    )
