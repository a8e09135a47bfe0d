"""Text that strangers wrote, made safe to show: no control, bidi or invisible characters, and a bounded length.

This stops it from breaking a terminal, a table or a question. It does not make it trustworthy: it goes only
into fields named `untrusted...`, and never into a sentence of ours.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo

from rich.cells import cell_len

from rc_mcp.ringcentral import Caller, Message
from rc_mcp.views.weight import clip

# Default-ignorable code points that Unicode does not class as format characters: fillers, variation selectors.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
# Whatever could pass for the end of a quotation of ours.
_QUOTES = re.compile(
    '["\u00ab\u00bb\u02ba\u02ee\u030b\u201c-\u201f\u2033-\u2037\u2039\u203a\u275d-\u2760\u2e42\u3003\u300c-\u300f\u301d-\u301f\uff02]'
)
_MARKS = 4
"""On one letter: as many as Burmese takes. A pile of them would grow over the lines above and below."""
_MARKS_AMONG_OURS = 2
"""The same where lines of ours stand above and below, which have to be read."""
# What else `str.splitlines` takes for the end of a line. A carriage return alone would go back over the line.
_OTHER_BREAK = re.compile("\r(?!\n)|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_PLAIN = re.compile(r"[\t\r\n -~]*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+;=-]{0,59}")
# Control, line and paragraph separators become a space; format characters (bidi, zero-width, tags) vanish;
# a lone surrogate could not even be encoded.
_SHOWN_AS = {"Cc": " ", "Zl": " ", "Zp": " ", "Cf": "", "Cs": "\ufffd"}

_MOST_OTHERS = 3
_NAME_TOKENS = 12
"""Of a name alone: the number beside it must not be crowded out."""


def clean(text: str, max_chars: int) -> str:
    """One line of at most `max_chars` visible characters; cut text ends in an ellipsis."""
    # A stranger's text has no bound: look at no more of it than could be shown.
    some = text[: 8 * max_chars]
    if not (some.isascii() and some.isprintable()):
        some = _visible(some)
    line = " ".join(some.split())
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"


def clean_lines(text: str, max_chars: int) -> str:
    """Like `clean`, but line breaks stay: for a whole text message or a transcript."""
    lines = [clean(line, max_chars) for line in text[: 2 * max_chars].splitlines()]
    whole = "\n".join(lines).strip()
    return whole if len(whole) <= max_chars else whole[: max_chars - 1].rstrip() + "…"


def as_written(text: str) -> str:
    """A whole text with its tables and indentation: of what can be seen nothing is changed, so it has no bound."""
    lines = _OTHER_BREAK.sub("\n", text)
    return lines if _PLAIN.fullmatch(lines) else _visible(lines, but="\t\r\n")


def quoted(text: str, columns: int) -> str:
    """A stranger's words among lines of ours: in quotation marks, which they cannot close."""
    return f"“{fitting(text, columns - 2)}”"


def fitting(text: str, columns: int) -> str:
    """Like `clean`, for what has to be so wide at most: wide characters are counted as two. Holds no quotation mark."""
    line = _QUOTES.sub("'", "".join(_few_marks(clean(text, columns), _MARKS_AMONG_OURS)))
    if cell_len(line) <= columns:
        return line
    while cell_len(line) >= columns:
        line = line[:-1]
    return line.rstrip() + "…"


def _visible(text: str, *, but: str = "") -> str:
    """Without what cannot be seen, except for the control characters in `but`."""
    shown = "".join(c if c in but else _SHOWN_AS.get(unicodedata.category(c), c) for c in _IGNORABLE.sub("", text))
    return "".join(_few_marks(shown, _MARKS))


def _few_marks(text: str, most: int) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= most:
            yield character


def shortened(text: str, max_chars: int, max_tokens: int) -> tuple[str, int]:
    """The text with its line breaks, bounded; and about how many of its characters are not shown."""
    near = text[: 2 * max_chars]
    cleaned = clean_lines(near, 2 * max_chars)
    shown = clip(cleaned if len(cleaned) <= max_chars else f"{cleaned[: max_chars - 1].rstrip()}…", max_tokens)
    if shown == cleaned and len(near) == len(text):
        return shown, 0
    return shown.removesuffix("…") + "…", len(text) - len(near) + len(cleaned) - len(shown) + 1


def word(value: str | None) -> str | None:
    """A word of RingCentral's own, such as a type or a status: it stands outside of untrusted fields, so it may
    hold nothing that could pass for a sentence or a line."""
    return value if value is None or _WORD.fullmatch(value) else "unreadable"


def is_id(value: str) -> bool:
    """Whether it can stand in an address."""
    return value.isascii() and value.isdigit() and len(value) <= 20


def shown_id(value: str) -> str:
    """An id as it stands outside of untrusted fields: whole if it can be one, and else a word or nothing."""
    return word(value) or "unreadable"


def who(message: Message) -> str:
    """The other side of a message: who sent it to the mailbox, or whom the mailbox sent it to."""
    others = ", ".join(caller_name(c) for c in message.other_side[:_MOST_OTHERS])
    more = len(message.other_side) - _MOST_OTHERS
    return clean(f"{others} and {more} more" if more > 0 else others, 120)


def caller_name(caller: Caller) -> str:
    """Name and number, whichever RingCentral knows: `Maria Lopez +16505550100`, `ext. 102`."""
    extension = f"ext. {caller.extension_number}" if caller.extension_number else None
    name = clip(clean(caller.name, 50), _NAME_TOKENS) if caller.name else None
    parts = [name, caller.phone_number or extension]
    return clean(" ".join(p for p in parts if p) or caller.location or "unknown", 80)


def moment(time: datetime | None, zone: tzinfo | None = UTC) -> str | None:
    """A time in full: to the second, in the given zone, `2026-11-23T06:05:09-08:00`."""
    return time.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z") if time else None


def short_moment(time: datetime | None, now: datetime, zone: tzinfo = UTC) -> str | None:
    """A time in this zone, as a row has it: `11-23 06:05`, or with its year when that is not this one."""
    if time is None:
        return None
    there = time.astimezone(zone)
    is_this_year = there.year == now.astimezone(zone).year
    return f"{there:%m-%d %H:%M}" if is_this_year else f"{there:%Y-%m-%d %H:%M}"
