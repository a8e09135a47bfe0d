"""PDF documents: their text, and pages drawn by pdfium."""

import math
from contextlib import suppress
from typing import Any, BinaryIO

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import Note, PagePicture, PageText, Way
from rc_mcp.media.worker.annotations import is_drawn_on, written_on
from rc_mcp.media.worker.ocr import read_page
from rc_mcp.media.worker.page import Box, PageError, picture, slices
from rc_mcp.media.worker.text_layer import text_layer

_pdfium: Any = pypdfium2
"""Untyped: half of its types are unknown."""
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
                return _text(page, number, whatever=way == "any_text")
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


def _text(page: Any, number: int, *, whatever: bool) -> PageText | None:
    """Return the text of a page with its form fields and annotations.

    Return None if there is none. Return None too if it cannot stand for the page, unless `whatever` is asked for.
    """
    layer = text_layer(page)
    if not whatever and not (layer and layer.is_the_page):
        return None
    written = written_on(page)
    notes: list[Note] = [*layer.notes] if layer and layer.text else []
    if written:
        notes.append("filled")
    if is_drawn_on(page):
        notes.append("drawn_over")
    text = "\n".join([*([layer.text] if layer else []), *written])[: LIMITS.page_text_chars].strip()
    return PageText(page=number, text=text, notes=notes) if text else None


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
