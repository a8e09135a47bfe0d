"""Faxes from real encoders, in three resolutions, as our server shows them: one sheet of pictures, to look at.

Encoders that are not installed are left out (Debian packages libtiff-tools and efax).
"""

import base64
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
from PIL import Image, ImageDraw, ImageFont

from rc_mcp.media.reading import no_progress, read_document
from rc_mcp.media.selection import EVERYTHING

_RESOLUTIONS = {"standard": 98, "fine": 196, "superfine": 391}
_CELL = (300, 420)
_COLUMNS = 7


def page(lines_per_inch: int) -> Image.Image:
    """Return a letter page with words and a circle, with 204 dots per inch across."""
    size = 1728, 11 * 196
    image = Image.new("L", size, "white")
    draw = ImageDraw.Draw(image)
    for number, text in enumerate(("Referral of 29 November", "Visits approved: 8", "the shape is a circle")):
        draw.text((120, 120 + 110 * number), text, font=ImageFont.load_default(size=80), fill="black")
    draw.ellipse((464, 800, 1264, 1600), outline="black", width=12)
    return image.resize((1728, 11 * lines_per_inch)).convert("1")


def _tiffcp(source: Path, out: Path, lines_per_inch: int, compression: str) -> None:
    subprocess.run(["tiffcp", "-c", compression, source, out], check=True, capture_output=True)


def _efix(source: Path, out: Path, lines_per_inch: int) -> None:
    pbm = source.with_suffix(".pbm")
    page(_RESOLUTIONS["fine"]).save(pbm)  # efix takes that for granted, and scales the lines
    resolution = f"204x{lines_per_inch}"
    made = subprocess.run(["efix", "-otiffg3", "-r", resolution, pbm], check=True, capture_output=True)
    out.write_bytes(made.stdout)


_ENCODERS: dict[str, tuple[str, Callable[[Path, Path, int], None]]] = {
    **{
        f"tiffcp {c}": ("tiffcp", partial(_tiffcp, compression=c))
        for c in ("g3:1d", "g3:2d", "g3:1d:fill", "g3:2d:fill", "g4")
    },
    "efix tiffg3": ("efix", _efix),
}


def faxes(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield a name and a file for each encoder that is installed, in each resolution."""
    for resolution, lines_per_inch in _RESOLUTIONS.items():
        source = folder / "source.tif"
        page(lines_per_inch).save(source, dpi=(204, lines_per_inch))
        for name, (program, encode) in _ENCODERS.items():
            if shutil.which(program):
                out = folder / f"{resolution}-{name.replace(' ', '-').replace(':', '-')}.tif"
                try:
                    encode(source, out, lines_per_inch)
                except subprocess.CalledProcessError as error:
                    sys.stderr.write(f"{name}, {resolution}: {error.stderr.decode(errors='replace')[:200]}\n")
                    continue
                yield f"{name}, {resolution}", out


async def shown(fax: Path) -> Image.Image | str:
    """Return the first page as our server shows it, or why it does not."""
    with fax.open("rb") as file:
        reading = await read_document(file, "image/tiff", ["picture"], EVERYTHING, no_progress)
    if not reading.pictures:
        return str(reading.why or reading.failed)
    return Image.open(io.BytesIO(base64.b64decode(reading.pictures[0].base64)))


def main(out: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cells = [(name, anyio.run(shown, fax)) for name, fax in faxes(Path(folder))]
    sheet = Image.new("L", (_CELL[0] * _COLUMNS, _CELL[1] * -(-max(1, len(cells)) // _COLUMNS)), 200)
    for number, (name, seen) in enumerate(cells):
        corner = number % _COLUMNS * _CELL[0], number // _COLUMNS * _CELL[1]
        draw = ImageDraw.Draw(sheet)
        if isinstance(seen, str):
            draw.text((corner[0] + 8, corner[1] + 60), seen, fill=0)
        else:
            sheet.paste(
                seen.convert("L").resize((280, round(280 * seen.height / seen.width))), (corner[0] + 8, corner[1] + 24)
            )
        draw.text((corner[0] + 8, corner[1] + 6), name, fill=0)
    sheet.save(out)
    sys.stdout.write(f"{len(cells)} faxes: {out}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "contact-sheet.png")
