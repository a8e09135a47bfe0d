#!/usr/bin/env bash
# SQLite's FTS5: rows that are inserted with falling rowids are written to the disk one by one, within one transaction.
#
# Expected: the order of rowids makes no difference; a transaction collects its words in memory and writes one segment.
# Observed: with rising rowids 1,000 rows are one segment, with falling ones they are 1,000 segments (merging is off here,
# to count them). So a mailbox that is read from the newest message to the oldest must be inserted the other way round.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pysqlite3-binary==0.5.4.post2'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from pysqlite3 import dbapi2


def segments(step: int) -> int:
    db = dbapi2.connect(":memory:", isolation_level=None)
    db.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
    db.execute("INSERT INTO words (words, rank) VALUES ('automerge', 0)")
    db.execute("INSERT INTO words (words, rank) VALUES ('crisismerge', 1999)")
    db.execute("BEGIN")
    for n in range(1000):
        db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (5000 + step * n, f"common word{n}"))
    db.execute("COMMIT")
    return db.execute("SELECT count(DISTINCT segid) FROM words_idx").fetchone()[0]


rising, falling = segments(1), segments(-1)
print(f"SQLite {dbapi2.sqlite_version}: rising rowids {rising} segment, falling rowids {falling} segments")
sys.exit(0 if (rising, falling) == (1, 1000) else 1)
PYTHON
