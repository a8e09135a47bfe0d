"""The closed sets of words a request may carry, as RingCentral's API reference for the Message Store lists them.

They bind requests only. On reads the same fields are plain `str | None`, so that a new word never breaks a page.
"""

from typing import Literal

MessageType = Literal["Fax", "SMS", "VoiceMail", "Pager"]
"""The types a list or a sync can be filtered by. An MMS is an SMS with `MmsAttachment` attachments."""

DeletableType = Literal["Fax", "SMS", "VoiceMail", "Pager", "Text", "All"]
"""The types a delete can be narrowed to."""

Direction = Literal["Inbound", "Outbound"]
ReadStatus = Literal["Read", "Unread"]

Availability = Literal["Alive", "Deleted", "Purged"]
"""Alive, then Deleted (can be restored), then Purged (attachments gone, final)."""

SyncType = Literal["FSync", "ISync"]
"""FSync reads a frame of messages anew and gives a token; ISync reads what changed since a token was given."""

ContentDisposition = Literal["Inline", "Attachment"]
