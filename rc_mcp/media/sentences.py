"""The sentences of a piece of speech, from the words that a model wrote; none if it did not understand the piece."""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log

from rc_mcp.media.speech_protocol import Word

CHECK_BY_EAR = "[check by ear at {time}]"
"""After each run of digits: models mishear numbers, and are sure of it."""

_LEAST_PROBABILITY = 0.5
"""Of the words of a piece, as geometric mean. With Whisper tiny.en, English voices on a telephone line had 0.52 and
more, and Spanish, French, German, Italian and Chinese ones 0.48 and less, unless their words repeated themselves."""
_MOST_REPETITION = 2.0
"""How many times smaller the text of a piece is when compressed. English had at most 1.4; a model that understands
nothing says the same words again and again, and has 3 to 30."""
_SENTENCE_WORDS = 40
_PAUSE_S = 2.0
_ENDS = (".", "?", "!", "…", "。", "？", "！")  # noqa: RUF001  of Chinese and Japanese
_DIGITS = frozenset(
    {"zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple"}
)
_SPOKEN_DIGITS = 3
"""So many words for digits in a row are a number."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a transcript, in seconds from the beginning of the recording. Numbers in it are marked."""

    from_s: float
    to_s: float
    text: str


def clock(seconds: float) -> str:
    """Return a time in a recording, as in `1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def is_understood(words: Sequence[Word]) -> bool:
    """Return whether the model understood a piece, by its own probabilities and because it does not repeat itself.

    A model that knows one language writes other languages, and noise, as words of its own.
    """
    text = "".join(word.text for word in words).encode()
    if not text.strip() or len(text) / len(zlib.compress(text)) > _MOST_REPETITION:
        return False
    return exp(sum(log(max(word.probability, 1e-6)) for word in words) / len(words)) >= _LEAST_PROBABILITY


def sentences(words: Sequence[Word]) -> Iterator[Sentence]:
    """Yield the sentences of a piece, with a mark after each number."""
    at = 0
    for end, word in enumerate(words, 1):
        is_last = end == len(words) or words[end].from_s - word.to_s > _PAUSE_S or end - at >= _SENTENCE_WORDS
        if is_last or word.text.rstrip().endswith(_ENDS):
            if text := "".join(_marked(words[at:end])).strip():
                yield Sentence(words[at].from_s, word.to_s, text)
            at = end


def _marked(words: Sequence[Word]) -> Iterator[str]:
    """Yield the words, and a mark after each run of digits. Brackets are only ours."""
    run: list[Word] = []
    for word in words:
        if not _is_number(word):
            yield from _mark_of(run)
            run = []
        else:
            run.append(word)
        yield word.text.replace("[", "(").replace("]", ")")
    yield from _mark_of(run)


def _is_number(word: Word) -> bool:
    return bool(re.search(r"\d", word.text)) or word.text.strip(" ,.-").lower() in _DIGITS


def _mark_of(run: Sequence[Word]) -> Iterator[str]:
    if len(run) >= _SPOKEN_DIGITS or any(re.search(r"\d", word.text) for word in run):
        yield " " + CHECK_BY_EAR.format(time=clock(run[0].from_s))
