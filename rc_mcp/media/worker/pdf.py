"""PDF documents: their text, and pages drawn by pdfium."""

import math
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import PagePicture, PageText, Way
from rc_mcp.media.worker.ocr import read_page
from rc_mcp.media.worker.page import Box, PageError, picture, slices

_pdfium: Any = pypdfium2
"""Untyped: half of its types are unknown."""
_OBJECTS = 100
"""Objects checked to recognize a scan; a scanned picture is among the first."""
_POINT_PX = 200 / 72
"""Pixels per point, to tell whether a page is long: as if it were scanned with 200 dots per inch."""


class Pdf:
    """An open PDF."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._pdf = _pdfium.PdfDocument(file)
        except _pdfium.PdfiumError as error:
            locked = error.err_code in {_pdfium.raw.FPDF_ERR_PASSWORD, _pdfium.raw.FPDF_ERR_SECURITY}
            raise PageError("locked" if locked else "damaged") from None
        _show_form(self._pdf)
        pages = len(self._pdf)
        self.count, self.or_more = min(pages, LIMITS.counted_pages), pages > LIMITS.counted_pages

    def parts(self, number: int) -> int:
        page = self._pdf[number - 1]
        try:
            return len(_slices(page))
        finally:
            page.close()

    def give(self, number: int, part: int, way: Way) -> PageText | PagePicture | None:
        page = self._pdf[number - 1]
        try:
            if way in {"text", "any_text"}:
                text = _text(page, even_over_scan=way == "any_text")
                return PageText(page=number, text=text) if text else None
            boxes = _slices(page)
            if way == "ocr":
                return read_page(number, _drawn(page, boxes[part - 1], LIMITS.ocr_long_side_px), part, len(boxes))
            return picture(number, _drawn(page, boxes[part - 1], LIMITS.long_side_px), part, len(boxes))
        finally:
            page.close()


def _show_form(pdf: Any) -> None:
    """Let pages show their form fields, which pdfium draws only if this is called before a page is loaded."""
    with suppress(_pdfium.PdfiumError):  # a damaged form: the pages can still be shown
        pdf.init_forms()


def _text(page: Any, *, even_over_scan: bool) -> str | None:
    """Return the text layer; None if there is none, or only the header line of a scan."""
    layer = page.get_textpage()
    text = layer.get_text_range(0, min(layer.count_chars(), LIMITS.page_text_chars)) if layer.count_chars() else ""
    letters = len("".join(text.split()))
    if not letters or (letters <= LIMITS.scan_text_chars and not even_over_scan and _is_scan(page)):
        return None
    return text


def _is_scan(page: Any) -> bool:
    width, height = page.get_size()
    images = page.get_objects(filter=[_pdfium.raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    return any(_area(image.get_bounds()) > LIMITS.scan_share * width * height for image in islice(images, _OBJECTS))


def _area(bounds: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = bounds
    return max(0.0, right - left) * max(0.0, top - bottom)


def _slices(page: Any) -> list[Box]:
    """Return the parts of a page, in pixels of `_POINT_PX`.

    Raises:
        PageError: the page has no size.
    """
    width, height = page.get_size()
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise PageError("damaged")
    return slices(width * _POINT_PX, height * _POINT_PX)


def _drawn(page: Any, box: Box, long_side_px: int) -> Image.Image:
    """Draw this part of a page, with its form fields and annotations."""
    width, height = page.get_size()
    left, top, right, bottom = (side / _POINT_PX for side in box)
    crop = (left, max(0.0, height - bottom), max(0.0, width - right), top)
    scale = long_side_px / max(min(right, width) - left, min(bottom, height) - top)
    return page.render(scale=scale, crop=crop, rev_byteorder=True).to_pil()
