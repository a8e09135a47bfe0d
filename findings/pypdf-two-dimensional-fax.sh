#!/usr/bin/env bash
# pypdf on a fax in a PDF that is two-dimensional Group 3, or has byte-aligned lines: another picture, and no error.
#
# Expected: the page, as for Group 4 and for one-dimensional Group 3, or an error, as pdfminer.six raises for both.
# Observed: pypdf wraps the stream in a TIFF for Pillow, but its header says only "Group 3". It has neither the tag for two
# dimensions (/K above 0) nor the compression for byte-aligned lines (/EncodedByteAlign). So the decoder reads codes of
# another kind, and shows what they make of the page; only libtiff complains, on stderr. PDFium shows the page in all four.
# Fax machines agree on T.4's two-dimensional mode among themselves, so a gateway that puts the codes into a PDF as they
# came makes such files. We know of no report.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pypdf==7.1.1' 'pypdfium2==5.15.2' 'pillow==13.0.0'
cd "$folder"
"$folder/venv/bin/python" - 2>errors.txt <<'PYTHON' || { grep -v '^Fax3Decode1D' errors.txt >&2; exit 1; }
import io
import logging
import sys

import PIL
import pypdf
import pypdfium2
from PIL import Image, ImageChops, ImageDraw, TiffImagePlugin

page = Image.new("1", (1728, 400), 1)
draw = ImageDraw.Draw(page)
for row in range(12):
    draw.text((100 + row, 20 + 30 * row), f"Line {row}: referral, visits approved: 8", fill=0)
draw.ellipse((900, 40, 1500, 360), outline=0, width=5)


def stream(compression, t4options=None):
    """Return the page as one strip of fax codes, as libtiff writes them."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if t4options is not None:
        tags[292] = t4options
    file = io.BytesIO()
    page.save(file, "TIFF", compression=compression, tiffinfo=tags, strip_size=10**6)
    saved = Image.open(io.BytesIO(file.getvalue())).tag_v2
    (start,), (length,) = saved[273], saved[279]
    return file.getvalue()[start : start + length]


def pdf(codes, parameters):
    """Return a PDF with the codes as its only picture."""
    size = f"/Width {page.width} /Height {page.height} /BitsPerComponent 1 /ColorSpace /DeviceGray"
    filter_ = f"/Filter /CCITTFaxDecode /DecodeParms << /Columns {page.width} /Rows {page.height} {parameters} >>"
    picture = f"<< /Type /XObject /Subtype /Image {size} {filter_} /Length {len(codes)} >>\nstream\n".encode()
    content = b"612 0 0 142 0 0 cm /I Do"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 142] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        picture + codes + b"\nendstream",
    ]
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return bytes(out) + end % (count, table, count, len(out))


def differing(picture):
    """Return the percentage of pixels that differ from the page, or from its negative if that is closer."""
    black = ImageChops.difference(picture.convert("L"), page.convert("L")).histogram()[255]
    share = 100 * black / (page.width * page.height)
    return round(min(share, 100 - share), 1)


logging.disable()
faxes = {
    "Group 4": pdf(stream("group4"), "/K -1"),
    "Group 3, one-dimensional": pdf(stream("group3", 0), "/K 0"),
    "Group 3, two-dimensional": pdf(stream("group3", 1), "/K 4"),
    "Group 3, byte-aligned lines": pdf(stream("tiff_ccitt"), "/K 0 /EncodedByteAlign true /EndOfBlock false"),
}
wrong = {}
print(f"pypdf {pypdf.__version__}, pypdfium2 {pypdfium2.version.PYPDFIUM_INFO}, Pillow {PIL.__version__}: wrong pixels in percent")
for name, file in faxes.items():
    by_pypdf = differing(pypdf.PdfReader(io.BytesIO(file)).pages[0].images[0].image)
    (picture,) = pypdfium2.PdfDocument(file)[0].get_objects()
    by_pdfium = differing(picture.get_bitmap(render=False).to_pil())
    wrong[name] = by_pypdf > 1
    print(f"  {name}: pypdf {by_pypdf}, PDFium {by_pdfium}")
    assert by_pdfium == 0
sys.exit(0 if list(wrong.values()) == [False, False, True, True] else 1)
PYTHON
