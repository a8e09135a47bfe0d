"""Parts of long pages."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.worker.page import slices

SIDES = st.integers(1, 100_000)


@pytest.mark.parametrize(
    "size", [(1728, 2200), (1700, 2800), (2800, 1700), (1440, 3200), (1728, 4), (4, 1728), (600, 1500), (1, 1)]
)
def test_a_page_that_is_readable_as_one_picture_has_one_part(size: tuple[int, int]) -> None:
    assert slices(*size) == [(0, 0, *size)]


@pytest.mark.parametrize(("size", "parts"), [((1728, 10_000), 5), ((10_000, 1728), 5), ((1728, 15_433), 7)])
def test_a_long_page_has_parts_of_the_shape_of_paper(size: tuple[int, int], parts: int) -> None:
    found = slices(*size)
    assert len(found) == parts
    for left, top, right, bottom in found:
        assert max(right - left, bottom - top) / min(right - left, bottom - top) < 1.5


@given(SIDES, SIDES)
def test_the_parts_cover_the_page_in_order_and_overlap(width: int, height: int) -> None:
    found = slices(width, height)
    assert 1 <= len(found) <= LIMITS.parts_per_page
    assert found[0][:2] == (0, 0)
    assert found[-1][2:] == (width, height)
    axis = 1 if height > width else 0
    for before, after in pairwise(found):
        assert before[axis] < after[axis] < before[axis + 2] < after[axis + 2]
