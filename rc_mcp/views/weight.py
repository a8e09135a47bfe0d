"""How much of a model's attention an answer takes: its tokens, estimated without a tokenizer, and rather too high.

Models cut texts into tokens each in their own way, and the tables for it are megabytes. What is needed here is a bound
that ordinary answers stay close to and that hostile ones cannot slip under by much. `tests/views/test_weight.py`
compares it with a real tokenizer (o200k): ordinary English weighs 1.1 to 1.3 times its tokens, Chinese three times,
words of random letters about as much as they have.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

T = TypeVar("T")

# A space before a letter goes into the token of its word.
_PIECE = re.compile(r" ?(?:[A-Z]?[a-z]+|[A-Z]+)|[0-9]+|.", re.DOTALL)
# What is long has a token for each six letters, three capitals or three digits.
_TOKEN = re.compile(r"[0-9]{1,3}|[^A-Za-z ]| ?(?:[a-z]{1,6}|(?<![A-Z])[A-Z][a-z]{1,5}|[A-Z]{1,3})| ")
# Rare in English words, frequent in what is none: there tokens are short. No run goes from one piece into the next.
_RARE, _LOW, _CAPITAL = "jqxzJQXZ", "b-df-hj-np-tv-z", "B-DF-HJ-NP-TV-Z"
_UNUSUAL = re.compile(
    f"[{_LOW}{_CAPITAL}](?:(?<=[{_RARE}])"
    f"|(?<![A-Z]{{2}})(?:[{_LOW}]{{2}}|[aeiou][{_LOW}][aeiou][{_LOW}][aeiou])"
    f"|(?<=[A-Z])(?:[{_CAPITAL}]{{2}}|[AEIOU][{_CAPITAL}][AEIOU][{_CAPITAL}][AEIOU]))"
)
# Letters of languages that many write: a token seldom holds less than one of them. Of anything else it may be a byte.
_COMMON = re.compile(
    "[\u00a0-\u00ff\u0370-\u0482\u048a-\u0590\u05d0-\u064a\u0660-\u06d5\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]"
)
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Budget:
    """What an answer may hold at most."""

    tokens: int
    """As `weigh` counts them."""
    chars: int
    """Of its JSON."""

    def part(self, share: float) -> "Budget":
        """A share of it."""
        return Budget(int(self.tokens * share), int(self.chars * share))


USUAL = Budget(tokens=5_000, chars=20_000)
"""For an answer nobody asked to be long: under 5,000 real tokens."""
LARGE = Budget(tokens=14_000, chars=42_000)
"""For whoever asked for much: hosts cut or refuse an answer over 25,000 tokens or 50,000 characters."""


def weigh(value: object) -> int:
    """About the tokens of a text, or of anything that JSON can hold; a little more as a rule."""
    text = _flat(value)
    # JSON escapes quotation marks and backslashes.
    tokens = len(_TOKEN.findall(text)) + len(_UNUSUAL.findall(text)) + text.count('"') + text.count("\\")
    if text.isascii():
        return tokens
    return tokens + len(text.encode("utf-8", "replace")) - len(text) - len(_COMMON.findall(text))


def _flat(value: object) -> str:
    """A text that weighs as much: each mark that JSON puts around values is a line break here, which is one token."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n" + "".join([f"\n{key}\n{_flat(entry)}" for key, entry in cast("dict[str, object]", value).items()])
    if isinstance(value, list | tuple):
        return "\n" + "".join([f"\n{_flat(entry)}" for entry in cast("Sequence[object]", value)])
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else "\n"


def that_fit(things: Iterable[T], shown: Iterable[object], budget: Budget, *, used: int = 0) -> list[T]:
    """The first of `things`, as many as fit into the budget as they are `shown`.

    Args:
        used: what the rest of the answer weighs already.
    """
    fitting: list[T] = []
    tokens, chars = used, 4 * used
    for thing, as_shown in zip(things, shown, strict=True):
        tokens += 1 + weigh(as_shown)
        chars += 1 + len(_as_json(as_shown))
        if tokens > budget.tokens or chars > budget.chars:
            break
        fitting.append(thing)
    return fitting


def clip(text: str, max_tokens: int) -> str:
    """The text, or so much of its beginning as weighs no more; cut text ends in an ellipsis."""
    if weigh(text) > max_tokens:
        left = max_tokens - 1
        for found in _PIECE.finditer(text):
            left -= weigh(found[0])
            if left < 0:
                return text[: found.start()].rstrip() + "…"
    return text
