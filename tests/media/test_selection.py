"""Which pages are asked for."""

import pytest

from rc_mcp.media.selection import chosen, selection, written


@pytest.mark.parametrize(
    ("pages", "count", "numbers"),
    [
        (None, 3, [1, 2, 3]),
        ("2", 3, [2]),
        ("1-2,2-3", 9, [1, 2, 3]),
        ("3, 1", 9, [1, 3]),
        ("8-", 10, [8, 9, 10]),
        ("1-999999", 2, [1, 2]),
        ("7", 3, []),
    ],
)
def test_pages_are_those_there_are_each_once_in_their_order(pages: str | None, count: int, numbers: list[int]) -> None:
    assert chosen(selection(pages), count) == numbers


@pytest.mark.parametrize("pages", ["", "0", "a", "3-1", "-2", "1,,2", "1-2-3", "\u0661", "9999999"])
def test_what_is_no_list_of_pages_is_refused(pages: str) -> None:
    with pytest.raises(ValueError, match=r"takes pages|ends before"):
        selection(pages)


def test_pages_are_written_as_they_are_asked_for() -> None:
    assert written([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9"
