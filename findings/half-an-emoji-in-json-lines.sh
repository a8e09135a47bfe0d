#!/usr/bin/env bash
# DuckDB, PyArrow and Polars on JSON Lines in which one text has half an emoji: an escape such as \ud83d alone, as
# programs write that cut a text to a number of UTF-16 units. RFC 8259, section 8.2 allows it and calls the outcome
# unpredictable.
#
# Expected: U+FFFD in that text, as JSON.parse and Python's json then encode it; or an error about that line only.
# Observed: DuckDB and PyArrow refuse the whole file, and so the other lines. Polars puts a NUL character into the text,
# without an error, if it is the first half of an emoji, and refuses the whole file if it is the second half.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' > seen.txt
import json
from pathlib import Path

import duckdb
import polars
import pyarrow.json

for half in (r"\ud83d", r"\ude00"):
    lines = ['{"text": "first"}', f'{{"text": "half {half} an emoji"}}', '{"text": "third"}']
    assert [json.loads(line) for line in lines]
    Path("half.jsonl").write_text("\n".join(lines) + "\n")
    readers = {
        "duckdb": lambda: duckdb.sql("SELECT text FROM read_json('half.jsonl')").fetchall(),
        "pyarrow": lambda: pyarrow.json.read_json("half.jsonl").to_pylist(),
        "polars": lambda: polars.read_ndjson("half.jsonl").rows(),
    }
    for name, read in readers.items():
        try:
            print(half, name, ascii(read()))
        except Exception as error:
            print(half, name, "refused:", type(error).__name__)
PYTHON
echo "duckdb 2.0.1, pyarrow 26.0.1, polars 2.1.0"
cat seen.txt
diff - seen.txt <<'SEEN'
\ud83d duckdb refused: InvalidInputException
\ud83d pyarrow refused: ArrowInvalid
\ud83d polars [('first',), ('half \x00 an emoji',), ('third',)]
\ude00 duckdb refused: InvalidInputException
\ude00 pyarrow refused: ArrowInvalid
\ude00 polars refused: ComputeError
SEEN
