"""Faxes of real encoders as our server shows and reads them: a sheet of pictures to look at, and a table.

The table has the picture's size, how much wider than high the circle on it is, and how many of the letters OCR reads.
The command fails if a circle is not round, or if OCR reads too little.
Encoders that are not installed are left out (Debian packages libtiff-tools, efax and libspandsp2).
"""

import base64
import io
import sys
import tempfile
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import BinaryIO

import anyio
from PIL import Image, ImageDraw

from bench.fax_encoders import CIRCLE, Fax, faxes
from rc_mcp.media.protocol import PagePicture
from rc_mcp.media.reading import has_ocr, no_progress, read_document
from rc_mcp.media.selection import EVERYTHING

_CELL = (300, 460)
_LABEL_PX = 54
_COLUMNS = 9
_ROUND = 0.05
"""How much wider or higher than round a circle may be."""
_READ = 0.95
"""The least share of the letters that OCR must read."""


@dataclass(frozen=True)
class Shown:
    """A fax as shown: the first part of its page, and facts about it in words."""

    name: str
    picture: Image.Image | None
    facts: list[str]
    is_right: bool


async def shown(fax: Fax) -> Shown:
    """Return the first page as our server shows and reads it."""
    with fax.file.open("rb") as file:
        seen = await read_document(file, "image/tiff", ["picture"], EVERYTHING, no_progress)
        read = await _by_ocr(file)
    if not seen.pictures:
        return Shown(fax.name, None, [f"not shown: {seen.why or seen.failed}"], is_right=False)
    first: PagePicture = seen.pictures[0]
    picture = Image.open(io.BytesIO(base64.b64decode(first.base64)))
    size = f"{picture.width} x {picture.height}{f', 1 of {first.parts}' if first.parts > 1 else ''}"
    wider, right = _roundness(picture), _right(fax.text, read)
    ocr = f"OCR {right:.1%}" if has_ocr() else "OCR is not installed"
    is_right = abs(wider) <= _ROUND and (right >= _READ or not has_ocr())
    return Shown(fax.name, picture, [size, f"circle {wider:+.1%}", ocr], is_right)


def _roundness(picture: Image.Image) -> float:
    """Return how much wider than high the circle is, as a share."""
    scale, margin = picture.width / 1728, 40
    left, top, right, bottom = (
        round(scale * side) for side in (CIRCLE[0] - margin, CIRCLE[1] - 50, CIRCLE[2] + margin, CIRCLE[3] + margin)
    )
    ink = picture.convert("L").crop((left, top, right, bottom)).point([255] * 128 + [0] * 128)
    box = ink.getbbox()
    return (box[2] - box[0]) / (box[3] - box[1]) - 1 if box else -1.0


async def _by_ocr(file: BinaryIO) -> str:
    """Return the text of all pages and parts, as many answers as that takes."""
    text, left = "", EVERYTHING if has_ocr() else ()
    while left:
        read = await read_document(file, "image/tiff", ["ocr"], left, no_progress)
        text += "\n".join(read.texts.values())
        left = ((read.next_page, None, read.next_part),) if read.next_page else ()
    return text


def _right(text: str, read: str) -> float:
    """Return the share of the letters that OCR read, in the order of the page."""
    wanted, found = ("".join(each.split()) for each in (text, read))
    blocks = SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(wanted)


def _sheet(cells: list[Shown]) -> Image.Image:
    sheet = Image.new("L", (_CELL[0] * _COLUMNS, _CELL[1] * -(-max(1, len(cells)) // _COLUMNS)), 200)
    draw = ImageDraw.Draw(sheet)
    for number, cell in enumerate(cells):
        left, top = number % _COLUMNS * _CELL[0] + 8, number // _COLUMNS * _CELL[1]
        draw.text((left, top + 6), f"{cell.name}\n{', '.join(cell.facts)}", fill=0)
        if cell.picture:
            scale = min((_CELL[0] - 16) / cell.picture.width, (_CELL[1] - _LABEL_PX) / cell.picture.height)
            size = round(cell.picture.width * scale), round(cell.picture.height * scale)
            sheet.paste(cell.picture.convert("L").resize(size), (left, top + _LABEL_PX - 8))
    return sheet


def main(out: str) -> None:
    cells = list[Shown]()
    with tempfile.TemporaryDirectory() as folder:
        for fax in faxes(Path(folder), lambda why: _say(f"left out: {why}")):
            cells.append(anyio.run(shown, fax))
            _say(f"{fax.name:34} {'  '.join(cells[-1].facts)}")
    _sheet(cells).save(out)
    wrong = [cell.name for cell in cells if not cell.is_right]
    _say(f"{len(cells)} faxes: {out}")
    if wrong:
        raise SystemExit(f"not shown or read as they should be: {'; '.join(wrong)}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "contact-sheet.png")
