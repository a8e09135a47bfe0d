#!/usr/bin/env bash
# ijson on a text with half of an emoji, which JSON allows as an escape ("\ud83d"; RFC 8259, 8.2). Clients of text messages
# send it when they cut a text after so many UTF-16 units.
#
# Expected: the text that the standard library's json reads, or ijson's own error; and the same from all its backends.
# Observed: the C backend, which the wheels choose, makes a question mark of the first half, without an error: a text that
# was never sent. The second half ends the reading with UnicodeDecodeError, which is no ijson.JSONError. The Python
# backend reads both halves as json does. So the same file has other contents where no wheel could be installed.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'ijson==3.6.0'

cat > halves.py <<'PY'
import io
import json
import sys
from importlib.metadata import version

import ijson


def read(backend, document):
    try:
        return list(backend.items(io.BytesIO(document), "records.item"))
    except ijson.JSONError:
        return "ijson.JSONError"
    except UnicodeDecodeError:
        return "UnicodeDecodeError"


first, second = (json.dumps({"records": [f"cut {half}"]}).encode() for half in ("\ud83d", "\ude00"))
seen = []
for name in ("yajl2_c", "python"):
    backend = ijson.get_backend(name)
    for document in (first, second):
        same = read(backend, document) == json.loads(document)["records"]
        seen.append("as json" if same else read(backend, document))
        print(f"ijson {version('ijson')}, {name}, {document.decode()}: {seen[-1]}")
print(f"chosen: {ijson.backend}")
sys.exit([*seen, ijson.backend] != [["cut ?"], "UnicodeDecodeError", "as json", "as json", "yajl2_c"])
PY
venv/bin/python halves.py
