"""A local copy of mailboxes with full-text search: one SQLite file in the state folder.

`mirror.py` writes the copy, `search.py` reads it, `query.py` is the query language, `local_copy.py` is what a server
uses. All requests only read: `feed.py` keeps the copy equal to the mailbox, `texts.py` fetches attachments, and
`logins.py` and `local_copy.py` ask whose a mailbox is and whether this login may read it. The guard may not import any
of it: no deletion is planned from a copy, which may be old.
"""
