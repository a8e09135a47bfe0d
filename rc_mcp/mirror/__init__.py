"""A local copy of mailboxes with full-text search: one SQLite file in the state folder.

`mirror.py` writes the copy, `search.py` reads it, `query.py` is the query language. Nothing here sends a request, and
the guard may not import it: no deletion is planned from a copy, which may be old.
"""
