"""Which pages are asked for: `2`, `1-3`, `1,4-6`, `7-`."""

import re

_PART = re.compile("([1-9][0-9]{0,5})(-([1-9][0-9]{0,5})?)?")

Selection = tuple[tuple[int, int | None], ...]
"""First and last page of each stretch, from 1; no last one for all that follow."""

EVERYTHING: Selection = ((1, None),)


def selection(pages: str | None) -> Selection:
    """The pages that the text means; everything when there is none.

    Raises:
        ValueError: it is no list of pages.
    """
    if pages is None:
        return EVERYTHING
    return tuple(_stretch(part.strip()) for part in pages.split(","))


def chosen(asked: Selection, count: int) -> list[int]:
    """The pages there are of those asked for, each once, in their order."""
    numbers = {n for first, last in asked for n in range(first, min(last or count, count) + 1)}
    return sorted(numbers)


def written(numbers: list[int]) -> str:
    """Pages as they would be asked for: `1-3, 5`."""
    stretches: list[list[int]] = []
    for n in numbers:
        if stretches and n == stretches[-1][-1] + 1:
            stretches[-1][1:] = [n]
        else:
            stretches.append([n])
    return ", ".join("-".join(map(str, stretch)) for stretch in stretches)


def _stretch(part: str) -> tuple[int, int | None]:
    found = _PART.fullmatch(part)
    if not found:
        raise ValueError("takes pages such as 2, 1-3 or 1,4-6")
    first = int(found[1])
    last = int(found[3]) if found[3] else None if found[2] else first
    if last is not None and last < first:
        raise ValueError(f"{part} ends before it begins")
    return first, last
