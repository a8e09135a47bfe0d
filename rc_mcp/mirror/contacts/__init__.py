"""The operator's address book, RC_MCP_CONTACTS: names for numbers that RingCentral sends without one.

`book.py` reads the file again when it changes, `vcards.py` and `tables.py` know its formats. Names and numbers are
untrusted, like those of senders: the file may be an export that others can write to, such as a shared directory.
"""
