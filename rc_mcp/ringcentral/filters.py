"""Types for the filters of lists and syncs, for methods that send more than one request."""

from collections.abc import Sequence
from typing import TypedDict

from rc_mcp.ringcentral.vocabulary import Availability, Direction, MessageType, ReadStatus


class SyncFilters(TypedDict, total=False):
    """The filters of `MessageStoreClient.sync_messages` except time."""

    direction: Sequence[Direction] | None
    message_type: Sequence[MessageType] | None
    distinct_conversations: bool | None
    conversation_id: str | None
    owner: str | Sequence[str] | None
    owner_extension_type: Sequence[str] | None
    voicemail_owner: Sequence[str] | None


class ListFilters(SyncFilters, total=False):
    """The filters of `MessageStoreClient.list_messages` except time."""

    availability: Sequence[Availability] | None
    read_status: Sequence[ReadStatus] | None
    phone_number: str | None
