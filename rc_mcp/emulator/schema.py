"""The SQLite database: its tables, and the indexes that keep a page of 100,000 messages cheap.

All mailboxes of the account share it; `mailbox` is the extension id. A file that an older emulator made is brought to
the present version; one that a newer one made is left as it is.
"""

import sqlite3
from pathlib import Path

MIGRATIONS = (
    """
    CREATE TABLE message (
        id INTEGER PRIMARY KEY,
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
    CREATE TABLE phone_number (
        digits TEXT NOT NULL,
        message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        PRIMARY KEY (digits, message_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX phone_number_by_message ON phone_number (message_id);
    CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """,
    # Mailboxes of several users. What there was is the owner's; indexes go with the table that is replaced.
    """
    CREATE TABLE message_of_mailbox (
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
    INSERT INTO message_of_mailbox
        SELECT id, owner(), type, direction, read_status, availability, conversation_id, created_ms, modified_ms,
            removed_ms, details
        FROM message;
    DROP TABLE message;
    ALTER TABLE message_of_mailbox RENAME TO message;
    UPDATE setting SET name = 'last_id ' || owner() WHERE name = 'last_id';

    -- Holds every column a list filters on, so that counting a large result never reads the messages themselves.
    CREATE INDEX message_by_time ON message
        (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, conversation_id);
    CREATE INDEX message_by_change ON message (modified_ms);
    CREATE INDEX message_by_conversation ON message (conversation_id) WHERE conversation_id IS NOT NULL;

    -- What time does to messages is looked for at every request; partial indexes keep that to a glance.
    CREATE INDEX message_removed ON message (removed_ms) WHERE removed_ms IS NOT NULL;
    CREATE INDEX message_retained ON message (created_ms)
        WHERE type IN ('Fax', 'VoiceMail') AND availability <> 'Purged';
    """,
)
"""The script at N makes version N + 1 of the file from version N; `owner()` is the owner's extension id. Add to the
end."""
VERSION = len(MIGRATIONS)


def open_database(path: str | Path, owner: str) -> sqlite3.Connection:
    """A connection in autocommit: the store says itself where a transaction begins and ends.

    Args:
        path: the file, made where there is none; or `:memory:`.
        owner: the owner's extension id.

    Raises:
        sqlite3.Error: it cannot be used, or is no emulator's, or a newer one's. It is as it was.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        version = _version(connection)
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        if _stamp(connection) < VERSION:
            connection.create_function("owner", 0, lambda: int(owner))
            scripts = "".join(MIGRATIONS[version:])
            # In one transaction: after an error, closing undoes what was begun.
            connection.executescript(f"BEGIN IMMEDIATE; {scripts} PRAGMA user_version = {VERSION}; COMMIT;")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    """The version of the file; 0 where there is nothing in it yet."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return 0
    if not {"message", "phone_number", "setting"} <= tables:
        raise sqlite3.DatabaseError("it is no mailbox of the emulator's. Nothing was changed. Use another file.")
    stamp = _stamp(connection)
    if stamp > VERSION:
        raise sqlite3.DatabaseError(
            f"it was made by a newer rc-mcp (version {stamp} of the file; this rc-mcp knows {VERSION}). "
            "Nothing was changed. Use the newer rc-mcp, or another file."
        )
    if stamp:
        return stamp
    # Made before there were versions.
    columns = {column[1] for column in connection.execute("PRAGMA table_info(message)")}
    return 2 if "mailbox" in columns else 1


def _stamp(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
