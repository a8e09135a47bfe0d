-- Details almost as they are sent, and the content of attachments in a table of their own, on 30 November 2026.
PRAGMA user_version = 5;
BEGIN TRANSACTION;
CREATE TABLE content (
        message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        attachment_id INTEGER NOT NULL,
        data BLOB,
        media_file TEXT,
        PRIMARY KEY (message_id, attachment_id),
        CHECK ((data IS NULL) <> (media_file IS NULL))
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
INSERT INTO "message" VALUES(2406007735008,43815747008,'SMS','Inbound','Unread','Alive',7964424000277114155,1795521600000,1795521600000,NULL,'{"from":{"phoneNumber":"+16505550118"},"to":[{"phoneNumber":"+15035550110","name":"Nadia Rahman"}],"subject":"first","priority":"Normal","messageStatus":"Received","attachments":[{"id":2406007735008,"uri":"/2406007735008","type":"Text","contentType":"text/plain","size":5}]}',NULL);
INSERT INTO "message" VALUES(2406014114008,43815747008,'SMS','Inbound','Unread','Alive',7964424000277114155,1795521600000,1795521600000,NULL,'{"from":{"phoneNumber":"+16505550118"},"to":[{"phoneNumber":"+15035550110","name":"Nadia Rahman"}],"subject":"second","priority":"Normal","messageStatus":"Received","attachments":[{"id":2406014114008,"uri":"/2406014114008","type":"Text","contentType":"text/plain","size":6}]}',NULL);
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
CREATE TABLE tally (
        mailbox INTEGER NOT NULL,
        availability TEXT NOT NULL,
        type TEXT NOT NULL,
        direction TEXT NOT NULL,
        read_status TEXT NOT NULL,
        part INTEGER NOT NULL,
        owner INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (mailbox, availability, type, direction, read_status, part, owner)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "tally" VALUES(43815747008,'Alive','SMS','Inbound','Unread',5919548,0,2);
CREATE INDEX message_by_change ON message (modified_ms);
CREATE INDEX message_by_conversation ON message (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX phone_number_by_message ON phone_number (message_id);
CREATE INDEX message_by_time ON message
        (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, conversation_id, owner);
CREATE INDEX message_by_kind ON message
        (mailbox, availability, type, direction, read_status, created_ms DESC, id DESC, owner);
CREATE INDEX message_shared ON message
        (mailbox, created_ms DESC, id DESC, availability, type, direction, read_status, owner) WHERE owner IS NOT NULL;
CREATE INDEX message_removed ON message (mailbox, removed_ms) WHERE removed_ms IS NOT NULL;
CREATE INDEX message_retained ON message (mailbox, created_ms)
        WHERE type IN ('Fax', 'VoiceMail') AND availability <> 'Purged';
CREATE TRIGGER message_added AFTER INSERT ON message BEGIN INSERT INTO tally VALUES (new.mailbox, new.availability, new.type, new.direction, new.read_status, (new.created_ms - -62135596800000) / 10800000, ifnull(new.owner, 0), 1) ON CONFLICT (mailbox, availability, type, direction, read_status, part, owner) DO UPDATE SET number = number + 1; END;
CREATE TRIGGER message_removed_for_good AFTER DELETE ON message BEGIN 
    UPDATE tally SET number = number - 1 WHERE (mailbox, availability, type, direction, read_status, part, owner) = (old.mailbox, old.availability, old.type, old.direction, old.read_status, (old.created_ms - -62135596800000) / 10800000, ifnull(old.owner, 0));
    DELETE FROM tally WHERE (mailbox, availability, type, direction, read_status, part, owner) = (old.mailbox, old.availability, old.type, old.direction, old.read_status, (old.created_ms - -62135596800000) / 10800000, ifnull(old.owner, 0)) AND number = 0;
 END;
CREATE TRIGGER message_changed AFTER UPDATE OF availability, read_status ON message
        WHEN (old.availability, old.read_status) <> (new.availability, new.read_status)
        BEGIN 
    UPDATE tally SET number = number - 1 WHERE (mailbox, availability, type, direction, read_status, part, owner) = (old.mailbox, old.availability, old.type, old.direction, old.read_status, (old.created_ms - -62135596800000) / 10800000, ifnull(old.owner, 0));
    DELETE FROM tally WHERE (mailbox, availability, type, direction, read_status, part, owner) = (old.mailbox, old.availability, old.type, old.direction, old.read_status, (old.created_ms - -62135596800000) / 10800000, ifnull(old.owner, 0)) AND number = 0;
 INSERT INTO tally VALUES (new.mailbox, new.availability, new.type, new.direction, new.read_status, (new.created_ms - -62135596800000) / 10800000, ifnull(new.owner, 0), 1) ON CONFLICT (mailbox, availability, type, direction, read_status, part, owner) DO UPDATE SET number = number + 1; END;
COMMIT;
