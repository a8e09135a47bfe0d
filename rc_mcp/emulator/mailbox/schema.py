"""The SQLite database: its tables, and the indexes that keep a page of 1,000,000 messages cheap.

All mailboxes of the account share it; `mailbox` is the extension id. A file of an older emulator is migrated to the
current version; a file of a newer one is refused and not changed.
"""

# ruff: noqa: S608  scripts are built from constants

import json
import sqlite3
from pathlib import Path

from rc_mcp.emulator.dates import FIRST_MS, HOUR_MS
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.json_text import written
from rc_mcp.emulator.mailbox.records import text_content

PART_MS = 3 * HOUR_MS
"""How long a part of the time is, for which the database has the number of messages. Part 0 begins with the year 1."""

_KEY = "mailbox, availability, type, direction, read_status, part, owner"
_VALUES = (
    "{0}.mailbox, {0}.availability, {0}.type, {0}.direction, {0}.read_status, "
    f"({{0}}.created_ms - {FIRST_MS}) / {PART_MS}, ifnull({{0}}.owner, 0)"
)
_NEW, _OLD = _VALUES.format("new"), _VALUES.format("old")
_COUNT_NEW = f"INSERT INTO tally VALUES ({_NEW}, 1) ON CONFLICT ({_KEY}) DO UPDATE SET number = number + 1;"
_UNCOUNT_OLD = f"""
    UPDATE tally SET number = number - 1 WHERE ({_KEY}) = ({_OLD});
    DELETE FROM tally WHERE ({_KEY}) = ({_OLD}) AND number = 0;
"""

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
    # Texts of attachments leave `details`, which every list reads. Lists and counts no longer cost more in a larger
    # mailbox: one index finds the messages of a kind in order, and `tally` has their number in each part of the time.
    # There, owner 0 is the mailbox's own user.
    f"""
    INSERT INTO file SELECT transcript_id(details), id, transcript(details) FROM message
        WHERE transcript_id(details) IS NOT NULL;
    UPDATE message SET details = without_texts(details);

    CREATE INDEX message_by_kind ON message
        (mailbox, availability, type, direction, read_status, created_ms DESC, id DESC, owner);
    CREATE INDEX message_shared ON message
        (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, owner) WHERE owner IS NOT NULL;
    DROP INDEX message_removed;
    CREATE INDEX message_removed ON message (mailbox, removed_ms) WHERE removed_ms IS NOT NULL;
    DROP INDEX message_retained;
    CREATE INDEX message_retained ON message (mailbox, created_ms)
        WHERE type IN ('Fax', 'VoiceMail') AND availability <> 'Purged';

    CREATE TABLE tally (
        mailbox INTEGER NOT NULL,
        availability TEXT NOT NULL,
        type TEXT NOT NULL,
        direction TEXT NOT NULL,
        read_status TEXT NOT NULL,
        part INTEGER NOT NULL,
        owner INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY ({_KEY})
    ) STRICT, WITHOUT ROWID;
    INSERT INTO tally SELECT {_VALUES.format("message")}, count(*) FROM message GROUP BY 1, 2, 3, 4, 5, 6, 7;
    CREATE TRIGGER message_added AFTER INSERT ON message BEGIN {_COUNT_NEW} END;
    CREATE TRIGGER message_removed_for_good AFTER DELETE ON message BEGIN {_UNCOUNT_OLD} END;
    CREATE TRIGGER message_changed AFTER UPDATE OF availability, read_status ON message
        WHEN (old.availability, old.read_status) <> (new.availability, new.read_status)
        BEGIN {_UNCOUNT_OLD} {_COUNT_NEW} END;
    """,
    # `details` are almost as they are sent: the content of attachments, and the names of the package's own files, have
    # a table of their own. An attachment without a row there has the text of its message.
    """
    CREATE TABLE content (
        message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        attachment_id INTEGER NOT NULL,
        data BLOB,
        media_file TEXT,
        PRIMARY KEY (message_id, attachment_id),
        CHECK ((data IS NULL) <> (media_file IS NULL))
    ) STRICT;
    INSERT INTO content SELECT message_id, attachment_id, data, NULL FROM file;
    INSERT INTO content
        SELECT message.id, json_extract(item.value, '$.id'), NULL, json_extract(item.value, '$.source.file')
        FROM message, json_each(message.details, '$.attachments') AS item
        WHERE json_extract(item.value, '$.source.file') IS NOT NULL;
    DROP TABLE file;
    UPDATE message SET details = without_sources(details);
    """,
)
"""The script at index N migrates version N to N + 1. Only append.

`owner()` is the owner's extension id. The other functions of `_add_functions` read `details` as version 3 had them,
and `without_sources` as version 4.
"""
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
            _add_functions(connection, owner)
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


def _add_functions(connection: sqlite3.Connection, owner: str) -> None:
    """Add the functions that migrations use. SQLite itself damages a text with half an emoji."""

    def transcript_id(details: str) -> int | None:
        return next((item["id"] for item in _transcripts(details)), None)

    def transcript(details: str) -> bytes:
        return text_content(_transcripts(details)[0]["source"]["text"])

    connection.create_function("owner", 0, lambda: int(owner))
    connection.create_function("transcript_id", 1, transcript_id)
    connection.create_function("transcript", 1, transcript)
    connection.create_function("without_texts", 1, _without_texts)
    connection.create_function("without_sources", 1, _without_sources)


def _transcripts(details: str) -> list[Json]:
    """Return the transcript of a voicemail, if it has one."""
    attachments: list[Json] = json.loads(details)["attachments"]
    return [item for item in attachments if "text" in item["source"] and item["type"] != "Text"]


def _without_texts(details: str) -> str:
    record: Json = json.loads(details)
    for item in record["attachments"]:
        if "text" in item["source"]:
            # The text of a message is its subject as well.
            item["source"] = {"subject": True} if item["type"] == "Text" else {"stored": item["id"]}
    return json.dumps(record)


def _without_sources(details: str) -> str:
    record: Json = json.loads(details)
    record["attachments"] = [
        {"id": item["id"], "uri": f"/{item['id']}", **{key: value for key, value in item.items() if key != "source"}}
        for item in record["attachments"]
    ]
    return written(record)
