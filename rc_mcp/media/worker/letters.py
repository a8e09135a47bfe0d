"""Whether a font's letters look like the letters that its text names: a wrong table in a PDF can name others."""

import string
from collections.abc import Iterable
from functools import cache
from statistics import mean
from typing import cast

from PIL import Image, ImageDraw, ImageFont

from rc_mcp.media.worker.page import Box

_SIDE = 16
"""Letters are compared as squares of this many pixels a side."""
_LETTERS = string.ascii_letters + string.digits + "".join(chr(n) for n in range(0xC0, 0x100) if chr(n).isalpha())
_LOOKS = 3
"""Pictures of each letter that are compared."""
_LEAST_LETTERS = 10
"""Fewer different letters say nothing."""
_LEAST_PX = 5
"""The height of a letter that can be told from others."""
_BY_CHANCE = 0.27
"""The average rank, from 0 to 1: wrong letters have 0.35 to 0.5, true ones below 0.2, even small or in italics."""


def are_others(page: Image.Image, letters: Iterable[tuple[str, Box]]) -> bool:
    """Return whether the letters of one font, upright and black on white in these boxes, are others than named.

    The measure is how many other letters look more like the picture. Only letters and digits of Latin-1 are
    compared. The answer is False if there are too few of them.
    """
    ranks: dict[str, list[float]] = {}
    for letter, box in letters:
        if letter in _LETTERS and box[3] - box[1] >= _LEAST_PX and len(ranks.get(letter, ())) < _LOOKS:
            ranks.setdefault(letter, []).append(_rank(letter, page.crop(box)))
    return len(ranks) >= _LEAST_LETTERS and mean(mean(of_letter) for of_letter in ranks.values()) > _BY_CHANCE


def _rank(letter: str, image: Image.Image) -> float:
    """Return the share of other letters that look more like the picture; both cases of a letter count as one."""
    seen, shapes = _square(image), _shapes()
    own = min((shape ^ seen).bit_count() for name, shape in shapes if name == letter.lower())
    nearer = {name for name, shape in shapes if (shape ^ seen).bit_count() < own}
    return len(nearer) / (len(dict(shapes)) - 1)


@cache
def _shapes() -> list[tuple[str, int]]:
    """Return the shapes of all letters, each with its letter in lower case."""
    return [(letter.lower(), _square(_drawn(letter))) for letter in _LETTERS]


def _drawn(letter: str) -> Image.Image:
    image = Image.new("L", (120, 120), "white")
    ImageDraw.Draw(image).text((30, 20), letter, font=ImageFont.load_default(size=60), fill="black")
    return image


def _square(image: Image.Image) -> int:
    """Return the inked part of a picture as bits, scaled to a square, and its width to height as as many bits."""
    lightest_and_darkest = cast("tuple[int, int]", image.getextrema())
    middle = sum(lightest_and_darkest) / 2  # thin strokes are never black
    ink = image.point([255 if value < middle else 0 for value in range(256)])
    box = ink.getbbox() or (0, 0, *image.size)
    width, height = box[2] - box[0], box[3] - box[1]
    small = ink.crop(box).resize((_SIDE, _SIDE), Image.Resampling.BOX).point([0] * 96 + [255] * 160, "1")
    wide = round(min(1.0, width / height) * 2 * _SIDE)
    return int.from_bytes(small.tobytes()) << (2 * _SIDE) | ((1 << wide) - 1)
