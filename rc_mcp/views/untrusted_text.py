"""Untrusted text made safe to display: no control, bidi or meaningless invisible characters, and a bounded length.

Cleaned text cannot break a terminal, a table or a question. It is still not trustworthy: it goes only into fields
named `untrusted...`, never into the server's own sentences.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from rich.cells import cell_len

from rc_mcp.ringcentral import Caller, Message
from rc_mcp.views.joiners import JOINERS, only_needed_joiners, without_joiners
from rc_mcp.views.tokens import NO_END, clip

# Default-ignorable code points that Unicode does not class as format characters: fillers, variation selectors.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0000-\U000e0fff]"
)
# Characters that could pass for a closing quotation mark.
_QUOTES = re.compile(
    '["\u00ab\u00bb\u02ba\u02ee\u030b\u201c-\u201f\u2033-\u2037\u2039\u203a\u275d-\u2760\u2e42\u3003\u300c-\u300f\u301d-\u301f\uff02]'
)
_MARKS = 4
"""Combining marks kept per letter; Burmese needs this many. More would grow over the lines above and below."""
_MARKS_IN_QUESTION = 2
"""Combining marks kept per letter between the server's own lines, which must stay readable."""
# Other line ends that `str.splitlines` accepts. A carriage return without a line feed would overwrite the line.
_OTHER_BREAK = re.compile("\r(?!\n)|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_PLAIN = re.compile(r"[\t\r\n -~]*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+;=-]{0,59}")
# Control characters and separators become a space; format characters (bidi, zero-width, tags) are removed, except
# for those that belong to the spelling (`joiners.py`); a lone surrogate cannot be encoded.
_DRAWN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Format characters that are drawn, such as the Arabic sign before a number (Unicode: Prepended_Concatenation_Mark)."""
_SHOWN_AS = {"Cc": " ", "Zl": " ", "Zp": " ", "Cf": "", "Cs": "\ufffd"}

_MOST_OTHERS = 3
NAME_CHARS = 100
"""Limit for a whole name."""
_NAME_TOKENS = 12
"""Limit for a name in a row, so that the number after it still fits."""
_NUMBER_CHARS, _NUMBER_TOKENS = 40, 24
_LOCATION_CHARS = 80
_RECENT = timedelta(days=200)
_TEXT_CHARS, _TEXT_TOKENS = 60, 18
"""Limits for the beginning of a message."""


def clean(text: str, max_chars: int) -> str:
    """Return the text as one line of at most `max_chars` visible characters; cut text ends in an ellipsis."""
    # The text can have any length: process no more of it than could be shown.
    some = text[: 8 * max_chars]
    if not (some.isascii() and some.isprintable()):
        some = _visible(some)
    line = " ".join(some.split())
    return line if len(line) <= max_chars else _cut(line, max_chars - 1)


def clean_lines(text: str, max_chars: int) -> str:
    """Clean a whole text message or transcript like `clean`, but keep its line breaks."""
    lines = [clean(line, max_chars) for line in text[: 2 * max_chars].splitlines()]
    whole = "\n".join(lines).strip()
    return whole if len(whole) <= max_chars else _cut(whole, max_chars - 1)


def as_written(text: str) -> str:
    """Remove meaningless invisible characters from a text of any length; visible text, tabs, line breaks stay."""
    lines = _OTHER_BREAK.sub("\n", text)
    return lines if _PLAIN.fullmatch(lines) else _visible(lines, but="\t\r\n")


def quoted(text: str, columns: int) -> str:
    """Return untrusted text in quotation marks that the text itself cannot close."""
    return f"“{fitting(text, columns - 2)}”"


def fitting(text: str, columns: int) -> str:
    """Clean like `clean` to a width in columns (wide characters take two), without double quotation marks."""
    # Terminals disagree about the width of what joiners join, and of format characters.
    plain = "".join(c for c in without_joiners(clean(text, columns)) if c not in _DRAWN)
    line = _QUOTES.sub("'", "".join(_few_marks(plain, _MARKS_IN_QUESTION)))
    if cell_len(line) <= columns:
        return line
    while cell_len(line) >= columns:
        line = line[:-1]
    return _cut(line, len(line))


def _cut(text: str, chars: int) -> str:
    """Return the first characters and an ellipsis, without spaces or joiners before it."""
    return text[:chars].rstrip(NO_END) + "…"


def _visible(text: str, *, but: str = "") -> str:
    """Return the text without meaningless invisible characters, except for the control characters in `but`."""
    but += JOINERS + _DRAWN
    shown = "".join(c if c in but else _SHOWN_AS.get(unicodedata.category(c), c) for c in _IGNORABLE.sub("", text))
    return only_needed_joiners("".join(_few_marks(shown, _MARKS)))


def _few_marks(text: str, most: int) -> Iterator[str]:
    marks = 0
    for character in text:
        if character not in JOINERS:  # the marks after a joiner are on the same letter
            marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= most:
            yield character


def shortened(text: str, max_chars: int, max_tokens: int) -> tuple[str, int]:
    """Return the bounded text with its line breaks, and about how many characters are left out."""
    near = text[: 2 * max_chars]
    cleaned = clean_lines(near, 2 * max_chars)
    shown = clip(cleaned if len(cleaned) <= max_chars else _cut(cleaned, max_chars - 1), max_tokens)
    if shown == cleaned and len(near) == len(text):
        return shown, 0
    return shown.removesuffix("…") + "…", len(text) - len(near) + len(cleaned) - len(shown) + 1


def word(value: str | None) -> str | None:
    """Return a value such as a type or a status if it is a single word, otherwise `unreadable`.

    These values appear outside untrusted fields, so they must not pass for a sentence or a line.
    """
    return value if value is None or _WORD.fullmatch(value) else "unreadable"


def is_id(value: str) -> bool:
    """Return whether the value can be part of an address."""
    return value.isascii() and value.isdigit() and len(value) <= 20


def shown_id(value: str) -> str:
    """Return an id for display outside untrusted fields; `unreadable` if it is not a single word."""
    return word(value) or "unreadable"


def who(message: Message) -> str:
    """Return the names and numbers of the other side of a message; at most three, then a count."""
    others = ", ".join(caller_name(c) for c in message.other_side[:_MOST_OTHERS])
    more = len(message.other_side) - _MOST_OTHERS
    return clean(f"{others} and {more} more" if more > 0 else others, 120)


def caller_name(caller: Caller, name_tokens: int = _NAME_TOKENS) -> str:
    """Return the name, number and extension that RingCentral gives: `Maria Lopez +16505550100 ext. 102`.

    Without any of them it is the id of the extension, the place of the number, or `unknown`.

    Args:
        name_tokens: cut a name that is longer than this; the ellipsis shows it.
    """
    name, place = caller.name, caller.location
    id_ = caller.extension_id
    return _named(
        name and name[: 8 * NAME_CHARS],
        caller_number(caller),
        id_ and id_[: 8 * _NUMBER_CHARS],
        place and place[: 8 * _LOCATION_CHARS],
        name_tokens,
    )


@lru_cache(1_024)  # callers repeat
def _named(name: str | None, number: str, id_: str | None, place: str | None, name_tokens: int) -> str:
    shown = clip(clean(name, NAME_CHARS), name_tokens) if name else None
    known = " ".join(part for part in (shown, number) if part)
    if known:
        return known
    return f"extension id {clean(id_, _NUMBER_CHARS)}" if id_ else clean(place or "", _LOCATION_CHARS) or "unknown"


def caller_number(caller: Caller) -> str:
    """Return the number and the extension, as in `+16505550100 ext. 102`; empty if neither is given."""
    number, extension = caller.phone_number or "", caller.extension_number or ""
    return _numbered(number[: 8 * _NUMBER_CHARS], extension[: 8 * _NUMBER_CHARS])


@lru_cache(1_024)
def _numbered(number: str, extension: str) -> str:
    number, extension = clean(number, _NUMBER_CHARS), clean(extension, _NUMBER_CHARS)
    return clip(" ".join(part for part in (number, extension and f"ext. {extension}") if part), _NUMBER_TOKENS)


def first_words(message: Message) -> str | None:
    """Return the beginning of a text message or of a fax's cover page."""
    # The subject of a received fax is the number that it came in on; that of a voicemail is a label.
    text = message.cover_page_text if message.type == "Fax" else message.subject
    return clip(clean(text, _TEXT_CHARS), _TEXT_TOKENS) or None if text and message.type != "VoiceMail" else None


def moment(time: datetime | None, zone: tzinfo | None = UTC) -> str | None:
    """Return a full time in the given zone, to the second: `2026-11-23T06:05:09-08:00`."""
    return time.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z") if time else None


def short_moment(time: datetime | None, now: datetime, zone: tzinfo = UTC) -> str | None:
    """Return the short time for a row, in this zone: `11-23 06:05`, with the year unless it is this year.

    Shortly after New Year, times of the last months also have no year: a page would be longer in January. Without a
    year, a time is the latest with that date; tools read it so too (`tools/arguments.py`).
    """
    if time is None:
        return None
    there = time.astimezone(zone)
    is_recent = there.year == now.astimezone(zone).year or timedelta() <= now - time < _RECENT
    written = there.isoformat(" ", "minutes")[:16]
    return written[5:] if is_recent else written


def counted(n: int, noun: str) -> str:
    """Return `1 page`, `2 pages`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
