"""Damage to the file of a copy."""

import sqlite3
from contextlib import closing
from pathlib import Path

from rc_mcp.mirror.database import FILE

PAGE = 4096


def damage_index(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM words_data")
        db.commit()


def damage_records(folder: Path) -> None:
    """Overwrite one page of the table of messages."""
    file = folder / FILE
    content = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as db:
        record: bytes = db.execute("SELECT record FROM message WHERE id = 150").fetchone()[0]
    page = content.index(record) // PAGE
    content[page * PAGE : (page + 1) * PAGE] = b"\xff" * PAGE
    file.write_bytes(content)
