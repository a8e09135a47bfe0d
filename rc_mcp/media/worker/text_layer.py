"""The text layer of a PDF page, compared with what the page shows.

A text layer is not always the text of its page: it can be hidden, be only a line above a scan, or name letters that are
not drawn. Therefore the page is drawn with its text and without: the difference is what a reader sees of it. A page of
text on white paper is drawn once.
"""

import ctypes
import math
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, cast

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image, ImageChops, ImageDraw

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.protocol import Note
from rc_mcp.media.worker.letters import are_others
from rc_mcp.media.worker.page import Box, PageError

_pdfium: Any = pypdfium2
"""Untyped: half of its types are unknown."""
_raw: Any = _pdfium.raw
_OBJECTS = 100_000
"""Texts and images of one page that are looked at. A scanner that cuts a page into strips makes a few hundred."""
_INKS = 6
"""Colors of text over each other that are looked at one by one; if there are more, all are looked at together."""
_PX_PER_POINT = 2.0
_MOST_PX = 8_000_000
"""The size of a page drawn to look at its text: a plan, or a meter of fax."""
_LONG_SIDE_PX = 1000
"""The least size of a page drawn to look at its text."""
_SEEN = 24
"""The difference in gray, of 255, from which a letter is seen on its ground."""
_INK = 64
"""The difference in gray from the ground of an image from which the image shows something."""
_CELL_POINTS = 8
"""Images are compared with text in squares of this side, about a letter."""
_SPECK = 8
"""The ink of a square, of 255, from which it shows something."""
_LEAST_CELLS = 10
"""An image with less ink shows nothing, specks, or something faint."""
_UNREADABLE_SHARE = 0.05
"""A text with more unreadable letters is not the text of its page."""
_UNREADABLE = "\ufffd"
_NEVER_DRAWN = (3, 7)
"""Text rendering modes "invisible" and "clip" (ISO 32000-1, table 106)."""

_Place = Callable[[float, float], tuple[float, float]]
"""From a place on the page, in points, to a pixel of the drawn page."""


@dataclass(frozen=True)
class TextLayer:
    """The text of a page that has a text layer.

    Attributes:
        text: what a reader sees, or what lies invisibly over an image; a broken word has a hyphen and a line break.
            It is empty if too many letters are unreadable, or are not those that are drawn.
        is_the_page: whether the text can stand for the page. It cannot if it is empty, or if images cover most of the
            page and show more than the text says.
    """

    text: str
    notes: list[Note]
    is_the_page: bool


class _Style(NamedTuple):
    """What the letters of one text have in common.

    Attributes:
        ink: its color and transparency, as one number; None if it is never drawn.
        font: a number for its font.
    """

    ink: int | None = None
    font: int = 0
    is_upright: bool = False


class _Letter(NamedTuple):
    """A letter, and where it is drawn; None for spaces and line breaks that the PDF does not have."""

    text: str
    box: Box | None = None
    style: _Style = _Style()


@dataclass
class _Word:
    letters: list[_Letter] = field(default_factory=list[_Letter])
    before: str = ""
    """The spaces and line breaks before it."""

    @property
    def text(self) -> str:
        return "".join(letter.text for letter in self.letters)

    @property
    def box(self) -> Box | None:
        boxes = [letter.box for letter in self.letters if letter.box]
        if not boxes:
            return None
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)


def text_layer(page: Any) -> TextLayer | None:
    """Return the text layer of a page; None if it has no letters. The page must be loaded again to be drawn.

    Raises:
        PageError: the page has no size.
    """
    layer = page.get_textpage()
    if not layer.count_chars():
        return None
    scale = _scale(page)
    words = _words(_letters(layer, _place(page, scale)))
    if not words:
        return None
    images = _image_mask(page, scale)
    ground, letters = _drawn(page, scale, [letter for word in words for letter in word.letters])
    seen = [_is_seen(word, letters) for word in words]
    over = [not is_seen and _is_over_image(word, ground, images) for word, is_seen in zip(words, seen, strict=True)]
    kept = [word for word, *is_kept in zip(words, seen, over, strict=True) if any(is_kept)]
    is_mostly_image = images.histogram()[255] > LIMITS.scan_share * images.width * images.height
    unreadable = _unreadable(kept) + _misnamed(kept, letters)
    notes: dict[Note, bool] = {
        "mostly_image": is_mostly_image,
        "scan_text": any(over),
        "hidden_text": len(kept) < len(words),
        "unreadable_letters": unreadable > 0,
    }
    is_text = unreadable <= _UNREADABLE_SHARE * sum(len(word.letters) for word in kept)
    text = _joined(kept) if is_text else ""
    return TextLayer(
        text=text,
        notes=[note for note, applies in notes.items() if applies],
        is_the_page=bool(text) and not (is_mostly_image and _shows_more(ground, images, kept, scale)),
    )


