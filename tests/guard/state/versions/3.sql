-- With a table of the operations that have not ended.
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE entry (
        number INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, operation TEXT, principal TEXT NOT NULL,
        tool TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL
    );
INSERT INTO "entry" VALUES(1,'2026-11-24T12:00:00.000000+00:00','asked','xvuf-6aup','me','delete_message','{"action": "delete", "ids": ["1", "2"], "severity": "reversible"}','7b15f18303a28aa67a8a09e194c9e09216893a7bbdd216b80c287414dd8eee36');
INSERT INTO "entry" VALUES(2,'2026-11-24T12:00:00.000000+00:00','approved','xvuf-6aup','me','delete_message','{"by": "chat"}','7c54b69ac3a824ca30c1106c9e415622083f17047a99bf76b317272c0b07623e');
INSERT INTO "entry" VALUES(3,'2026-11-24T12:00:00.000000+00:00','begun','xvuf-6aup','me','delete_message','{"account_id": "~", "extension_id": "~"}','f36cbef0e5b1fc0f06b05dfdbfffb7c925c2214b53337811a8500fa8bf78f915');
INSERT INTO "entry" VALUES(4,'2026-11-24T12:00:00.000000+00:00','sending','xvuf-6aup','me','delete_message','{"ids": ["1", "2"], "to": "Deleted"}','b749f196e11c4024d731a4247a9b766b2c815786703599f70ef1cdaefcc10597');
INSERT INTO "entry" VALUES(5,'2026-11-24T12:00:00.000000+00:00','sent','xvuf-6aup','me','delete_message','{"outcomes": {"1": "deleted", "2": "deleted"}}','836ac6c7146cf38696a833e1481f93a8d8f71c53a88258fb2c79ba4ea279a1ed');
INSERT INTO "entry" VALUES(6,'2026-11-24T12:00:00.000000+00:00','done','xvuf-6aup','me','delete_message','{"outcomes": {"1": "deleted", "2": "deleted"}, "status": "done"}','421fc97ac1e80bff85a406a3e6507746bbd783fb7213881e1015da8697ab9023');
INSERT INTO "entry" VALUES(7,'2026-11-24T12:00:00.000000+00:00','refused',NULL,'me','delete_message','{"reason": "stopped"}','bc434e290ed290149f6a75066e3198872d879cacb88495fb27d25b55c0621e60');
CREATE TABLE open_operation (operation TEXT PRIMARY KEY, principal TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE plan (
        id TEXT PRIMARY KEY, digest TEXT NOT NULL, expires REAL NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
    );
INSERT INTO "plan" VALUES('xvuf-6aup','digest',1795522200.0,'used','{"id":"xvuf-6aup","tool":"delete_message","digest":"digest","expires":"2026-11-24T12:10:00Z","draft":{"severity":"reversible","question":"Delete 2 messages?","phrase":null,"preview":{"action":"delete","messages":2,"by_type":{},"by_read_status":{},"oldest":null,"newest":null,"warnings":[],"untrusted":{"senders":{},"samples":[]}},"targets":[{"id":"1","availability":"Alive","last_modified":null,"conversation_id":null},{"id":"2","availability":"Alive","last_modified":null,"conversation_id":null}],"left_out":null,"date_to":null,"retention_period":null},"principal":"me","account_id":"~","extension_id":"~"}');
CREATE TABLE repeat (entry INTEGER PRIMARY KEY, times INTEGER NOT NULL, last_at TEXT NOT NULL);
INSERT INTO "repeat" VALUES(7,3,'2026-11-24T12:30:00.000000+00:00');
CREATE INDEX entry_by_operation ON entry (operation, event);
CREATE INDEX entry_by_event ON entry (event, principal, at);
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER entry_is_not_removed BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER operation_opens AFTER INSERT ON entry WHEN NEW.event IN ('begun', 'sending')
        BEGIN INSERT OR IGNORE INTO open_operation VALUES (NEW.operation, NEW.principal); END;
CREATE TRIGGER operation_ends AFTER INSERT ON entry WHEN NEW.event = 'done'
        BEGIN DELETE FROM open_operation WHERE operation = NEW.operation; END;
CREATE INDEX entry_by_time ON entry (at);
CREATE INDEX request_by_clock
        ON entry (json_extract(detail, '$.clock.name'), json_extract(detail, '$.clock.seconds'))
        WHERE event = 'sending' AND json_valid(detail);
COMMIT;
