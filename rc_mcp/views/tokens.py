"""Token estimates for answers, without a tokenizer; they are usually a little too high.

Each model has its own tokenizer, and tokenizer tables take megabytes. The estimate must be close for ordinary answers
and not much too low for hostile ones. `tests/views/test_weight.py` compares it with a real tokenizer (o200k): the
estimate is 1.1 to 1.3 times the real number for ordinary English, three times for Chinese, about equal for random
letters.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar, cast

T = TypeVar("T")

# A space before a letter belongs to the token of its word.
_PIECE = re.compile(r" ?(?:[A-Z]?[a-z]+|[A-Z]+)|[0-9]+|.", re.DOTALL)
# Long runs take a token per six letters, three capitals or three digits.
_TOKEN = re.compile(r"[0-9]{1,3}|[^A-Za-z ]| ?(?:[a-z]{1,6}|(?<![A-Z])[A-Z][a-z]{1,5}|[A-Z]{1,3})| ")
# Letter runs that are rare in English words take more tokens. No run crosses two pieces.
_RARE, _LOW, _CAPITAL = "jqxzJQXZ", "b-df-hj-np-tv-z", "B-DF-HJ-NP-TV-Z"
_UNUSUAL = re.compile(
    f"[{_LOW}{_CAPITAL}](?:(?<=[{_RARE}])"
    f"|(?<![A-Z]{{2}})(?:[{_LOW}]{{2}}|[aeiou][{_LOW}][aeiou][{_LOW}][aeiou])"
    f"|(?<=[A-Z])(?:[{_CAPITAL}]{{2}}|[AEIOU][{_CAPITAL}][AEIOU][{_CAPITAL}][AEIOU]))"
)
# Letters of common scripts: a token rarely holds less than one. Of other characters, each byte may take a token.
_COMMON = re.compile(
    "[\u00a0-\u00ff\u0370-\u0482\u048a-\u0590\u05d0-\u064a\u0660-\u06d5\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]"
)
NO_END = " \t\n\u200b\u200c\u200d"
"""Characters that no cut text ends in: spaces, and joiners whose next letter was cut."""
_SHORT = 200
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """The maximum size of an answer."""

    tokens: int
    """As estimated by `weigh`."""
    chars: int
    """Length of the JSON."""

    def part(self, share: float) -> "TokenBudget":
        return TokenBudget(int(self.tokens * share), int(self.chars * share))


USUAL = TokenBudget(tokens=5_000, chars=20_000)
"""The default: under 5,000 real tokens."""
LARGE = TokenBudget(tokens=14_000, chars=42_000)
"""For calls that ask for many or whole messages. Hosts cut or refuse over 25,000 tokens or 50,000 characters."""


def weigh(value: object) -> int:
    """Estimate the tokens of a text or of any JSON value; usually a little too high.

    The JSON marks around a value count as one token, and another for each entry.
    """
    if isinstance(value, str):
        return _weigh_again(value) if len(value) <= _SHORT else _weigh_text(value)
    if isinstance(value, dict):
        return 1 + sum([2 + weigh(key) + weigh(entry) for key, entry in cast("dict[str, object]", value).items()])
    if isinstance(value, list | tuple):
        return 1 + sum([1 + weigh(entry) for entry in cast("Sequence[object]", value)])
    return _weigh_again(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else 1


def _weigh_text(text: str) -> int:
    # JSON escapes quotation marks and backslashes.
    tokens = len(_TOKEN.findall(text)) + len(_UNUSUAL.findall(text)) + text.count('"') + text.count("\\")
    if text.isascii():
        return tokens
    return tokens + len(text.encode("utf-8", "replace")) - len(text) - len(_COMMON.findall(text))


_weigh_again = lru_cache(4_096)(_weigh_text)
"""Remembers short texts: the same names, numbers, words and times stand in many rows."""


class Size(NamedTuple):
    """The size of a part of an answer, comma included."""

    tokens: int
    chars: int


def size_of(shown: object) -> Size:
    return Size(1 + weigh(shown), 1 + len(_as_json(shown)))


def that_fit(things: Iterable[tuple[T, Size]], budget: TokenBudget, *, used: int = 0) -> list[T]:
    """Return the first things that fit into the budget with their sizes. Further things are not made.

    Args:
        used: the estimate for the rest of the answer.
    """
    fitting: list[T] = []
    tokens, chars = used, 4 * used
    for thing, size in things:
        tokens += size.tokens
        chars += size.chars
        if tokens > budget.tokens or chars > budget.chars:
            break
        fitting.append(thing)
    return fitting


def clip(text: str, max_tokens: int) -> str:
    """Return the text, cut to about `max_tokens`; cut text ends in an ellipsis."""
    if weigh(text) > max_tokens:
        left = max_tokens - 1
        for found in _PIECE.finditer(text):
            left -= weigh(found[0])
            if left < 0:
                return text[: found.start()].rstrip(NO_END) + "…"
    return text
