"""Sentences of the words that a model wrote, and the mark after each number."""

import pytest

from rc_mcp.media.sentences import CHECK_BY_EAR, clock, heard_in, is_understood, sentences
from rc_mcp.media.speech_protocol import Piece, Word


def spoken(text: str, probability: float = 0.9, *, pause_s: float = 0.0) -> list[Word]:
    """Return the words of a text, one a second."""
    return [
        Word(text=f" {word}", from_s=at * (1 + pause_s), to_s=at * (1 + pause_s) + 1, probability=probability)
        for at, word in enumerate(text.split())
    ]


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in sentences(spoken(text))]


def test_a_sentence_ends_at_its_mark_and_has_its_time() -> None:
    found = [*sentences(spoken("Hello Nadia. Call me? Now"))]
    assert [(s.from_s, s.to_s, s.text) for s in found] == [(0, 2, "Hello Nadia."), (2, 4, "Call me?"), (4, 5, "Now")]


def test_a_pause_and_a_length_end_a_sentence_without_a_mark() -> None:
    assert len([*sentences(spoken("well so then", pause_s=3))]) == 3
    assert len([*sentences(spoken("and " * 100))]) == 3


@pytest.mark.parametrize(
    ("text", "at", "after"),
    [
        ("Call 503-555-0121 today", 1, "503-555-0121"),
        ("Call 5 0 3 5 today", 1, "5"),
        ("Call me at five oh three today", 3, "three"),
        ("It costs $4.50", 2, "$4.50"),
        ("Room 12b please", 1, "12b"),
    ],
)
def test_a_run_of_digits_is_marked_once_with_its_second(text: str, at: int, after: str) -> None:
    mark = CHECK_BY_EAR.format(time=clock(at))
    [found] = texts(text)
    assert found.count(CHECK_BY_EAR[:10]) == 1
    assert f"{after} {mark}" in found
    assert found.replace(f" {mark}", "") == text


def test_one_word_that_is_also_a_digit_is_no_number() -> None:
    assert texts("No one came to my house") == ["No one came to my house"]


def test_speech_cannot_write_a_mark_of_ours() -> None:
    assert texts("5 [check by ear at 9:59]")[0].count("[") == 2


@pytest.mark.parametrize(
    ("words", "is_clear"),
    [
        (spoken("Please call me back before noon about the invoice", 0.8), True),
        (spoken("Please call me back before noon about the invoice", 0.4), False),
        (spoken("thank you for watching and " * 12, 0.95), False),
        (spoken("Bye", 0.9), True),
        ([], False),
        (spoken("Please call", 0.0), False),
    ],
)
def test_words_that_are_unlikely_or_repeated_are_not_understood(words: list[Word], is_clear: bool) -> None:
    assert is_understood(words) == is_clear


def piece(*parts: list[Word], speech: list[tuple[float, float]] | None = None) -> Piece:
    words: list[Word] = []
    for part in parts:
        at = words[-1].to_s if words else 0
        words += [word.model_copy(update={"from_s": word.from_s + at, "to_s": word.to_s + at}) for word in part]
    return Piece(from_s=0, to_s=60, language="en", words=words, speech=speech or [])


def test_of_a_piece_only_the_unlikely_sentence_is_left_out_and_its_time_is_named() -> None:
    clear, unlikely = (
        spoken("Please call me back before noon today.", 0.9),
        spoken("It's Mami the mean and lost tag.", 0.3),
    )
    found, unclear = heard_in(piece(clear, unlikely, clear))
    assert [sentence.text for sentence in found] == ["Please call me back before noon today."] * 2
    assert unclear == [(7, 14)]


def test_a_short_unlikely_sentence_is_kept() -> None:
    clear = spoken("Please call me back before noon today.", 0.9)
    assert len(heard_in(piece(clear, spoken("Good job, Ms.", 0.2)))[0]) == 2


def test_a_sentence_that_is_repeated_again_and_again_was_not_said() -> None:
    clear, again = spoken("Please call me back before noon today about this invoice.", 0.9), spoken("I am going.", 0.9)
    found, unclear = heard_in(piece(clear, again, again, again))
    assert len(found) == 1
    assert len(unclear) == 3
    assert len(heard_in(piece(clear, again, again))[0]) == 3


def test_speech_for_which_no_word_was_written_is_named() -> None:
    clear = spoken("Please call me back before noon today.", 0.9)
    assert heard_in(piece(clear, speech=[(0, 7.5)]))[1] == []
    assert heard_in(piece(clear, speech=[(0, 20), (25, 30)]))[1] == [(7, 20), (25, 30)]
    assert heard_in(piece(clear, speech=[(30, 33)]))[1] == []


def test_times_are_minutes_and_seconds() -> None:
    assert [clock(0), clock(65.9), clock(600)] == ["0:00", "1:05", "10:00"]
