"""Pictures, read by Pillow: a fax as TIFF with its pages, or the picture of a text message."""

import io
import math
import os
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from PIL import Image, ImageChops, ImageFile, ImageOps, UnidentifiedImageError

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import PagePicture, PageText, Way
from rc_mcp.media.worker.ocr import read_page
from rc_mcp.media.worker.page import PageError, picture, slices
from rc_mcp.media.worker.resolution import Resolution, resolution
from rc_mcp.media.worker.tiff import Tiff

_READERS = {
    "image/tiff": "TIFF",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
}
_SQUARE = 1.05
"""Dots with sides that differ by less look square: a fax in fine resolution, 204 by 196, stays as sharp as sent."""
_BAD_LINE = re.compile(r"^Fax[0-9]\w*: .*(?:Bad code|Uncompressed|Premature|Line length)", re.MULTILINE)
"""Warnings of libtiff about lines that it could not decode, or not whole."""
Image.MAX_IMAGE_PIXELS = LIMITS.source_px
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Pictures:
    """An open picture, or the pages of a TIFF."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file, self._format = file, _READERS[kind]
        # Only a TIFF has pages: the frames of a GIF are an animation.
        self._file.seek(0)
        self._tiff = Tiff(file.read()) if kind == "image/tiff" else None
        self.count, self.or_more = (len(self._tiff.pages), self._tiff.or_more) if self._tiff else (1, False)
        self._last: tuple[int, Image.Image, bool] | None = None

    def parts(self, number: int) -> int:
        return len(slices(*self._page(number)[0].size))

    def give(self, number: int, part: int, way: Way) -> PageText | PagePicture | None:
        if way in {"text", "any_text"}:
            return None
        page, is_whole = self._page(number)
        boxes = slices(*page.size)
        image = page.crop(boxes[part - 1]) if len(boxes) > 1 else page
        given = (picture if way == "picture" else read_page)(number, image, part, len(boxes))
        return given if given is None or is_whole else given.model_copy(update={"notes": ["incomplete", *given.notes]})

    def _page(self, number: int) -> tuple[Image.Image, bool]:
        """Return a page, upright and with square pixels, and whether it is whole; the last one is kept."""
        if self._last is None or self._last[0] != number:
            image = self._opened(number)
            dots = resolution(image)
            image, is_whole = self._loaded(image, number)
            if not is_whole:
                image = _without_empty_rest(image)
            self._last = number, _square(ImageOps.exif_transpose(image), dots), is_whole
        return self._last[1:]

    def _loaded(self, image: Image.Image, number: int) -> tuple[Image.Image, bool]:
        try:
            with _warnings_of_libtiff() as heard:
                image.load()
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise PageError("too_large") from None
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  untrusted bytes can make Pillow raise anything
            if self._tiff and not self._tiff.has_decoder(number):
                raise PageError("no_decoder") from None
            return self._as_far_as_readable(number), False
        return image, not heard and not (self._tiff and self._tiff.is_cut(number))

    def _as_far_as_readable(self, number: int) -> Image.Image:
        image = self._opened(number)
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with suppress(OSError):  # what libtiff read before it failed is in the picture
                image.load()
            image.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        return image

    def _opened(self, number: int) -> Image.Image:
        """Open a page, which costs little memory, and see that the page would not cost too much."""
        self._file.seek(0)
        try:
            file = io.BytesIO(self._tiff.only(number)) if self._tiff else self._file
            image = Image.open(file, formats=[self._format])
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise PageError("too_large") from None
        except UnidentifiedImageError:
            if self._tiff and not self._tiff.has_decoder(number):
                raise PageError("no_decoder") from None
            raise
        if image.width * image.height > LIMITS.source_px:
            raise PageError("too_large")
        return image


def _without_empty_rest(image: Image.Image) -> Image.Image:
    """Cut off the rows at the bottom that a decoder did not reach.

    Raises:
        PageError: it reached none.
    """
    plain = image.convert("L" if image.mode == "1" else "RGB")
    empty = Image.new(plain.mode, plain.size, cast("Any", plain.getpixel((plain.width - 1, plain.height - 1))))
    box = ImageChops.difference(plain, empty).getbbox()
    if box is None:
        raise PageError("damaged")
    return image.crop((0, 0, image.width, box[3]))


def _square(image: Image.Image, dots: Resolution) -> Image.Image:
    """Make pixels square: a fax in standard resolution has 204 dots per inch across and 98 down."""
    across, down = dots
    if max(across / down, down / across) < _SQUARE:
        return image
    width, height = image.width * max(1.0, down / across), image.height * max(1.0, across / down)
    smaller = min(1.0, math.sqrt(LIMITS.source_px / (width * height)))
    size = max(1, round(width * smaller)), max(1, round(height * smaller))
    return image.convert("L" if image.mode == "1" else image.mode).resize(size, Image.Resampling.BICUBIC)


@contextmanager
def _warnings_of_libtiff() -> Generator[list[str]]:
    """Collect the names of decoders that warn on stderr: a fax decoder leaves out bad lines without an error."""
    heard: list[str] = []
    reading, writing = os.pipe()
    stderr = os.dup(2)
    try:
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)  # more warnings than fit into a pipe are lost
        os.dup2(writing, 2)
        yield heard
    finally:
        os.dup2(stderr, 2)
        with suppress(BlockingIOError):
            heard += _BAD_LINE.findall(os.read(reading, 65536).decode("latin-1"))
        for descriptor in (reading, writing, stderr):
            os.close(descriptor)
