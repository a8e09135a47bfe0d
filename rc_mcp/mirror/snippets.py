"""The part of a message's text around a hit. It is made only for messages that are shown."""

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
    if text.isascii():
        return _place(text.lower(), hit)
    # A word of the text may have other characters than in the index: fold each, and keep where it begins.
    folded: list[str] = []
    begins: list[int] = []
    length = 0
    pieces = list(PIECES.finditer(text))
    for piece in pieces:
        folded.append(fold(piece[0]))
        begins.append(length)
        length += len(folded[-1]) + 1
    found = _place(" ".join(folded), hit)
    return None if found is None else pieces[bisect_right(begins, found) - 1].start()


def _place(folded: str, hit: Words) -> int | None:
    # A pattern would take longer to compile than to search.
    wanted = [word for word in hit.words if word != BREAK]
    at = folded.find(wanted[0])
    while at >= 0:
        if (at == 0 or not _is_of_a_word(folded[at - 1])) and _goes_on(folded, at, wanted, hit.prefix):
            return at
        at = folded.find(wanted[0], at + 1)
    return None


def _goes_on(folded: str, at: int, wanted: Sequence[str], prefix: bool) -> bool:
    """Return whether all the words follow each other from here on, with only signs between them."""
    for n, word in enumerate(wanted):
        while n and at < len(folded) and not _is_of_a_word(folded[at]):
            at += 1
        if not folded.startswith(word, at):
            return False
        at += len(word)
        may_go_on = prefix and n == len(wanted) - 1
        if not may_go_on and at < len(folded) and _is_of_a_word(folded[at]):
            return False
    return True


def _is_of_a_word(character: str) -> bool:
    return character.isalnum() or not character.isascii()


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
