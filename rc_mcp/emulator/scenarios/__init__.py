"""The messages that an emulated mailbox begins with."""
