"""Token estimates: close for ordinary text, and never much too low."""

import json
from random import Random

import pytest

from rc_mcp.views.tokens import TokenBudget, clip, size_of, that_fit, weigh
from tests.tokens import tokens
from tests.tools.test_token_budgets import WRITERS
from tests.views.hostile_texts import CORPUS

ENGLISH = (
    "Hi Nadia, did my referral arrive? I am booked for tomorrow at nine, and the clinic said they would fax it over. "
    "Please call me back when you get a chance. The invoice has not been paid yet, could you check with accounting?"
)


def test_the_estimate_for_ordinary_english_is_close() -> None:
    assert 1 <= weigh(ENGLISH) / tokens(ENGLISH) <= 1.3


def test_the_estimate_for_an_answer_is_close() -> None:
    answer = {"messages": {"SMS": [["2406340726008", "11-24 10:01", "Unread", "+13605550108", None, 12]] * 50}}
    assert 0.95 <= weigh(answer) / tokens(answer) <= 1.25


@pytest.mark.parametrize("writer", WRITERS)
def test_the_estimate_is_not_much_too_low_for_any_language(writer: str) -> None:
    text = WRITERS[writer](Random(1))  # noqa: S311
    assert weigh(text) >= 0.8 * tokens(text)


@pytest.mark.parametrize("kind", CORPUS)
def test_the_estimate_is_not_much_too_low_for_a_hostile_text(kind: str) -> None:
    for text in CORPUS[kind]:
        assert weigh(text) >= 0.6 * tokens(text), ascii(text[:80])
    assert weigh("".join(CORPUS[kind])) >= 0.85 * tokens("".join(CORPUS[kind]))


@pytest.mark.parametrize("pieces", [["Mc", "Donald"], ["ABCD", "efgh"], ["bc", "Dfg"], ["word", " Word", "  ", "12"]])
def test_the_estimate_for_a_text_is_the_sum_for_its_pieces(pieces: list[str]) -> None:
    assert weigh("".join(pieces)) == sum(weigh(piece) for piece in pieces)


def test_the_estimate_for_a_structure_is_the_sum_for_its_parts_and_marks() -> None:
    inner = 1 + (1 + weigh(" ABc")) + (1 + 1)
    assert weigh({"key ": "Bcd", "of": [" ABc", None]}) == 1 + (2 + weigh("key ") + weigh("Bcd")) + (2 + 1 + inner)


@pytest.mark.parametrize("text", [ENGLISH, "漢字" * 50, "\U0001f4a3" * 50, "zalgo\u0337\u0353" * 20, "1234567890" * 20])
def test_a_clipped_text_is_a_beginning_within_the_limit(text: str) -> None:
    shown = clip(text, 12)
    assert text.startswith(shown.removesuffix("…"))
    assert shown.endswith("…")
    assert weigh(shown) <= 12 + 2


def test_a_text_that_fits_is_not_changed() -> None:
    assert clip("Good morning", 12) == "Good morning"
    assert clip("", 1) == ""


def test_a_list_ends_at_the_first_thing_over_the_limit_of_tokens_or_characters() -> None:
    text = "word " * 10
    each = size_of(text)
    assert each == (1 + weigh(text), 1 + len(json.dumps(text)))
    things = [(n, each) for n in range(10)]
    assert that_fit(things, TokenBudget(tokens=3 * each.tokens, chars=10_000)) == [0, 1, 2]
    assert that_fit(things, TokenBudget(tokens=10_000, chars=4 * each.chars)) == [0, 1, 2, 3]
    assert that_fit(things, TokenBudget(tokens=1, chars=1)) == []
