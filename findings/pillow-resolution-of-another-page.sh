#!/usr/bin/env bash
# Pillow's `info` on a page of a TIFF has the resolution of another page.
#
# Expected: after `seek`, `info` describes the page, or lacks what the page lacks.
# Observed: nothing is removed from `info` at `seek`. A page whose ResolutionUnit is "none" gives its numbers as `resolution`,
# and the `dpi` of the page before stays. Opening the file and going straight to that page gives the `dpi` of the first
# page, as opening reads it. Going back leaves `resolution` of the later page on the first. A reader that trusts `dpi` shows
# such a page of a fax at half or double height, if the fax changes from fine to standard. `tag_v2` is always the page's
# own. We know of no report.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pillow==13.0.0'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import PIL
from PIL import Image, TiffImagePlugin

file = io.BytesIO()
pages = TiffImagePlugin.AppendingTiffWriter(file, new=True)
Image.new("1", (1728, 2156), 1).save(pages, "TIFF", compression="group4", dpi=(204, 196))
pages.newFrame()
coarse = Image.new("1", (1728, 1078), 1)
coarse.save(pages, "TIFF", compression="group4", x_resolution=204, y_resolution=98, resolution_unit=1)
pages.newFrame()


def described(fax):
    tags = fax.tag_v2
    return fax.info.get("dpi"), fax.info.get("resolution"), (tags[282], tags[283], tags[296])


fax = Image.open(io.BytesIO(file.getvalue()))
seen = []
for number in (0, 1, 0):
    fax.seek(number)
    seen.append(described(fax))
    print(f"Pillow {PIL.__version__}, page {number + 1}: dpi {seen[-1][0]}, resolution {seen[-1][1]}, its own tags {seen[-1][2]}")
first, second = (204, 196, 2), (204, 98, 1)
known = [((204, 196), None, first), ((204, 196), (204, 98), second), ((204, 196), (204, 98), first)]
sys.exit(0 if seen == known else 1)
PYTHON
