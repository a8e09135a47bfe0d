"""Page selections: `2`, `1-3`, `1,4-6`, `7-`."""

import re

_PART = re.compile("([1-9][0-9]{0,5})(-([1-9][0-9]{0,5})?)?")

Selection = tuple[tuple[int, int | None], ...]
"""First and last page of each range, from 1; None as the last page means all that follow."""

EVERYTHING: Selection = ((1, None),)


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
    numbers = {n for first, last in asked for n in range(first, min(last or count, count) + 1)}
    return sorted(numbers)


def written(numbers: list[int]) -> str:
    """Format page numbers as a selection: `1-3, 5`."""
    ranges: list[list[int]] = []
    for n in numbers:
        if ranges and n == ranges[-1][-1] + 1:
            ranges[-1][1:] = [n]
        else:
            ranges.append([n])
    return ", ".join("-".join(map(str, pages)) for pages in ranges)


def _range(part: str) -> tuple[int, int | None]:
    found = _PART.fullmatch(part)
    if not found:
        raise ValueError("must look like 2, 1-3 or 1,4-6")
    first = int(found[1])
    last = int(found[3]) if found[3] else None if found[2] else first
    if last is not None and last < first:
        raise ValueError(f"{part} ends before it begins")
    return first, last
