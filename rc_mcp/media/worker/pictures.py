"""Pictures, read by Pillow: a fax as TIFF with one page per frame, or the picture of a text message."""

import warnings
from typing import BinaryIO

from PIL import ExifTags, Image, ImageOps

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import PagePicture, PageText, Way
from rc_mcp.media.worker.ocr import read_page
from rc_mcp.media.worker.page import PageError, fitting, picture, slices

_READERS = {
    "image/tiff": "TIFF",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
}
_ON_ITS_SIDE = (5, 6, 7, 8)
"""Values of the tag Orientation (TIFF 6.0) that swap rows and columns."""
Image.MAX_IMAGE_PIXELS = LIMITS.source_px
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Pictures:
    """An open picture, or the frames of a TIFF."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file, self._format = file, _READERS[kind]
        self._image = self._opened()
        self._last: tuple[int, Image.Image] | None = None
        # Only a TIFF has pages: the frames of a GIF are an animation.
        self.count, self.or_more = self._frames() if kind == "image/tiff" else (1, False)

    def parts(self, number: int) -> int:
        return len(slices(*self._page(number).size))

    def give(self, number: int, part: int, way: Way) -> PageText | PagePicture | None:
        if way in {"text", "any_text"}:
            return None
        page = self._page(number)
        boxes = slices(*page.size)
        image = page.crop(boxes[part - 1]) if len(boxes) > 1 else page
        return (picture if way == "picture" else read_page)(number, image, part, len(boxes))

    def _page(self, number: int) -> Image.Image:
        """Return a page, upright and with square pixels; the last one is kept, because it is asked for in parts."""
        if self._last and self._last[0] == number:
            return self._last[1]
        if number > 1:
            self._image.seek(number - 1)
        if self._image.width * self._image.height > LIMITS.source_px:
            raise PageError("too_large")
        page = _square(self._upright())
        self._last = number, page
        return page

    def _opened(self) -> Image.Image:
        try:
            return Image.open(self._file, formats=[self._format])
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise PageError("too_large") from None

    def _upright(self) -> Image.Image:
        """Return the page upright. Pillow turns it, but does not swap its dots per inch."""
        on_its_side = self._image.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE
        # In place, so that a second way does not turn the page again.
        ImageOps.exif_transpose(self._image, in_place=True)
        if on_its_side and "dpi" in self._image.info:
            self._image.info["dpi"] = self._image.info["dpi"][::-1]
        return self._image

    def _frames(self) -> tuple[int, bool]:
        """Count the frames one by one: a file can claim a million, or link them in a circle.

        Counting ends at an unreadable frame, because later frames are found only through it.
        """
        for number in range(1, LIMITS.counted_pages):
            try:
                self._image.seek(number)
            except EOFError:
                self._image.seek(0)
                return number, False
            except Exception:  # noqa: BLE001  untrusted bytes can make Pillow raise anything
                # Reopened, because parts of the bad frame would stay with the frame before it.
                self._image = self._opened()
                return number, True
        self._image.seek(0)
        return LIMITS.counted_pages, True


def _square(image: Image.Image) -> Image.Image:
    """Make pixels square: a fax in standard resolution has 204 dots per inch across and 98 down."""
    across, down = (float(dpi) for dpi in image.info.get("dpi", (1, 1)))
    if not (across > 0 and down > 0 and 1.2 < max(across / down, down / across) < 3):
        return image
    square = image.width * max(1.0, down / across), image.height * max(1.0, across / down)
    size = fitting(square, int(min(max(square), 2 * LIMITS.long_side_px)))
    return image.convert("L" if image.mode == "1" else image.mode).resize(size, Image.Resampling.BICUBIC)
