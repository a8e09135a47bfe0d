"""The SQLite database: its tables, and the indexes that keep a page of 100,000 messages cheap.

All mailboxes of the account share it; `mailbox` is the extension id.
"""

import sqlite3
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY,
    mailbox INTEGER NOT NULL,
    type TEXT NOT NULL,
    direction TEXT NOT NULL,
    read_status TEXT NOT NULL,
    availability TEXT NOT NULL,
    conversation_id INTEGER,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    removed_ms INTEGER,
    details TEXT NOT NULL
) STRICT;

-- Holds every column a list filters on, so that counting a large result never reads the messages themselves.
CREATE INDEX IF NOT EXISTS message_by_time ON message
    (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, conversation_id);
CREATE INDEX IF NOT EXISTS message_by_change ON message (modified_ms);
CREATE INDEX IF NOT EXISTS message_by_conversation ON message (conversation_id) WHERE conversation_id IS NOT NULL;

-- What time does to messages is looked for at every request; partial indexes keep that to a glance.
CREATE INDEX IF NOT EXISTS message_removed ON message (removed_ms) WHERE removed_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS message_retained ON message (created_ms)
    WHERE type IN ('Fax', 'VoiceMail') AND availability <> 'Purged';

CREATE TABLE IF NOT EXISTS phone_number (
    digits TEXT NOT NULL,
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    PRIMARY KEY (digits, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS phone_number_by_message ON phone_number (message_id);

CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


def open_database(path: str | Path) -> sqlite3.Connection:
    """A connection in autocommit: the store says itself where a transaction begins and ends."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {_SCHEMA}")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
