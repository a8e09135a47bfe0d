"""Text as the index has it: words in one spelling, with a space between them.

Messages and queries are folded alike, so a query finds a word however it was written: in capital letters, with or
without accents, in full-width letters, with other digits, with invisible characters inside.

FTS5's own `unicode61` is not used. It takes a run of Chinese or Japanese as one word, so a part of it is not found; it
cuts Thai and Hindi words at their vowel signs; and its tables depend on the version of SQLite. Its `trigram` finds
nothing that has fewer than three characters. Here each character of a script without spaces is a word of its own, and
a query for several of them is a phrase. The table has the tokenizer `ascii`, which cuts only at ASCII punctuation.
"""

import re
import unicodedata

VERSION = f"2 {unicodedata.unidata_version}"
"""An index made by another version has other words, and must be made again."""

BREAK = "\ue000"
"""A word that no text has. It ends phrases: no phrase is found across it."""
TAG = "\ue001"
"""The beginning of words that are not text, such as the type of a message. No text has this character."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029"
    "\u3031-\u3035\u3038-\u303b\u3041-\u309f\u30a1-\u30fa\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\ua4cf\ua960-\ua97f\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Tai Le to New Tai Lue, Tai Tham, Chinese, Japanese, Yi; and Korean, which has spaces but
joins particles to its nouns."""
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
# A line break between two characters is none between words, but a full stop is.
_PUNCTUATED = re.compile(
    f"(?<=[{_UNSPACED}])\\s*(?:[!-/:-@\\[-`{{-~\u00b7\u2010-\u2027\u2030-\u205e\u3001-\u3004\u3008-\u3020\u30fb]\\s*)+"
    f"(?=[{_UNSPACED}])"
)
PIECES = re.compile(f"[{_UNSPACED}][\u3099\u309a]*|[^\\s{_UNSPACED}]+")
"""Parts of a text that can be folded one by one."""
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f"
    "\ufe20-\ufe2f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)
"""Signs that a writer may leave out: accents, the vowels of Hebrew and Arabic, variants of an emoji. Not the vowels of
Indian scripts, nor the voicing of Japanese: another word has others."""


class _Words(dict[int, str | None]):
    """How each character appears in the index, by code point; computed when first needed."""

    def __missing__(self, code: int) -> str | None:
        self[code] = found = _as_indexed(chr(code))
        return found


def _as_indexed(character: str) -> str | None:
    category = unicodedata.category(character)
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if category == "Cf":
        return ""
    if category == "So":  # an emoji is a word
        return f" {character} "
    if character == BREAK:
        return f" {BREAK} "
    if category[0] not in "LNM":
        return " "
    return f" {character} " if _IS_UNSPACED.match(character) else character


_WORDS = _Words()


def fold(text: str) -> str:
    """Return the words of a text, with spaces between them."""
    if text.isascii():
        return text.replace("\0", " ").lower()
    plain = text.replace(BREAK, " ")  # a sender may know it
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", plain).casefold())
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", plain))
    return _PUNCTUATED.sub(BREAK, plain).translate(_WORDS)


_ASCII_WORD = re.compile("[0-9a-z\u0080-\U0010ffff]+")


def words(text: str) -> list[str]:
    """Return the words of a text as a list, as the tokenizer finds them in the folded text."""
    return _ASCII_WORD.findall(fold(text))
