"""The optional parameters of requests that share them: name, type, meaning and check of each.

The check, in `Annotated`, turns a value into the form that the API expects; `calls.query` applies it. A filter that is
a list has 1 to 50 values.

The allowed words are from RingCentral's API reference. They apply only to requests: in records the same fields are
`str | None`, so that a new value never breaks a page.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Literal, TypedDict

from rc_mcp.ringcentral.calls import flag, identifier, one_of, some_of, text, text_or_texts, texts, to_wire_time, whole
from rc_mcp.ringcentral.limits import LIMITS

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


class SyncFilters(TypedDict, total=False):
    """The filters of lists and syncs except time."""

    conversation_id: Annotated[str | None, identifier]
    """Only this conversation. If the server or a proxy ignores this filter, the client applies it to a list and to an
    FSync, and drops the totals."""
    direction: Annotated[Sequence[Direction] | None, partial(some_of, literal=Direction)]
    """Default: both."""
    distinct_conversations: Annotated[bool | None, flag]
    """Only the latest message of each conversation."""
    message_type: Annotated[Sequence[MessageType] | None, partial(some_of, literal=MessageType)]
    """Default: all."""
    owner: Annotated[str | Sequence[str] | None, text_or_texts]
    """`Any`, `Personal` (RingCentral's default) or `Shared`, or extension ids. Needs the feature SharedVoicemail or
    CallQueueSmsRecipient."""
    owner_extension_type: Annotated[Sequence[str] | None, texts]
    """Only messages owned by extensions of these types. Needs the same feature."""
    voicemail_owner: Annotated[str | Sequence[str] | None, text_or_texts]
    """Deprecated by RingCentral; use `owner`."""


class ListFilters(SyncFilters, total=False):
    """The filters of lists except time."""

    availability: Annotated[Sequence[Availability] | None, partial(some_of, literal=Availability)]
    """Default: only Alive messages."""
    phone_number: Annotated[str | None, text]
    """Only messages to or from this number."""
    read_status: Annotated[Sequence[ReadStatus] | None, partial(some_of, literal=ReadStatus)]
    """Default: both."""


class ListArguments(ListFilters, total=False):
    """The arguments of `MessageStoreClient.list_messages`."""

    date_from: Annotated[datetime | None, to_wire_time]
    """Only messages created from this time on. Default: 24 hours before `date_to`."""
    date_to: Annotated[datetime | None, to_wire_time]
    """Only messages created up to this time. Default: now. Sent in UTC, to the millisecond."""
    page: Annotated[int | None, partial(whole, least=1)]
    """From 1."""
    per_page: Annotated[int | None, partial(whole, least=0, most=LIMITS.records_per_page)]
    """0 to 1000. Default: 100."""


class SyncArguments(SyncFilters, total=False):
    """The arguments of `MessageStoreClient.sync_messages`."""

    date_from: Annotated[datetime | None, to_wire_time]
    """Start of the frame. Default: 24 hours before `date_to` (RingCentral's guide says a week)."""
    date_to: Annotated[datetime | None, to_wire_time]
    """End of the frame. Default: now."""
    record_count: Annotated[int | None, partial(whole, least=1)]
    """Approximate maximum of records. RingCentral may send more, and publishes no maximum."""
    sync_token: Annotated[str | None, text]
    """From the previous sync; required by ISync, refused with FSync."""
    sync_type: Annotated[SyncType | None, partial(one_of, literal=SyncType)]
    """Default: ISync with a `sync_token`, otherwise FSync."""


class ContentLabel(TypedDict, total=False):
    """The header `content-disposition` that RingCentral sends with an attachment."""

    content_disposition: Annotated[ContentDisposition | None, partial(one_of, literal=ContentDisposition)]
    """The value RingCentral puts into that header."""
    content_disposition_filename: Annotated[str | None, partial(text, max_chars=LIMITS.file_name_chars)]
    """The file name in that header, at most 255 characters."""
