"""Pictures, by Pillow: a fax as TIFF, with a page in each frame, or the one picture of a text message."""

import warnings
from typing import BinaryIO

from PIL import Image, ImageOps

from rc_mcp.media.limits import LIMITS
from rc_mcp.media.messages import PagePicture, PageText, Way
from rc_mcp.media.worker.ocr import read_page
from rc_mcp.media.worker.page import PageError, fitting, picture

_READERS = {
    "image/tiff": "TIFF",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
}
Image.MAX_IMAGE_PIXELS = LIMITS.source_px
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Pictures:
    """An open picture, or the frames of a TIFF."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        try:
            self._image = Image.open(file, formats=[_READERS[kind]])
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise PageError("too_large") from None
        # Only a TIFF has pages: the frames of a GIF are one picture that moves.
        self.count, self.or_more = self._frames() if kind == "image/tiff" else (1, False)

    def give(self, number: int, way: Way) -> PageText | PagePicture | None:
        """One page in one way."""
        if way in {"text", "any_text"}:
            return None
        if number > 1:
            self._image.seek(number - 1)
        if self._image.width * self._image.height > LIMITS.source_px:
            raise PageError("too_large")
        image = _square(ImageOps.exif_transpose(self._image))
        return picture(number, image) if way == "picture" else read_page(number, image)

    def _frames(self) -> tuple[int, bool]:
        """How many there are, one after the other: a file can claim a million, or go round in a circle."""
        for number in range(1, LIMITS.counted_pages):
            try:
                self._image.seek(number)
            except EOFError:
                self._image.seek(0)
                return number, False
        self._image.seek(0)
        return LIMITS.counted_pages, True


def _square(image: Image.Image) -> Image.Image:
    """With square pixels: a fax in standard resolution has 204 dots to the inch across and 98 down."""
    across, down = (float(dpi) for dpi in image.info.get("dpi", (1, 1)))
    if not (across > 0 and down > 0 and 1.2 < across / down < 3):
        return image
    longest = min(max(image.width, image.height * across / down), 2 * LIMITS.long_side_px)
    size = fitting((image.width, image.height * across / down), int(longest))
    return image.convert("L" if image.mode == "1" else image.mode).resize(size, Image.Resampling.BICUBIC)
