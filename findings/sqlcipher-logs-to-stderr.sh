#!/usr/bin/env bash
# SQLCipher, in the wheels of sqlcipher3, when a file is opened with a key that is not its own: as when a user mistypes it.
#
# Expected: an exception, and nothing else, as from SQLite.
# Observed: besides the exception, lines with the time and the names of internal functions on stderr. A program that talks
# over stdio, or that keeps its log in a format, must set `PRAGMA cipher_log_level = NONE` before `PRAGMA key`. The exception
# is "file is not a database" (SQLITE_NOTADB), the same as for a damaged file: a program that repairs or replaces damaged
# files must tell a wrong key from damage by its own means, or it replaces a good file. sqlcipher3's Error is none of
# sqlite3's, though all other names are the same.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'sqlcipher3==0.6.4'
cd "$folder"
cat > program.py <<'PYTHON'
import sqlite3
import sys

from sqlcipher3 import dbapi2


def opened(key: str, first: str = "") -> dbapi2.Connection:
    db = dbapi2.connect("copy.db")
    if first:
        db.execute(first)
    db.execute(f"PRAGMA key = '{key}'")
    return db


with opened("right") as db:
    db.execute("CREATE TABLE IF NOT EXISTS t (a)")
db.close()
for name, first in (("default", ""), ("NONE", "PRAGMA cipher_log_level = NONE")):
    print(name, file=sys.stderr, flush=True)
    db = opened("wrong", first)
    try:
        db.execute("SELECT * FROM t")
    except dbapi2.Error as error:
        print(name, error.sqlite_errorname, error, isinstance(error, sqlite3.Error))
    db.close()
PYTHON
"$folder/venv/bin/python" program.py > out.txt 2> err.txt
sed -E 's/^[0-9-]+ [0-9:.]+: //' err.txt > lines.txt
echo "sqlcipher3 0.6.4"
cat out.txt lines.txt
diff - out.txt <<'SEEN'
default SQLITE_NOTADB file is not a database False
NONE SQLITE_NOTADB file is not a database False
SEEN
grep -q '^ERROR CORE sqlcipher_page_cipher: hmac check failed' lines.txt
[ "$(tail -1 lines.txt)" = NONE ]
