"""The resolution of a picture, from each place where a file can state it, or as a fax of that size has it."""

import math
from collections.abc import Iterator
from typing import Any, cast

from PIL import ExifTags, Image

_FAX_COLUMNS = {1728, 2048, 2432}
"""Columns of a fax with 8 dots per millimeter: A4 and letter, B4, A3 (ITU-T T.4)."""
_FINE, _STANDARD = (204.0, 196.0), (204.0, 98.0)
_ON_ITS_SIDE = (5, 6, 7, 8)
"""Values of the tag Orientation (TIFF 6.0) that swap rows and columns."""
_JFIF = b"JFIF\0"

Resolution = tuple[float, float]
"""Dots across and down, per inch or per another length."""


def resolution(image: Image.Image) -> Resolution:
    """Return the resolution of a picture as it is seen, which is upright; the picture is open, but not loaded.

    A fax without it has fine resolution, or standard resolution if it would be a short page otherwise.
    """
    stated = [(across, down) for across, down in _stated(image) if _is_plausible(across, down)]
    # A file may have a default such as 72 by 72 in one place, and the truth in another.
    across, down = next((one for one in stated if one[0] != one[1]), None) or (stated[0] if stated else _of_fax(image))
    return (down, across) if _is_on_its_side(image) else (across, down)


def _stated(image: Image.Image) -> Iterator[Resolution]:
    exif = _exif(image)
    for tags in (exif, exif.get_ifd(ExifTags.IFD.Exif)):
        yield _number(tags.get(ExifTags.Base.XResolution)), _number(tags.get(ExifTags.Base.YResolution))
    for name in ("dpi", "resolution", "aspect", "jfif_density"):
        pair = image.info.get(name)
        if isinstance(pair, tuple) and len(cast("tuple[Any, ...]", pair)) == 2:
            across, down = cast("tuple[Any, Any]", pair)
            yield _number(across), _number(down)
    yield from _in_a_jpeg_strip(image)


def _in_a_jpeg_strip(image: Image.Image) -> Iterator[Resolution]:
    """Find the JFIF header of a page that is a JPEG inside a TIFF."""
    if image.format != "TIFF" or image.info.get("compression") != "jpeg":
        return
    tile, file = cast("Any", image).tile, cast("Any", image).fp
    file.seek(tile[0].offset)
    head = file.read(20)
    if head[6:11] == _JFIF:
        yield float(int.from_bytes(head[14:16], "big")), float(int.from_bytes(head[16:18], "big"))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def _is_plausible(across: float, down: float) -> bool:
    """Return whether these are numbers, with dots that are not more than five times as high as wide.

    1 by 1 is what Pillow and writers of JPEG put for an unknown resolution.
    """
    return (
        (across, down) != (1, 1)
        and across > 0
        and down > 0
        and max(across, down) < math.inf
        and max(across / down, down / across) < 5
    )


def _of_fax(image: Image.Image) -> Resolution:
    columns, rows = image.size
    if image.format == "TIFF" and _is_on_its_side(image):  # Pillow has swapped them already
        columns, rows = rows, columns
    if image.mode != "1" or columns not in _FAX_COLUMNS:
        return 1.0, 1.0
    # A sheet has 1.2 times as many rows as columns or more, and half as many in standard resolution.
    return _STANDARD if rows < 0.9 * columns else _FINE


def _is_on_its_side(image: Image.Image) -> bool:
    return _exif(image).get(ExifTags.Base.Orientation) in _ON_ITS_SIDE


def _exif(image: Image.Image) -> Image.Exif:
    """Return the EXIF of a picture, or the tags of a TIFF. For a PNG without EXIF, Pillow would load the pixels."""
    return image.getexif() if image.format == "TIFF" or "exif" in image.info else Image.Exif()
