"""Faxes by the encoders of others: libtiff (tiffcp, fax2tiff), efax (efix) and spandsp, each if it is installed."""

import ctypes
import ctypes.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

RESOLUTIONS = {"standard": 98, "fine": 196, "superfine": 391}
"""Lines per inch. All have 204 dots per inch across."""
INCHES = {"letter": 11.0, "half a page": 5.5, "long": 33.0}
CIRCLE = 1120, 200, 1680, 760
"""Left, top, right and bottom of the circle of each page, with 204 dots per inch both ways."""
_COLUMNS, _DOTS_PER_INCH = 1728, 204
_FROM_LINE, _LINE = 150, 110
_FINE = RESOLUTIONS["fine"]
_T4_1D, _T4_2D, _T6 = 1, 2, 3
"""Compressions by their numbers in spandsp (t4_rx.h)."""

Encode = Callable[[Path, Path, float, int], None]
"""Write a fax. The arguments: a gray page as TIFF, the file to write, the page's inches, its lines per inch."""


@dataclass(frozen=True)
class Fax:
    """A fax, and the text on its page."""

    name: str
    file: Path
    text: str


def faxes(folder: Path, skipped: Callable[[str], None]) -> Iterator[Fax]:
    """Yield a fax of each encoder in each resolution, and short and long pages of some; name those that are skipped."""
    for name, (needs, encode) in _ENCODERS.items():
        if not (shutil.which(needs) or ctypes.util.find_library(needs)):
            skipped(f"{name}: {needs} is not installed")
            continue
        pages = [("letter", resolution) for resolution in RESOLUTIONS]
        if name in _OF_ALL_LENGTHS:
            pages += [("half a page", "standard"), ("long", "fine")]
        for length, resolution in pages:
            title = f"{name}, {resolution}{'' if length == 'letter' else f', {length}'}"
            inches, lines_per_inch = INCHES[length], RESOLUTIONS[resolution]
            source, out = folder / "source.tif", folder / f"{len(list(folder.iterdir()))}.tif"
            _page(inches, lines_per_inch).save(source, dpi=(_DOTS_PER_INCH, lines_per_inch))
            try:
                encode(source, out, inches, lines_per_inch)
            except (subprocess.CalledProcessError, OSError) as error:
                skipped(f"{title}: {getattr(error, 'stderr', None) or error}")
                continue
            yield Fax(title, out, "\n".join(_lines(inches)))


def _lines(inches: float) -> list[str]:
    count = int((inches * _DOTS_PER_INCH - _FROM_LINE) / _LINE)
    return [f"{n}. Visits for Luis Ortega approved: {7 * n}" for n in range(1, count + 1)]


def _page(inches: float, lines_per_inch: int) -> Image.Image:
    """Return a page in gray, with lines of text on its left and a circle on its right."""
    image = Image.new("L", (_COLUMNS, round(inches * _DOTS_PER_INCH)), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=40)
    for number, line in enumerate(_lines(inches)):
        draw.text((120, _FROM_LINE + _LINE * number), line, font=font, fill="black")
    draw.ellipse(CIRCLE, outline="black", width=12)
    return image.resize((_COLUMNS, round(inches * lines_per_inch)))


def _in_one_bit(source: Path) -> Path:
    out = source.with_suffix(".bit.tif")
    with Image.open(source) as image:
        image.convert("1", dither=Image.Dither.NONE).save(out, dpi=image.info["dpi"], compression="group4")
    return out


def _run(*command: str | Path) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603  our own commands


def _tiffcp(source: Path, out: Path, inches: float, lines_per_inch: int, *, compression: str) -> None:
    del inches, lines_per_inch
    is_gray = compression == "jpeg"
    # A strip of JPEG has a multiple of 8 rows.
    _run("tiffcp", "-r", "64", "-c", compression, source if is_gray else _in_one_bit(source), out)


def _efix(source: Path, out: Path, inches: float, lines_per_inch: int, *, form: str = "tiffg3") -> None:
    """Let efix scale the lines: it takes a picture without a resolution for one of fine resolution."""
    pbm, millimeters = source.with_suffix(".pbm"), f"215x{round(25.4 * inches)}mm"
    _page(inches, _FINE).convert("1", dither=Image.Dither.NONE).save(pbm)
    out.write_bytes(_run("efix", f"-o{form}", "-r", f"204x{lines_per_inch}", "-p", millimeters, pbm))


def _fax2tiff(source: Path, out: Path, inches: float, lines_per_inch: int, *, options: tuple[str, ...]) -> None:
    """Wrap the lines that efix would send over the telephone."""
    raw = source.with_suffix(".g3")
    _efix(source, raw, inches, lines_per_inch, form="fax")
    _run("fax2tiff", "-M", "-R", str(lines_per_inch), *options, "-o", out, raw)


def _spandsp(source: Path, out: Path, inches: float, lines_per_inch: int, *, compression: int) -> None:
    """Send a page from one end of spandsp to the other, with the header line that fax machines add."""
    del inches, lines_per_inch
    library: Any = ctypes.CDLL(ctypes.util.find_library("spandsp"))
    library.t4_tx_init.restype = library.t4_rx_init.restype = ctypes.c_void_p
    sender = ctypes.c_void_p(library.t4_tx_init(None, bytes(_in_one_bit(source)), -1, -1))
    receiver = ctypes.c_void_p(library.t4_rx_init(None, bytes(out), compression))
    if not sender or not receiver:
        raise OSError("spandsp does not open a file")
    library.t4_tx_set_tx_encoding(sender, compression)
    library.t4_rx_set_rx_encoding(receiver, compression)
    library.t4_tx_set_header_info(sender, b"Northlight Health")
    library.t4_tx_start_page(sender)
    for what in ("image_width", "x_resolution", "y_resolution"):
        getattr(library, f"t4_rx_set_{what}")(receiver, getattr(library, f"t4_tx_get_{what}")(sender))
    library.t4_rx_start_page(receiver)
    sent = ctypes.create_string_buffer(4096)
    while (size := library.t4_tx_get_chunk(sender, sent, len(sent))) > 0:
        library.t4_rx_put_chunk(receiver, sent, size)
    library.t4_rx_end_page(receiver)
    library.t4_rx_free(receiver)
    library.t4_tx_free(sender)


_ENCODERS: dict[str, tuple[str, Encode]] = {
    **{
        f"tiffcp {c}": ("tiffcp", partial(_tiffcp, compression=c))
        for c in ("g3:1d", "g3:2d", "g3:1d:fill", "g3:2d:fill", "g4", "jpeg")
    },
    "efix tiffg3": ("efix", _efix),
    "fax2tiff 1-D": ("fax2tiff", partial(_fax2tiff, options=("-5", "-c"))),
    "fax2tiff 2-D": ("fax2tiff", partial(_fax2tiff, options=("-6",))),
    "fax2tiff G4": ("fax2tiff", partial(_fax2tiff, options=("-8", "-m"))),
    "spandsp T.4 1-D": ("spandsp", partial(_spandsp, compression=_T4_1D)),
    "spandsp T.4 2-D": ("spandsp", partial(_spandsp, compression=_T4_2D)),
    "spandsp T.6": ("spandsp", partial(_spandsp, compression=_T6)),
}
"""What each encoder needs, a program or a library, and what it does. fax2tiff needs efix too."""
_OF_ALL_LENGTHS = {"tiffcp g4", "efix tiffg3", "fax2tiff 2-D", "spandsp T.4 1-D"}
