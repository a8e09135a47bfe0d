"""The sentences of a piece of speech, from the words that a model wrote; none if it did not understand the piece."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log

from rc_mcp.media.speech_protocol import Piece, Word

CHECK_BY_EAR = "[check by ear at {time}]"
"""After each run of digits: models mishear numbers, and are sure of it."""

_LEAST_PROBABILITY = 0.5
"""Of the words of a piece, as geometric mean. With Whisper tiny.en, English voices on a telephone line had 0.52 and
more, and Spanish, French, German, Italian and Chinese ones 0.48 and less, unless their words repeated themselves."""
_MOST_REPETITION = 2.0
"""How many times smaller the text of a piece is when compressed. English had at most 1.4; a model that understands
nothing says the same words again and again, and has 3 to 30."""
_JUDGED_WORDS, _LEAST_OF_A_SENTENCE = 7, 0.42
"""A sentence of so many words must be so likely. English ones had 0.45 and more; some languages after English less."""
_REPEATED = 3
"""A sentence that comes so often in one piece was not said."""
_UNWRITTEN_S = 4.0
"""Speech of this length without a word was left out by the model."""
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


def heard_in(piece: Piece) -> tuple[list[Sentence], list[tuple[float, float]]]:
    """Return the sentences of a piece that the model understood, and the times of the speech that it did not.

    A model that knows one language writes other languages, and noise, as words of its own, or leaves them out.
    """
    if not is_understood(piece.words):
        return [], [(piece.from_s, piece.to_s)]
    groups = list(_grouped(piece.words))
    times_said = Counter(_text(group) for group in groups)
    found: list[Sentence] = []
    unclear = _without_words(piece)
    for group in groups:
        is_unlikely = len(group) >= _JUDGED_WORDS and _likelihood(group) < _LEAST_OF_A_SENTENCE
        if is_unlikely or times_said[_text(group)] >= _REPEATED:
            unclear.append((group[0].from_s, group[-1].to_s))
        else:
            found += _sentence(group)
    return found, sorted(unclear)


def is_understood(words: Sequence[Word]) -> bool:
    """Return whether the model understood a piece, by its own probabilities and because it does not repeat itself."""
    text = _text(words).encode()
    if not text.strip() or len(text) / len(zlib.compress(text)) > _MOST_REPETITION:
        return False
    return _likelihood(words) >= _LEAST_PROBABILITY


def sentences(words: Sequence[Word]) -> Iterator[Sentence]:
    """Yield the sentences of a piece, with a mark after each number."""
    for group in _grouped(words):
        yield from _sentence(group)


def _without_words(piece: Piece) -> list[tuple[float, float]]:
    """Return the times with speech for which the model wrote nothing."""
    found: list[tuple[float, float]] = []
    for start, end in piece.speech:
        covered = [(word.from_s, word.to_s) for word in piece.words if word.to_s > start and word.from_s < end]
        at = start
        for word_from, word_to in [*covered, (end, end)]:
            if word_from - at > _UNWRITTEN_S:
                found.append((at, word_from))
            at = max(at, word_to)
    return found


def _grouped(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    at = 0
    for end, word in enumerate(words, 1):
        is_last = end == len(words) or words[end].from_s - word.to_s > _PAUSE_S or end - at >= _SENTENCE_WORDS
        if is_last or word.text.rstrip().endswith(_ENDS):
            yield words[at:end]
            at = end


def _sentence(words: Sequence[Word]) -> Iterator[Sentence]:
    if text := "".join(_marked(words)).strip():
        yield Sentence(words[0].from_s, words[-1].to_s, text)


def _text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


def _likelihood(words: Sequence[Word]) -> float:
    return exp(sum(log(max(word.probability, 1e-6)) for word in words) / len(words))


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
