"""The allowed values of request parameters, from RingCentral's API reference for the Message Store.

They apply only to requests. In records the same fields are `str | None`, so that a new value never breaks a page.
"""

from typing import Literal

MessageType = Literal["Fax", "SMS", "VoiceMail", "Pager"]
"""The types that a list or a sync can filter by. An MMS is an SMS with `MmsAttachment` attachments."""

DeletableType = Literal["Fax", "SMS", "VoiceMail", "Pager", "Text", "All"]
"""The types that a delete can be limited to."""

Direction = Literal["Inbound", "Outbound"]
ReadStatus = Literal["Read", "Unread"]

Availability = Literal["Alive", "Deleted", "Purged"]
"""Alive, then Deleted (can be restored), then Purged (attachments gone, final)."""

SyncType = Literal["FSync", "ISync"]
"""FSync reads all messages of a frame and returns a token; ISync reads the changes since a token."""

ContentDisposition = Literal["Inline", "Attachment"]
