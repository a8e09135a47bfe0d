"""Page selections."""

import pytest

from rc_mcp.media.selection import chosen, first_part, selection, written


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
        ("2.6-", 3, [2, 3]),
    ],
)
def test_a_selection_gives_existing_pages_once_and_in_order(pages: str | None, count: int, numbers: list[int]) -> None:
    assert chosen(selection(pages), count) == numbers


@pytest.mark.parametrize(
    "pages", ["", "0", "a", "3-1", "-2", "1,,2", "1-2-3", "\u0661", "9999999", "1.0", "1-2.3", "1.", ".2"]
)
def test_an_invalid_selection_is_refused(pages: str) -> None:
    with pytest.raises(ValueError, match=r"1,4-6|3-1"):
        selection(pages)


@pytest.mark.parametrize(
    ("pages", "page", "part"), [("2.6-", 2, 6), ("2.6-", 3, 1), ("2.6", 2, 6), ("1-2,2.6", 2, 1), (None, 1, 1)]
)
def test_a_selection_begins_with_a_part_of_a_page_unless_it_has_the_page_whole(
    pages: str | None, page: int, part: int
) -> None:
    assert first_part(selection(pages), page) == part


def test_page_numbers_are_written_as_a_selection() -> None:
    assert written([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9"
