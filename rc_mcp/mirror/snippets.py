"""The part of a message's text around a hit. It is made only for messages that are shown."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from rc_mcp.mirror.folding import BREAK, PIECES, fold
from rc_mcp.mirror.query import Words

MAX_CHARS = 160
_BEFORE = 50
"""Characters before the hit."""
_MOST_MARKS = 20
"""A run of marks that is longer is cut."""
_SEARCHED_CHARS = 200_000
_NOT_AT_AN_EDGE = {"Mn", "Me", "Mc", "Cf", "Cs", "Sk"}
"""Marks, joiners and halves of emojis belong to their neighbor."""


def snippet(texts: Iterable[str], wanted: Sequence[Words]) -> str | None:
    """Return the surroundings of the first hit, in the sender's own words; without a hit, the beginning of a text.

    Its parts that are left out are shown as an ellipsis. None if the message has no text.
    """
    given = [text for text in texts if text.strip()]
    for text in given:
        for hit in wanted:
            if (place := _find(text[:_SEARCHED_CHARS], hit)) is not None:
                return _cut(text, place)
    return _cut(given[0], 0) if given else None


def _find(text: str, hit: Words) -> int | None:
    """Return where the words are in the text."""
    end = "" if hit.prefix else r"(?![0-9a-z\u0080-\U0010ffff])"
    pattern = re.compile(rf"(?<![0-9a-z\u0080-\U0010ffff]){_between(hit.words)}{end}")
    if text.isascii():
        found = pattern.search(text.lower())
        return found.start() if found else None
    # A word of the text may have other characters than in the index: fold each, and keep where it begins.
    folded = ""
    begins: list[int] = []
    pieces = list(PIECES.finditer(text))
    for piece in pieces:
        begins.append(len(folded))
        folded += fold(piece[0]) + " "
    if not (found := pattern.search(folded)):
        return None
    return pieces[bisect_right(begins, found.start()) - 1].start()


def _between(parts: Sequence[str]) -> str:
    return r"[\x00-\x2f\x3a-\x60\x7b-\x7f]+".join(re.escape(part) for part in parts if part != BREAK)


def _cut(text: str, place: int) -> str:
    start = _edge(text, max(0, place - _BEFORE)) if place > _BEFORE else 0
    room = MAX_CHARS - (start > 0)
    end = len(text)
    if end - start > room:
        end = _edge(text, start + room - 1)
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"


def _edge(text: str, place: int) -> int:
    """Return the nearest earlier place that does not separate a character from its marks; if near, between words."""
    space = text.rfind(" ", max(0, place - 15), place)
    if space > 0:
        return space + 1
    for earlier in range(place, max(0, place - _MOST_MARKS), -1):
        if not _belongs_to_neighbor(text[earlier]) and not _joins(text[earlier - 1]):
            return earlier
    return place


def _belongs_to_neighbor(character: str) -> bool:
    return unicodedata.category(character) in _NOT_AT_AN_EDGE


def _joins(character: str) -> bool:
    return character == "\u200d" or "\ud800" <= character <= "\udbff"
