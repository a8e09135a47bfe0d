"""Invisible characters that belong to the spelling of a language or to an emoji.

Without its zero-width non-joiner a Persian word is misspelled, without its joiner a Hindi or Bengali one, and without
its zero-width spaces Khmer and Thai text breaks in the middle of words (The Unicode Standard 16, sections 9.2, 12.1,
16.4 and 23.2). Between Latin letters the same characters only hide something. One is kept at each place: runs of them
could carry a message.

Python has no data on scripts. The blocks here are those of Unicode's `Blocks.txt`; the `regex` package, which knows
scripts, is not used for four ranges.
"""

import re
import unicodedata

_NON_JOINER, _JOINER, _SPACE, _EMOJI_STYLE = "\u200c", "\u200d", "\u200b", "\ufe0f"
JOINERS = f"{_SPACE}{_NON_JOINER}{_JOINER}{_EMOJI_STYLE}"

_MONGOLIAN = "\u1800-\u180a\u1810-\u18af"
_CURSIVE = (
    "\u0600-\u06ff\u0700-\u077f\u07c0-\u07ff\u0840-\u08ff\ufb50-\ufdff\ufe70-\ufefe"
    f"{_MONGOLIAN}\U00010d00-\U00010d3f\U0001e900-\U0001e95f"
)
"""Arabic with its extensions and presentation forms, Syriac, N'Ko, Mandaic, Mongolian, Hanifi Rohingya, Adlam."""
_INDIC = (
    "\u0900-\u0dff\u1b00-\u1bff\u1cd0-\u1cff\ua8e0-\ua8ff\ua980-\ua9df\uabc0-\uabff"
    "\U00011000-\U000114df\U00011580-\U000116cf"
)
"""Devanagari to Sinhala and their extensions, Balinese, Sundanese, Javanese, Meetei Mayek, and the Indic scripts of the
supplementary plane."""
_KHMER = "\u1780-\u17ff"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaa7f"
"""Thai, Lao, Burmese with its extensions, Tai Le, New Tai Lue, Tai Tham: no spaces between words."""
_NEEDED_IN = {
    _NON_JOINER: (re.compile(f"[{_CURSIVE}]"), re.compile(f"[{_INDIC}]"), re.compile(f"[{_KHMER}\u1000-\u109f]")),
    _JOINER: (re.compile(f"[{_CURSIVE}]"), re.compile(f"[{_INDIC}]"), re.compile(f"[{_KHMER}\u1000-\u109f]")),
    _SPACE: (re.compile(f"[{_KHMER}]"), re.compile(f"[{_UNSPACED}]")),
    _EMOJI_STYLE: (),
}
_VIRAMA = 9
"""The combining class of the sign that joins two Indic consonants. A joiner after it also shapes the end of a word."""

_PICTURE = "[\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff]"
_ONE_EMOJI = f"{_PICTURE}[\U0001f3fb-\U0001f3ff]?{_EMOJI_STYLE}?"
"""A picture, its skin tone, its style."""
_RUN = re.compile(f"[{JOINERS}]+")
_EMOJI_OR_RUN = re.compile(f"({_ONE_EMOJI}(?:{_JOINER}{_ONE_EMOJI})+)|[{JOINERS}]+")


def only_needed_joiners(text: str) -> str:
    """Return the text with the joiners that its language or its emoji need, and without all others."""
    return _EMOJI_OR_RUN.sub(_needed, text)


def _needed(found: re.Match[str]) -> str:
    """Return an emoji sequence unchanged, and of a run of joiners the first, if it is needed here."""
    if found[1]:
        return found[1]
    if found.start() == 0:
        return ""
    joiner, before = found[0][0], found.string[found.start() - 1]
    after = found.string[found.end()] if found.end() < len(found.string) else " "
    is_after_virama = joiner != _SPACE and unicodedata.combining(before) == _VIRAMA
    for script in _NEEDED_IN[joiner]:
        if script.match(before) and _is_of_a_word(before):
            return joiner if is_after_virama or (script.match(after) and _is_of_a_word(after)) else ""
    return ""


def without_joiners(text: str) -> str:
    """Return the text without joiners, for comparing what it says and not how it is spelled."""
    return _RUN.sub("", text)


def _is_of_a_word(character: str) -> bool:
    """Return whether this is a letter, a mark or a digit."""
    return unicodedata.category(character)[0] in "LMN"
