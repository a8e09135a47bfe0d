"""Documents for tests, made by code: honest ones with words we know, and ones that were made to do harm."""

import io
import struct
from collections.abc import Sequence

from PIL import ExifTags, Image, ImageDraw, ImageFont

A_PAGE = (1728, 1100)
"""Half a page of fax, in fine resolution."""


def page(*lines: str, size: tuple[int, int] = A_PAGE) -> Image.Image:
    """A page with these lines, in one bit as a fax has it."""
    image = Image.new("L", size, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=60)
    for number, line in enumerate(lines):
        draw.text((80, 80 + 110 * number), line, font=font, fill="black")
    return image.convert("1")


def halftone() -> Image.Image:
    """A page of a photograph in dots, as fax machines send it."""
    grain = Image.effect_noise((400, 500), 60).resize((1728, 2200), Image.Resampling.BICUBIC)
    return Image.blend(grain, Image.radial_gradient("L").resize((1728, 2200)), 0.6).convert("1")


def tiff(pages: Sequence[Image.Image], dpi: tuple[float, float] = (204, 196), orientation: int = 1) -> bytes:
    """A fax as TIFF: a page in each frame, Group 4."""
    out, turned = io.BytesIO(), {ExifTags.Base.Orientation: orientation}
    pages[0].save(out, "TIFF", compression="group4", save_all=True, append_images=pages[1:], dpi=dpi, tiffinfo=turned)
    return out.getvalue()


def jpeg(image: Image.Image) -> bytes:
    """The same as a JPEG."""
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG")
    return out.getvalue()


def scan(pages: Sequence[Image.Image]) -> bytes:
    """Return a PDF of pictures without a text layer."""
    out = io.BytesIO()
    pages[0].convert("L").save(out, "PDF", save_all=True, append_images=[p.convert("L") for p in pages[1:]])
    return out.getvalue()


def pdf(texts: Sequence[str], *, media_box: str = "0 0 612 792", behind: str = "", trailer: str = "") -> bytes:
    """Return a PDF with a text layer: a page for each text, over the drawing `behind`."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(texts)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    fonts = "/Resources << /Font << /F1 3 0 R >> >>"
    for n, text in enumerate(texts):
        lines = "".join(f"({line}) Tj 0 -30 Td " for line in text.splitlines())
        stream = f"{behind}BT /F1 24 Tf 60 700 Td {lines}ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{media_box}] /Contents {5 + 2 * n} 0 R {fonts} >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    return _numbered(objects, trailer)


def drawn_pdf(content: str, *, page: str = "", catalog: str = "", objects: Sequence[str] = ()) -> bytes:
    """Return a PDF of one page with this content stream.

    Args:
        page: more entries of the page, or others in place of its /MediaBox.
        catalog: more entries of the catalog.
        objects: objects that these refer to, from number 10 on. Numbers 5 and 6 are the fonts /F1, Helvetica, and /F2,
            ZapfDingbats.
    """
    box = "" if "/MediaBox" in page else "/MediaBox [0 0 612 792]"
    resources = "" if "/Resources" in page else "/Resources << /Font << /F1 5 0 R /F2 6 0 R >> >>"
    return _numbered(
        [
            f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R {box} {resources} {page} /Contents 4 0 R >>",
            stream(content),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>",
            *["null"] * 3,
            *objects,
        ]
    )


def stream(content: str, entries: str = "") -> str:
    """Return a stream object of a PDF; its content is Latin-1."""
    return f"<< {entries} /Length {len(content)} >>\nstream\n{content}\nendstream"


def bitmap(image: Image.Image) -> str:
    """Return a picture as an image object of a PDF."""
    gray = image.convert("L")
    entries = f"/Type /XObject /Subtype /Image /Width {gray.width} /Height {gray.height}"
    return stream(gray.tobytes().decode("latin-1"), f"{entries} /BitsPerComponent 8 /ColorSpace /DeviceGray")


def to_unicode(names: dict[str, str]) -> str:
    """Return a font object's table that names each of these letters of Helvetica as another."""
    lines = "".join(f"<{ord(own):02x}> <{other.encode('utf-16-be').hex()}>\n" for own, other in names.items())
    return stream(
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n{len(names)} beginbfchar\n{lines}endbfchar\n"
        "endcmap end end"
    )


def _numbered(objects: Sequence[str], trailer: str = "") -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), list[int]()
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)


def stamped_scan(text: str) -> bytes:
    """Return a PDF with one gray picture and this text layer over it."""
    return pdf([text], behind="q 612 0 0 792 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x7f EI Q ")


def locked_pdf() -> bytes:
    """A PDF that takes a password."""
    key = f"<{'41' * 32}>"
    encrypted = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O {key} /U {key} /P -44 >> /ID [<00> <00>]"
    return pdf(["secret"], trailer=encrypted)


def pdf_with_a_bad_xref() -> bytes:
    """Return a PDF with a broken table of objects."""
    whole = pdf(["The table is wrong"])
    table = whole.rindex(b"xref\n0 ")
    return whole[:table] + whole[table:].replace(b" 00000 n", b" 77777 n").replace(b"00000000", b"99999999")


def empty_tiff(width: int, height: int, frames: int = 1, *, compression: int = 4) -> bytes:
    """Return a TIFF that claims this size and number of frames, but contains almost nothing."""
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, 1), (259, 3, compression), (262, 3, 0), (273, 4, 8), (277, 3, 1),
        (278, 4, height), (279, 4, 4),
    ]  # fmt: skip
    frame = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in entries)
    out = bytearray(b"II*\0" + struct.pack("<I", 12) + b"\0\1\0\1")
    for number in range(frames):
        following = len(out) + len(frame) + 4 if number + 1 < frames else 0
        out += frame + struct.pack("<I", following)
    return bytes(out)


def tiff_whose_second_page_is_huge() -> bytes:
    """A TIFF that begins harmlessly."""
    whole = bytearray(empty_tiff(100, 100, frames=2))
    size = whole.rindex(struct.pack("<HHI", 256, 4, 1)) + 8
    whole[size : size + 4] = whole[size + 12 : size + 16] = struct.pack("<I", 60_000)
    return bytes(whole)


def endless_tiff() -> bytes:
    """Return a TIFF with a frame that points to itself as the next one."""
    whole = bytearray(empty_tiff(100, 100))
    whole[-4:] = struct.pack("<I", 12)
    return bytes(whole)
