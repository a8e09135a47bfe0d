"""The estimate that cuts answers: close for ordinary text, and never much too low."""

import json
from random import Random

import pytest

from rc_mcp.views.weight import Budget, clip, that_fit, weigh
from tests.tokens import tokens
from tests.tools.test_token_budgets import WRITERS
from tests.views.hostile_texts import CORPUS

ENGLISH = (
    "Hi Nadia, did my referral arrive? I am booked for tomorrow at nine, and the clinic said they would fax it over. "
    "Please call me back when you get a chance. The invoice has not been paid yet, could you check with accounting?"
)


def test_ordinary_english_weighs_about_what_it_is() -> None:
    assert 1 <= weigh(ENGLISH) / tokens(ENGLISH) <= 1.3


def test_an_answer_weighs_about_what_it_is() -> None:
    answer = {"messages": {"SMS": [["2406340726008", "11-24 10:01", "Unread", "+13605550108", None, 12]] * 50}}
    assert 0.95 <= weigh(answer) / tokens(answer) <= 1.25


@pytest.mark.parametrize("writer", WRITERS)
def test_no_kind_of_writing_weighs_much_less_than_it_is(writer: str) -> None:
    text = WRITERS[writer](Random(1))  # noqa: S311
    assert weigh(text) >= 0.8 * tokens(text)


@pytest.mark.parametrize("kind", CORPUS)
def test_nor_does_a_hostile_text(kind: str) -> None:
    for text in CORPUS[kind]:
        assert weigh(text) >= 0.6 * tokens(text), ascii(text[:80])
    assert weigh("".join(CORPUS[kind])) >= 0.85 * tokens("".join(CORPUS[kind]))


@pytest.mark.parametrize("pieces", [["Mc", "Donald"], ["ABCD", "efgh"], ["bc", "Dfg"], ["word", " Word", "  ", "12"]])
def test_a_text_weighs_as_its_pieces_do(pieces: list[str]) -> None:
    assert weigh("".join(pieces)) == sum(weigh(piece) for piece in pieces)


def test_what_is_put_together_weighs_as_its_parts_and_the_marks_around_them() -> None:
    inner = 1 + (1 + weigh(" ABc")) + (1 + 1)
    assert weigh({"key ": "Bcd", "of": [" ABc", None]}) == 1 + (2 + weigh("key ") + weigh("Bcd")) + (2 + 1 + inner)


@pytest.mark.parametrize("text", [ENGLISH, "漢字" * 50, "\U0001f4a3" * 50, "zalgo\u0337\u0353" * 20, "1234567890" * 20])
def test_a_clipped_text_is_its_beginning_and_weighs_no_more_than_allowed(text: str) -> None:
    shown = clip(text, 12)
    assert text.startswith(shown.removesuffix("…"))
    assert shown.endswith("…")
    assert weigh(shown) <= 12 + 2


def test_a_text_that_fits_is_left_alone() -> None:
    assert clip("Good morning", 12) == "Good morning"
    assert clip("", 1) == ""


def test_what_does_not_fit_by_tokens_or_by_characters_ends_the_list() -> None:
    things = ["word " * 10] * 10
    each = 1 + weigh(things[0])
    assert len(that_fit(things, things, Budget(tokens=3 * each, chars=10_000))) == 3
    chars = 1 + len(json.dumps(things[0]))
    assert len(that_fit(things, things, Budget(tokens=10_000, chars=4 * chars))) == 4
    assert that_fit(things, things, Budget(tokens=1, chars=1)) == []
