"""The interface of documents, and the conversion of pages to pictures that a model can read."""

import base64
import io
import math
from typing import Protocol, cast

from PIL import Image, ImageFilter

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import PagePicture, PageText, Reason, Way

_GRAYS = [17 * n for n in range(16)]
"""Enough for smooth letters at four bits per pixel."""
_NEAREST_GRAY = [round(value / 17) for value in range(256)]
_COLORLESS = 12
"""The highest saturation in a page that counts as gray: JPEG adds a little color."""
_HALFTONE = ImageFilter.GaussianBlur(1.6)
_QUALITIES = (80, 60, 40, 20)
_LONG = 2.25
"""A page is long if its long side has more than this many short sides. Screens of telephones have up to 2.22."""
_SHRUNK = 1.5
"""A page stays whole if its picture is no smaller than by this factor."""
_PART = math.sqrt(2)
"""The shape of a part of a long page, which is that of a sheet of paper."""
_OVERLAP = 0.04
"""The share of a part that repeats the end of the part before it, so that each line is whole in one of them."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels from the top left corner."""


class PageError(Exception):
    """A page or a document cannot be read."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class OcrNotLoadedError(Exception):
    """OCR is installed, but cannot be loaded."""

    def __init__(self, lacking: str) -> None:
        super().__init__(lacking)
        self.lacking = lacking


class Document(Protocol):
    """An open document."""

    count: int
    or_more: bool
    """There are more pages than were counted."""

    def parts(self, number: int) -> int:
        """Return how many parts a page has as a picture or for OCR: 1, or more if it is long.

        Raises:
            PageError: the page cannot be read.
        """
        ...

    def give(self, number: int, part: int, way: Way) -> PageText | PagePicture | None:
        """Return the text layer of a page, or one part of the page by OCR or as a picture.

        Return None if there is no content in that way.

        Raises:
            PageError: the page cannot be read.
            OcrNotLoadedError: OCR cannot be loaded.
        """
        ...


def fitting(size: tuple[float, float], long_side_px: int) -> tuple[int, int]:
    """Return the size, in whole pixels, with this long side."""
    scale = long_side_px / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def slices(width: float, height: float) -> list[Box]:
    """Return the parts, from the top or the left, in which a page of this size in pixels can be read.

    A page has one part, unless it is long: as one picture, a meter of fax would have letters of three pixels.
    """
    short, long = sorted((width, height))
    best, count = max(short * _PART, LIMITS.long_side_px), 1
    if long > max(short * _LONG, LIMITS.long_side_px * _SHRUNK):
        count = min(math.ceil((long / best - _OVERLAP) / (1 - _OVERLAP)), LIMITS.parts_per_page)
    part = long / (count - (count - 1) * _OVERLAP)
    starts = [part * (1 - _OVERLAP) * n for n in range(count)]
    cuts = [(math.floor(start), math.ceil(min(start + part, long))) for start in starts]
    if height > width:
        return [(0, start, math.ceil(width), end) for start, end in cuts]
    return [(start, 0, end, math.ceil(height)) for start, end in cuts]


def picture(number: int, image: Image.Image, part: int = 1, parts: int = 1) -> PagePicture:
    """Return a part of a page as a picture: one bit, gray or color like its source.

    It is a PNG, or a JPEG if the PNG is too large.
    """
    source = _flat(image)
    image = _scaled(source)
    if image.mode == "RGB" and _is_colorless(image):
        image = image.convert("L")
    data, mime_type = _png(_in_few_grays(image) if image.mode == "L" else image), "image/png"
    if len(data) > LIMITS.png_bytes:
        # Of pages in one bit, only halftones are so large. Blurred, their dots become the grays that they stand for.
        blurred = _scaled(source.convert("L").filter(_HALFTONE)) if source.mode == "1" else image
        if len(smaller := _jpeg(blurred)) < len(data):
            data, mime_type = smaller, "image/jpeg"
    return PagePicture(page=number, part=part, parts=parts, mime_type=mime_type, base64=base64.b64encode(data).decode())


def _scaled(image: Image.Image) -> Image.Image:
    if max(image.size) <= LIMITS.long_side_px:
        return image
    # One bit scaled down needs gray, or thin strokes vanish.
    image = image.convert("L") if image.mode == "1" else image
    return image.resize(fitting(image.size, LIMITS.long_side_px), Image.Resampling.LANCZOS, reducing_gap=3)


def _flat(image: Image.Image) -> Image.Image:
    """Convert to mode `1`, `L` or `RGB`, with white behind transparent parts."""
    if image.mode in {"1", "L", "RGB"}:
        return image
    if image.mode.startswith(("I", "F")):
        # Scanners write 16 bits of gray and more.
        deep = image.convert("F")
        low, high = cast("tuple[float, float]", deep.getextrema())
        return deep.point(lambda value: (value - low) * (255 / ((high - low) or 1.0))).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode == "LA" else "RGB")


def _is_colorless(image: Image.Image) -> bool:
    small = image.resize(fitting(image.size, min(400, max(image.size))), Image.Resampling.BOX)
    saturation = small.convert("HSV").getchannel("S")
    return cast("tuple[int, int]", saturation.getextrema())[1] <= _COLORLESS


def _in_few_grays(image: Image.Image) -> Image.Image:
    shades = image.point(_NEAREST_GRAY)
    shades.putpalette([part for gray in _GRAYS for part in (gray, gray, gray)])
    return shades


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _jpeg(image: Image.Image) -> bytes:
    """Return a JPEG of the best quality that fits into an answer: even noise does in the last one."""
    image, data = image.convert("L" if image.mode in {"1", "L"} else "RGB"), b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        data = out.getvalue()
        if len(data) <= LIMITS.base64_bytes // 4 * 3:
            break
    return data
