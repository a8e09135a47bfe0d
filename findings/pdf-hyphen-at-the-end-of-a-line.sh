#!/usr/bin/env bash
# pdftotext and PDFium on a hyphen at the end of a line: numbers change, and one PDFium gives two spellings of it.
#
# Expected: a word that was divided may be joined. A hyphen next to a digit stays, and so does a minus.
# Observed: pdftotext drops every hyphen at the end of a line and joins the lines: "8-" and "12 visits" become "812
# visits", a phone number loses its hyphen, and "-" before "15.00" loses the minus. `-raw` and `-layout` keep it; since
# poppler 26.05 there is an option. PDFium keeps it between digits, but after a letter it gives a character that is not
# text: U+0002 from `get_text_bounded`, U+FFFE from `get_text_range`. So "COVID-" and "19" are neither COVID-19 nor
# COVID19. pypdf and pdfminer.six keep the hyphen and the line. Known: go-pdfium and pdftext have reports about PDFium.
#
# Needs pdftotext, of Debian's poppler-utils. Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pypdfium2==5.15.2' 'pypdf==7.1.1'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import subprocess
import sys

import pypdf
import pypdfium2


def pdf(*lines):
    """Return a PDF with these lines of text."""
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    content = f"BT /F 12 Tf 14 TL 72 700 Td {shown} ET".encode()
    resources = b"/Resources << /Font << /F 5 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R " + resources + b" >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 6\n0000000000 65535 f \n%strailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return bytes(out) + end % (table, len(out))


def read(file):
    text = pypdfium2.PdfDocument(file)[0].get_textpage()
    poppler = subprocess.run(["pdftotext", "-", "-"], input=file, capture_output=True, check=True).stdout.decode()
    plain = pypdf.PdfReader(io.BytesIO(file)).pages[0].extract_text()
    found = poppler, text.get_text_bounded(), text.get_text_range(), plain
    return tuple(one.replace("\r\n", "\n").strip() for one in found)


poppler = subprocess.run(["pdftotext", "-v"], capture_output=True, text=True, check=True).stderr.splitlines()[0]
print(f"{poppler}, PDFium {pypdfium2.version.PDFIUM_INFO}, pypdf {pypdf.__version__}")
print("(pdftotext, PDFium get_text_bounded, PDFium get_text_range, pypdf)")
known = {
    ("Approved: 8-", "12 visits"): ("Approved: 812 visits", *["Approved: 8-\n12 visits"] * 3),
    ("650-", "253-0000"): ("650253-0000", *["650-\n253-0000"] * 3),
    ("Balance: -", "15.00"): ("Balance: 15.00", *["Balance: -\n15.00"] * 3),
    ("COVID-", "19"): ("COVID19", "COVID\x0219", "COVID\ufffe19", "COVID-\n19"),
}
seen = {lines: read(pdf(*lines)) for lines in known}
for lines, texts in seen.items():
    print(lines, "->", texts)
sys.exit(0 if seen == known else 1)
PYTHON