def _scale(page: Any) -> float:
    """Return the pixels per point in which the page is drawn to look at its text."""
    width, height = page.get_size()
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise PageError("damaged")
    return min(max(_PX_PER_POINT, _LONG_SIDE_PX / max(width, height)), math.sqrt(_MOST_PX / (width * height)))


def _place(page: Any, scale: float) -> _Place:
    """Return the way from a place on the page, in points, to a pixel of the drawn page.

    pdfium converts to whole pixels; a page drawn as a million pixels wide is fine enough.
    """
    fine, (width, height) = 1_000_000, page.get_size()
    x, y = ctypes.c_int(), ctypes.c_int()

    def at(left: float, bottom: float) -> tuple[float, float]:
        _raw.FPDF_PageToDevice(page, 0, 0, fine, fine, 0, left, bottom, x, y)
        return x.value / fine * width * scale, y.value / fine * height * scale

    (x0, y0), (x1, y1), (x2, y2) = at(0, 0), at(width, 0), at(0, height)
    across, down = ((x1 - x0) / width, (y1 - y0) / width), ((x2 - x0) / height, (y2 - y0) / height)
    return lambda left, bottom: (
        x0 + left * across[0] + bottom * down[0],
        y0 + left * across[1] + bottom * down[1],
    )


def _box(corners: Iterable[tuple[float, float]]) -> Box | None:
    """Return the pixels that contain these corners; None if they have no area."""
    xs, ys = zip(*corners, strict=True)
    if not (min(xs) < max(xs) and min(ys) < max(ys)) or not all(map(math.isfinite, (*xs, *ys))):
        return None
    return math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys))


def _letters(layer: Any, place: _Place) -> Iterator[_Letter]:
    styles = dict[int, _Style]()
    half = ""
    for index in range(min(layer.count_chars(), LIMITS.page_text_chars)):
        code = _raw.FPDFText_GetUnicode(layer, index)
        if 0xD800 <= code < 0xDC00:  # the first half of a rare letter
            half = chr(code)
            continue
        text, half = _readable(layer, index, half + chr(code)), ""
        yield _Letter(text) if text.isspace() else _placed(layer, index, text, place, styles)


def _readable(layer: Any, index: int, text: str) -> str:
    """Return a letter as it can be shown; the mark for an unreadable one if the PDF does not say which it is."""
    if _raw.FPDFText_IsHyphen(layer, index) == 1:
        return "-\n"  # pdfium joins the halves of a word, with a character that is none in between
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if _raw.FPDFText_HasUnicodeMapError(layer, index) == 1:
        return _UNREADABLE
    is_readable = text in "\t\r\n" or unicodedata.category(text) not in {"Cc", "Cn", "Co", "Cs"}
    return text if is_readable else _UNREADABLE


def _placed(layer: Any, index: int, text: str, place: _Place, styles: dict[int, _Style]) -> _Letter:
    item = _raw.FPDFText_GetTextObject(layer, index)
    if not item:
        return _Letter(text)
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    _raw.FPDFText_GetCharBox(layer, index, left, right, bottom, top)
    address = ctypes.addressof(item.contents)
    if address not in styles:
        angle = _raw.FPDFText_GetCharAngle(layer, index)
        styles[address] = _Style(_ink(item), _font(item), _is_upright(angle, place))
    return _Letter(text, _box([place(left.value, bottom.value), place(right.value, top.value)]), styles[address])


def _font(item: Any) -> int:
    return ctypes.cast(_raw.FPDFTextObj_GetFont(item), ctypes.c_void_p).value or 0


