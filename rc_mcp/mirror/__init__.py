"""A local copy of mailboxes with full-text search: one SQLite file in the state folder.

`mirror.py` writes the copy, `search.py` reads it, `query.py` is the query language. Only `feed.py`, which keeps the
copy equal to the mailbox, sends requests, and they only read. The guard may not import any of it: no deletion is
planned from a copy, which may be old.
"""
