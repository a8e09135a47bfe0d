"""The mailbox: its database, records, folders and files."""