def _is_upright(angle: float, place: _Place) -> bool:
    (x0, y0), (x1, y1) = place(0, 0), place(math.cos(angle), math.sin(angle))
    return x1 > x0 and abs(y1 - y0) < (x1 - x0) / 10


def _ink(item: Any) -> int | None:
    if _raw.FPDFTextObj_GetTextRenderMode(item) in _NEVER_DRAWN:
        return None
    parts = [ctypes.c_uint() for _ in range(4)]
    _raw.FPDFPageObj_GetFillColor(item, *parts)
    return int.from_bytes(bytes(part.value & 255 for part in parts))


def _words(letters: Iterable[_Letter]) -> list[_Word]:
    words, space = list[_Word](), ""
    for letter in letters:
        if letter.text.isspace():
            space += letter.text
            continue
        if space or not words:
            words.append(_Word(before=space))
            space = ""
        words[-1].letters.append(letter)
    return words


def _drawn(page: Any, scale: float, letters: list[_Letter]) -> tuple[Image.Image, dict[int | None, Image.Image]]:
    """Draw the page without text, and the text of each ink: black on white, where it changes the page."""
    items, has_more = _texts(page)
    drawn = _rendered(page, scale)
    boxes = defaultdict[int, list[Box]](list)
    for letter in letters:
        if letter.style.ink is not None and letter.box:
            boxes[letter.style.ink].append(letter.box)
    changes = dict[int | None, Image.Image]()
    for ink in boxes if 1 < len(boxes) <= _INKS and _overlap(boxes.values(), drawn.size) else ():
        _activate(items[ink], active=False)
        changes[ink] = _changes(drawn, _rendered(page, scale))
        _activate(items[ink], active=True)
    for of_ink in items.values():
        _activate(of_ink, active=False)
    if not has_more:  # white paper need not be drawn
        return Image.new("L", drawn.size, "white"), changes or dict.fromkeys(boxes, _ink_on_white(drawn))
    without_text = _rendered(page, scale) if boxes else drawn
    return without_text.convert("L"), changes or dict.fromkeys(boxes, _changes(drawn, without_text))


def _texts(page: Any) -> tuple[defaultdict[int | None, list[Any]], bool]:
    """Return the texts of a page by ink, and whether the page has anything else."""
    items, has_more = defaultdict[int | None, list[Any]](list), False
    for item in islice(page.get_objects(), _OBJECTS):
        if item.type == _raw.FPDF_PAGEOBJ_TEXT:
            items[_ink(item)].append(item)
        else:
            has_more = True
    return items, has_more


def _overlap(inks: Iterable[list[Box]], size: tuple[int, int]) -> bool:
    """Return whether letters of different inks lie over each other, as a text that hides another one does."""
    covered = Image.new("L", size)
    for boxes in inks:
        own = Image.new("L", size)
        draw = ImageDraw.Draw(own)
        for left, top, right, bottom in boxes:
            draw.rectangle((left, top, right, bottom), fill=255)
        if ImageChops.darker(own, covered).getbbox():
            return True
        covered = ImageChops.lighter(own, covered)
    return False


def _rendered(page: Any, scale: float) -> Image.Image:
    """Draw the page, as RGBX: pillow takes the bytes of pdfium as they are."""
    return page.render(
        scale=scale, may_draw_forms=False, draw_annots=False, rev_byteorder=True, prefer_bgrx=True
    ).to_pil()


def _changes(one: Image.Image, other: Image.Image) -> Image.Image:
    """Return where two drawings differ in any color, black on white."""
    return ImageChops.invert(_joined_colors(ImageChops.difference(one, other), ImageChops.lighter))


def _ink_on_white(image: Image.Image) -> Image.Image:
    """Return where a drawing differs in any color from white, black on white."""
    return _joined_colors(image, ImageChops.darker)


def _joined_colors(image: Image.Image, join: Callable[[Image.Image, Image.Image], Image.Image]) -> Image.Image:
    red, green, blue = (image.getchannel(color) for color in "RGB")
    return join(red, join(green, blue))


def _activate(items: Iterable[Any], *, active: bool) -> None:
    for item in items:
        _raw.FPDFPageObj_SetIsActive(item, active)


