"""Page selections: `2`, `1-3`, `1,4-6`, `7-`, and `2.6-` from the sixth part of a long page."""

import re

_PART = re.compile("([1-9][0-9]{0,5})([.]([1-9][0-9]?))?(-([1-9][0-9]{0,5})?)?")

Selection = tuple[tuple[int, int | None, int], ...]
"""First and last page of each range, and the part of its first page that it begins with, all from 1.

None as the last page means all that follow.
"""

EVERYTHING: Selection = ((1, None, 1),)


def selection(pages: str | None) -> Selection:
    """Parse a page selection; None selects all pages.

    Raises:
        ValueError: the text is not a valid page selection.
    """
    if pages is None:
        return EVERYTHING
    return tuple(_range(part.strip()) for part in pages.split(","))


def chosen(asked: Selection, count: int) -> list[int]:
    """Return the selected pages that exist, each once, in order."""
    numbers = {n for first, last, _ in asked for n in range(first, min(last or count, count) + 1)}
    return sorted(numbers)


def first_part(asked: Selection, page: int) -> int:
    """Return the part of a selected page to begin with, from 1."""
    return min(part if first == page else 1 for first, last, part in asked if first <= page <= (last or page))


def written(numbers: list[int]) -> str:
    """Format page numbers as a selection: `1-3, 5`."""
    ranges: list[list[int]] = []
    for n in numbers:
        if ranges and n == ranges[-1][-1] + 1:
            ranges[-1][1:] = [n]
        else:
            ranges.append([n])
    return ", ".join("-".join(map(str, pages)) for pages in ranges)


def _range(part: str) -> tuple[int, int | None, int]:
    found = _PART.fullmatch(part)
    if not found:
        raise ValueError("must look like 2, 1-3 or 1,4-6")
    first = int(found[1])
    last = int(found[5]) if found[5] else None if found[4] else first
    if last is not None and last < first:
        raise ValueError(f"{part} ends before it begins")
    return first, last, int(found[3] or 1)
