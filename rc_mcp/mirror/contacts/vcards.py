"""vCard files: 2.1 (old phones, Outlook), 3.0 (Apple, Google) and 4.0 (RFC 6350), also mixed in one file.

No library reads them here. `vobject`, the usual one, decodes every property, so one damaged picture or one unknown
character set loses the whole address book; it cannot say in which line; and it brings pytz and six. Only names and
numbers are needed, and those are five properties.
"""

import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote

from rc_mcp.mirror.contacts.contact import Entries, in_utf8, text_of

_PROPERTY = re.compile(rb'(?:[\w-]+\.)?([\w-]+)((?:;(?:[^":;]|"[^"]*")*)*):(.*)', re.DOTALL)
"""`item1.TEL;TYPE="work,voice":+1 650 ...`: without its group, the name, the parameters, the value."""
_PARAMETER = re.compile(rb';((?:[^":;]|"[^"]*")*)')
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_BEGINS = re.compile(rb"BEGIN\s*:\s*VCARD\s*", re.IGNORECASE)
_ENDS = re.compile(rb"END\s*:\s*VCARD\s*", re.IGNORECASE)
_FIRST_LINE = re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN\s*:", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PART = re.compile(r"(?<!\\);")
_READ = {"FN", "N", "NICKNAME", "ORG", "TEL"}
_MOST_BYTES = 10_000
"""Of a name or a number."""


@dataclass
class _Card:
    line: int
    fields: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    is_readable: bool = True

    def names(self) -> Iterator[str]:
        """Yield the name to show first. A company's name counts for a card without a person's."""
        parts = [_listed(part) for part in _PART.split(self._first("N"))]
        family, given, more = (*parts, "", "", "")[:3]
        shown = [*map(_plain, self.fields.get("FN", [])), f"{given} {more} {family}"]
        yield from shown
        if given and more:
            yield f"{given} {family}"
        yield from (_listed(name) for name in self.fields.get("NICKNAME", []))
        if not "".join(shown).strip():
            yield _plain(_PART.split(self._first("ORG"))[0])

    def numbers(self) -> Iterator[str]:
        yield from map(_number, self.fields.get("TEL", []))

    def _first(self, name: str) -> str:
        return next(iter(self.fields.get(name, [])), "")


def is_vcard(data: bytes) -> bool:
    """Return whether a file begins like a vCard."""
    return bool(_FIRST_LINE.match(in_utf8(data[:1_000])))


def read_vcards(data: bytes) -> Entries:
    """Return the contacts of a file.

    Raises:
        ContactsError: it has too many.
    """
    found = Entries()
    open_cards: list[_Card] = []  # a card may have another inside, as its AGENT
    for number, line in _logical_lines(in_utf8(data)):
        if _BEGINS.fullmatch(line):
            open_cards.append(_Card(number))
        elif not open_cards:
            found.unreadable.append(number)
        elif _ENDS.fullmatch(line):
            card = open_cards.pop()
            if card.is_readable:
                found.add(card.names(), card.numbers(), card.line)
            else:
                found.unreadable.append(card.line)
        else:
            _read(line, open_cards[-1])
    # What a card without an end would have said is unknown.
    found.unreadable += [card.line for card in open_cards]
    found.unreadable.sort()
    return found


def _logical_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank with the lines that continue it, and its number."""
    number, parts = 0, list[bytes]()
    is_old = is_quoted = is_base64 = False
    for n, line in enumerate(re.split(rb"\r\n|\n|\r", data), 1):
        if line[:1] in {b" ", b"\t"} and parts:
            # In 2.1 the space is a part of the value.
            parts.append(line if is_old else line[1:])
        elif is_quoted and parts[-1].endswith(b"=") and not _ENDS.fullmatch(line):
            parts[-1] = parts[-1][:-1]
            parts.append(line)
        elif is_base64 and _BASE64_LINE.fullmatch(line):
            parts.append(line)
        else:
            if parts:
                yield number, b"".join(parts).strip()
            number, parts = n, [line] if line.strip() else []
            if line.upper().startswith(b"VERSION:"):
                is_old = line[8:9] == b"2"
            found = _PROPERTY.fullmatch(line)
            is_quoted = bool(found) and "QUOTED-PRINTABLE" in _parameters(found[2])
            is_base64 = bool(found) and bool(_parameters(found[2]) & {"BASE64", "B"})
    if parts:
        yield number, b"".join(parts).strip()


def _read(line: bytes, card: _Card) -> None:
    """Add a property to its card."""
    found = _PROPERTY.fullmatch(line)
    name = found[1].decode("ascii", "replace").upper() if found else ""
    if found and name not in _READ:
        return
    if not found or len(found[3]) > _MOST_BYTES:
        card.is_readable = False
        return
    try:
        card.fields.setdefault(name, []).append(_value(found[3], _parameters(found[2])))
    except (LookupError, UnicodeError, binascii.Error):
        card.is_readable = False


def _value(value: bytes, parameters: frozenset[str]) -> str:
    if "QUOTED-PRINTABLE" in parameters:
        value = quopri.decodestring(value)
    elif parameters & {"BASE64", "B"}:
        value = binascii.a2b_base64(re.sub(rb"\s", b"", value))
    charset = next((each.removeprefix("CHARSET=") for each in parameters if each.startswith("CHARSET=")), None)
    return value.decode(charset) if charset else text_of(value)


@lru_cache(256)  # most lines of a file have the same few
def _parameters(text: bytes) -> frozenset[str]:
    """Return the parameters in capital letters, encodings without `ENCODING=`: version 2.1 leaves that out."""
    written = {each.decode("ascii", "replace").upper() for each in _PARAMETER.findall(text)}
    return frozenset(each.removeprefix("ENCODING=").replace('"', "") for each in written)


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value)


def _listed(value: str) -> str:
    """Return the names of a list, `Mary,Jane`, with spaces between them."""
    return _plain(re.sub(r"(?<!\\),", " ", value))


def _number(value: str) -> str:
    """Return a number as people write it; version 4.0 has `tel:+1-650-555-0100;ext=102` (RFC 3966)."""
    plain = _plain(value).strip()
    if not plain.lower().startswith("tel:"):
        return plain
    number, *parameters = unquote(plain[len("tel:") :]).split(";")
    given = {name.lower(): value for name, _, value in (each.partition("=") for each in parameters)}
    context = given.get("phone-context", "")
    whole = f"{context} {number}" if context.startswith("+") and not number.startswith("+") else number
    return f"{whole} ext. {given['ext']}" if given.get("ext") else whole
