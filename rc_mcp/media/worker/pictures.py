"""Pictures, by Pillow: a fax as TIFF, with a page in each frame, or the one picture of a text message."""

import warnings
from typing import BinaryIO

from PIL import ExifTags, Image, ImageOps

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
_ON_ITS_SIDE = (5, 6, 7, 8)
"""Values of the tag Orientation (TIFF 6.0) with which rows are stored as columns."""
Image.MAX_IMAGE_PIXELS = LIMITS.source_px
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Pictures:
    """An open picture, or the frames of a TIFF."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file, self._format = file, _READERS[kind]
        self._image = self._opened()
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
        image = _square(self._upright())
        return picture(number, image) if way == "picture" else read_page(number, image)

    def _opened(self) -> Image.Image:
        try:
            return Image.open(self._file, formats=[self._format])
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise PageError("too_large") from None

    def _upright(self) -> Image.Image:
        """The page as it is to be seen. Pillow turns it, and leaves its dots to the inch as they were."""
        on_its_side = self._image.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE
        # In place, so that a page that is given in a second way is not turned again.
        ImageOps.exif_transpose(self._image, in_place=True)
        if on_its_side and "dpi" in self._image.info:
            self._image.info["dpi"] = self._image.info["dpi"][::-1]
        return self._image

    def _frames(self) -> tuple[int, bool]:
        """How many there are, one after the other: a file can claim a million, or go round in a circle.

        One that cannot be read ends it, as what follows is found by way of it.
        """
        for number in range(1, LIMITS.counted_pages):
            try:
                self._image.seek(number)
            except EOFError:
                self._image.seek(0)
                return number, False
            except Exception:  # noqa: BLE001  whatever a stranger's bytes lead Pillow to raise
                # Of what it read of that frame, some would stick to the one before.
                self._image = self._opened()
                return number, True
        self._image.seek(0)
        return LIMITS.counted_pages, True


def _square(image: Image.Image) -> Image.Image:
    """With square pixels: a fax in standard resolution has 204 dots to the inch across and 98 down."""
    across, down = (float(dpi) for dpi in image.info.get("dpi", (1, 1)))
    if not (across > 0 and down > 0 and 1.2 < max(across / down, down / across) < 3):
        return image
    square = image.width * max(1.0, down / across), image.height * max(1.0, across / down)
    size = fitting(square, int(min(max(square), 2 * LIMITS.long_side_px)))
    return image.convert("L" if image.mode == "1" else image.mode).resize(size, Image.Resampling.BICUBIC)
