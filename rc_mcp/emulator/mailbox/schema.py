"""The SQLite database: its tables, and the indexes that keep a page of 100,000 messages cheap.

All mailboxes of the account share it; `mailbox` is the extension id. A file of an older emulator is migrated to the
current version; a file of a newer one is refused and not changed.
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
    # Mailboxes of several users. Existing messages are the owner's. Dropping the old table also drops its indexes.
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

    -- Has every column that a list filters on, so that counting a large result never reads the messages themselves.
    CREATE INDEX message_by_time ON message
        (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, conversation_id);
    CREATE INDEX message_by_change ON message (modified_ms);
    CREATE INDEX message_by_conversation ON message (conversation_id) WHERE conversation_id IS NOT NULL;

    -- Every request looks for messages that are due for removal; partial indexes make this cheap.
    CREATE INDEX message_removed ON message (removed_ms) WHERE removed_ms IS NOT NULL;
    CREATE INDEX message_retained ON message (created_ms)
        WHERE type IN ('Fax', 'VoiceMail') AND availability <> 'Purged';
    """,
    # Shared messages, by the extension id of their owner, and attachments that are not the package's own.
    """
    ALTER TABLE message ADD COLUMN owner INTEGER;
    CREATE TABLE file (
        attachment_id INTEGER PRIMARY KEY,
        message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        data BLOB NOT NULL
    ) STRICT;
    CREATE INDEX file_by_message ON file (message_id);
    DROP INDEX message_by_time;
    CREATE INDEX message_by_time ON message
        (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, conversation_id, owner);
    """,
)
"""The script at index N migrates version N to N + 1; `owner()` is the owner's extension id. Only append."""
VERSION = len(MIGRATIONS)


def open_database(path: str | Path, owner: str) -> sqlite3.Connection:
    """Open the database at `path`, or `:memory:`. A missing file is created, an older one migrated.

    The connection is in autocommit mode, because the store controls transactions. `owner` is the owner's extension id.

    Raises:
        sqlite3.Error: the file cannot be used, is not an emulator's, or is a newer one's. It was not changed.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        version = _version(connection)
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        if _stamp(connection) < VERSION:
            connection.create_function("owner", 0, lambda: int(owner))
            scripts = "".join(MIGRATIONS[version:])
            # In one transaction: after an error, closing rolls it back.
            connection.executescript(f"BEGIN IMMEDIATE; {scripts} PRAGMA user_version = {VERSION}; COMMIT;")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    """Return the version of the file; 0 if it is empty."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return 0
    if not {"message", "phone_number", "setting"} <= tables:
        raise sqlite3.DatabaseError("it is not a database of the emulator. Nothing was changed. Use another file.")
    stamp = _stamp(connection)
    if stamp > VERSION:
        raise sqlite3.DatabaseError(
            f"it was made by a newer rc-mcp (file version {stamp}; this rc-mcp supports up to {VERSION}). "
            "Nothing was changed. Use the newer rc-mcp, or another file."
        )
    if stamp:
        return stamp
    # The file is from before versions were introduced.
    columns = {column[1] for column in connection.execute("PRAGMA table_info(message)")}
    return 2 if "mailbox" in columns else 1


def _stamp(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