def _is_seen(word: _Word, letters: dict[int | None, Image.Image]) -> bool:
    """Return whether at least half of the letters change the page where they are."""
    marks = [
        style.ink is not None and box is not None and _darkest(letters[style.ink], box) <= 255 - _SEEN
        for _, box, style in word.letters
    ]
    return sum(marks) * 2 >= len(marks)


def _is_over_image(word: _Word, ground: Image.Image, images: Image.Image) -> bool:
    """Return whether an image shows something where a word that is not drawn lies."""
    box = word.box and _within(word.box, ground)
    if not box or images.getpixel(((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)) != 255:
        return False
    darkest, lightest = cast("tuple[int, int]", ground.crop(box).getextrema())
    return lightest - darkest >= _INK


def _darkest(image: Image.Image, box: Box) -> int:
    inside = _within(box, image)
    return cast("tuple[int, int]", image.crop(inside).getextrema())[0] if inside else 255


def _within(box: Box, image: Image.Image) -> Box | None:
    """Return the part of a box that lies on the page."""
    left, top, right, bottom = (
        max(0, box[0]), max(0, box[1]), min(image.width, box[2]), min(image.height, box[3])
    )  # fmt: skip
    return (left, top, right, bottom) if left < right and top < bottom else None


def _image_mask(page: Any, scale: float) -> Image.Image:
    """Return the page in the size of its drawing, white where images are."""
    place, (width, height) = _place(page, scale), page.get_size()
    mask = Image.new("L", (math.ceil(width * scale), math.ceil(height * scale)))
    draw = ImageDraw.Draw(mask)
    for item in islice(page.get_objects(filter=[_raw.FPDF_PAGEOBJ_IMAGE]), _OBJECTS):
        box = _box(place(*corner) for corner in _corners(item))
        if box and (inside := _within(box, mask)):
            draw.rectangle((inside[0], inside[1], inside[2] - 1, inside[3] - 1), fill=255)
    return mask


def _corners(item: Any) -> list[tuple[float, float]]:
    """Return the corners of an object on its page: pdfium gives them within the form that contains it."""
    left, bottom, right, top = item.get_bounds()
    corners = [(left, bottom), (left, top), (right, bottom), (right, top)]
    while item := item.container:
        matrix = item.get_matrix()
        corners = [matrix.on_point(*corner) for corner in corners]
    return corners


def _shows_more(ground: Image.Image, images: Image.Image, words: list[_Word], scale: float) -> bool:
    """Return whether most of what the images show lies where there is no text."""
    levels = ground.histogram(images)
    paper = levels.index(max(levels))
    ink = ImageChops.darker(ground.point([255 if abs(value - paper) > _INK else 0 for value in range(256)]), images)
    cell = max(1, round(_CELL_POINTS * scale))
    cells = ink.reduce(cell).point([0] * _SPECK + [255] * (256 - _SPECK))
    without_text = cells.copy()
    draw = ImageDraw.Draw(without_text)
    for word in words:
        if box := word.box:
            left, top, right, bottom = (side / cell for side in box)
            draw.rectangle((left - 0.5, top - 0.5, right + 0.5, bottom + 0.5), fill=0)
    shown, more = cells.histogram()[255], without_text.histogram()[255]
    if shown < _LEAST_CELLS:  # a plain ground of much text, or a scan so faint that it has little more than a header
        return sum(len(word.letters) for word in words) <= LIMITS.scan_text_chars
    return more * 2 > shown


def _unreadable(words: Iterable[_Word]) -> int:
    """Return how many letters cannot be read. One alone is not counted: bullets often have no letter."""
    return sum(word.text.count(_UNREADABLE) for word in words if len(word.letters) > 1)


def _misnamed(words: Iterable[_Word], drawn: dict[int | None, Image.Image]) -> int:
    """Return how many letters are in fonts whose letters look like others."""
    fonts = defaultdict[tuple[int, int | None], list[_Letter]](list)
    for word in words:
        for letter in word.letters:
            if letter.style.is_upright and letter.box:
                fonts[letter.style.font, letter.style.ink].append(letter)
    return sum(
        len(letters)
        for (_, ink), letters in fonts.items()
        if ink is not None and are_others(drawn[ink], ((letter.text, letter.box) for letter in letters if letter.box))
    )


def _joined(words: list[_Word]) -> str:
    return "".join(("\n" if "\n" in word.before else " " if word.before else "") + word.text for word in words).strip()
