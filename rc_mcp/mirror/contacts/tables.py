"""CSV files with a line of headings: the exports of Google and Outlook, RingCentral's contacts, tables of one's own.

A column is known by the words of its heading, in the languages in which Outlook writes them most.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from rc_mcp.mirror.contacts.contact import ContactsError, Entries, in_utf8, text_of

_NAMES = {
    "whole": {
        *("name", "fullname", "displayname", "contactname", "formattedname", "fileas"),
        *("nomcomplet", "nombrecompleto"),
    },
    "given": {"firstname", "givenname", "forename", "first", "vorname", "prenom", "nombre", "nome", "primeironome"},
    "middle": {"middlename", "additionalname", "middle", "weiterevornamen", "segundonombre", "deuxiemeprenom"},
    "family": {
        *("lastname", "familyname", "surname", "last", "nachname", "nom"),
        *("apellido", "apellidos", "cognome", "sobrenome"),
    },
    "nick": {"nickname", "spitzname", "surnom", "apodo"},
    "company": {
        *("company", "companyname", "organization", "organizationname", "organization1name", "organisation", "firma"),
        *("societe", "entreprise", "empresa", "azienda"),
    },
}  # fmt: skip
"""Headings of names, without spaces and signs."""
_IS_NUMBER = re.compile(
    r"\b(?:tel|tele(?:ph|f)\w*|\w*(?:phone|telefon)s?|mobil\w*|movil\w*|cell?|cell?ul\w*|handy\w*|\w*fax\w*|pager"
    r"|callback|ext|extension|did|(?:direct|contact|business|work|home|other) numbers?)\b|^numbers?$"
    r"|^(?:home|work|business|other|primary)(?: \d)?$"
)
_IS_NO_NUMBER = re.compile(r"\b(?:label|type|typ|assist\w*|provider|carrier|country|id|mail)\b")
"""Such as `Phone 1 - Label`; an assistant is another person."""
_BETWEEN = re.compile(r":::|[\r\n]+|[;,/](?=\s*\+)")
"""Google writes several numbers as `+1 650 ... ::: +1 503 ...`."""
_DELIMITERS = ",;\t"
_MOST_OF_HEADINGS = 100_000


def read_table(data: bytes) -> Entries:
    """Return the contacts of a file.

    Raises:
        ContactsError: it is no such table, it is damaged, or it has too many contacts.
    """
    data = in_utf8(data)
    if b"\0" in data:
        raise ContactsError("it is neither a vCard file nor a table in CSV: it is not text.")
    text = text_of(data)
    for delimiter in _DELIMITERS:
        columns = _columns(_headings(text, delimiter))
        if "number" in columns and len(columns) > 1:
            return _entries(text, delimiter, columns)
    raise ContactsError(
        "line 1: it is neither a vCard file nor a table in CSV that begins with headings such as Name and Phone."
    )


def _headings(text: str, delimiter: str) -> list[str]:
    lines = io.StringIO(text[:_MOST_OF_HEADINGS], newline="")
    rows = csv.reader(lines, delimiter=delimiter)
    return next((cells for cells in rows if any(map(str.strip, cells))), list[str]())


def _entries(text: str, delimiter: str, columns: dict[str, list[int]]) -> Entries:
    found, width = Entries(), 0
    for line, cells in _rows(text, delimiter):
        if not width:
            width = len(cells)  # of the headings
            continue
        if any(cells[width:]):
            found.unreadable.append(line)  # a delimiter too many: numbers may be in other columns
            continue
        found.add(_names(cells, columns), _numbers(_of(cells, columns, "number")), line)
    return found


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, and the line in which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error:
        raise ContactsError(
            f"line {line:,}: the entry that begins here has an unclosed quotation mark, or a field that is too long."
        ) from None


def _columns(headings: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns by what they have."""
    found: dict[str, list[int]] = {}
    for n, heading in enumerate(headings):
        plain = _folded(heading)
        joined = plain.replace(" ", "")
        kind = next((kind for kind, known in _NAMES.items() if joined in known), None)
        if kind is None and _IS_NUMBER.search(plain) and not _IS_NO_NUMBER.search(plain):
            kind = "number"
        if kind:
            found.setdefault(kind, []).append(n)
    return found


def _folded(heading: str) -> str:
    """Return the words of a heading: `homePhone2` as `home phone 2`, `Téléphone (bureau)` as `telephone bureau`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", heading)
    letters = (c for c in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W\d_]+|\d+", "".join(letters).casefold()))


def _names(cells: Sequence[str], columns: dict[str, list[int]]) -> Iterator[str]:
    """Yield the name to show first. A company's name counts for a row without a person's."""
    whole = list(_of(cells, columns, "whole"))
    given, middle, family = (" ".join(_of(cells, columns, kind)) for kind in ("given", "middle", "family"))
    yield from (*whole, f"{given} {middle} {family}")
    if given and middle:
        yield f"{given} {family}"
    yield from _of(cells, columns, "nick")
    if not "".join([*whole, given, middle, family]).strip():
        yield from _of(cells, columns, "company")


def _numbers(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        # Tables are saved with ="+1650..." or '+1650... so that a spreadsheet keeps the plus.
        yield from (number.strip("=\"' ") for number in _BETWEEN.split(value))


def _of(cells: Sequence[str], columns: dict[str, list[int]], kind: str) -> Iterator[str]:
    return (cells[n] for n in columns.get(kind, []) if n < len(cells) and cells[n].strip())
