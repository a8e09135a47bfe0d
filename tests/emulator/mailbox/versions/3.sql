-- Shared messages, and attachments of any kind, on 29 November 2026.
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE file (
        attachment_id INTEGER PRIMARY KEY,
        message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        data BLOB NOT NULL
    ) STRICT;
CREATE TABLE message (
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
, owner INTEGER) STRICT;
INSERT INTO "message" VALUES(2406007735008,43815747008,'SMS','Inbound','Unread','Alive',7964424000277114155,1795521600000,1795521600000,NULL,'{"from": {"phoneNumber": "+16505550118"}, "to": [{"phoneNumber": "+15035550110", "name": "Nadia Rahman"}], "subject": "first", "priority": "Normal", "messageStatus": "Received", "attachments": [{"id": 2406007735008, "type": "Text", "contentType": "text/plain", "size": 5, "source": {"text": "first"}}]}',NULL);
INSERT INTO "message" VALUES(2406014114008,43815747008,'SMS','Inbound','Unread','Alive',7964424000277114155,1795521600000,1795521600000,NULL,'{"from": {"phoneNumber": "+16505550118"}, "to": [{"phoneNumber": "+15035550110", "name": "Nadia Rahman"}], "subject": "second", "priority": "Normal", "messageStatus": "Received", "attachments": [{"id": 2406014114008, "type": "Text", "contentType": "text/plain", "size": 6, "source": {"text": "second"}}]}',NULL);
CREATE TABLE phone_number (
    digits TEXT NOT NULL,
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    PRIMARY KEY (digits, message_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "phone_number" VALUES('15035550110',2406007735008);
INSERT INTO "phone_number" VALUES('16505550118',2406007735008);
INSERT INTO "phone_number" VALUES('15035550110',2406014114008);
INSERT INTO "phone_number" VALUES('16505550118',2406014114008);
CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "setting" VALUES('deleted texts 43815747008',5000);
INSERT INTO "setting" VALUES('epoch',1795521600000);
INSERT INTO "setting" VALUES('inbox 43815747008',200);
INSERT INTO "setting" VALUES('last_id 43815747008',2406014114008);
INSERT INTO "setting" VALUES('lead_ms',0);
INSERT INTO "setting" VALUES('scenario',1);
INSERT INTO "setting" VALUES('sent texts 43815747008',5000);
INSERT INTO "setting" VALUES('text inbox 43815747008',5000);
CREATE INDEX message_by_change ON message (modified_ms);
CREATE INDEX message_by_conversation ON message (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX message_removed ON message (removed_ms) WHERE removed_ms IS NOT NULL;
CREATE INDEX message_retained ON message (created_ms)
    WHERE type IN ('Fax', 'VoiceMail') AND availability <> 'Purged';
CREATE INDEX phone_number_by_message ON phone_number (message_id);
CREATE INDEX file_by_message ON file (message_id);
CREATE INDEX message_by_time ON message
        (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, conversation_id, owner);
COMMIT;
