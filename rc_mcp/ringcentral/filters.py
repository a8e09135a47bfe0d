"""The filters that lists and syncs share, as types, for the methods that send more than one request."""

from collections.abc import Sequence
from typing import TypedDict

from rc_mcp.ringcentral.literals import Availability, Direction, MessageType, ReadStatus


class SyncFilters(TypedDict, total=False):
    """What `MessageStoreClient.sync_messages` can be narrowed by, beside time."""

    direction: Sequence[Direction] | None
    message_type: Sequence[MessageType] | None
    distinct_conversations: bool | None
    conversation_id: str | None
    owner: str | Sequence[str] | None
    owner_extension_type: Sequence[str] | None
    voicemail_owner: Sequence[str] | None


class ListFilters(SyncFilters, total=False):
    """What `MessageStoreClient.list_messages` can be narrowed by, beside time."""

    availability: Sequence[Availability] | None
    read_status: Sequence[ReadStatus] | None
    phone_number: str | None
