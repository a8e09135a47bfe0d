"""The fixed sets of words in the API."""

from typing import Literal, get_args

MessageType = Literal["Fax", "SMS", "VoiceMail", "Pager"]
Direction = Literal["Inbound", "Outbound"]
ReadStatus = Literal["Read", "Unread"]
Availability = Literal["Alive", "Deleted", "Purged"]
OperationName = Literal[
    "listMessages",
    "deleteMessageByFilter",
    "readMessage",
    "updateMessage",
    "patchMessage",
    "deleteMessage",
    "readMessageContent",
    "syncMessages",
    "readMessageStoreConfiguration",
    "updateMessageStoreConfiguration",
    "createMessageStoreReport",
    "readMessageStoreReportTask",
    "readMessageStoreReportArchive",
    "readMessageStoreReportArchiveContent",
    "readAccountInfo",
    "readExtension",
    "listDirectoryEntries",
    "authorize",
    "token",
    "revoke",
]

MESSAGE_TYPES: tuple[MessageType, ...] = ("Fax", "SMS", "VoiceMail", "Pager")
DIRECTIONS: tuple[Direction, ...] = ("Inbound", "Outbound")
READ_STATUSES: tuple[ReadStatus, ...] = ("Read", "Unread")
AVAILABILITIES: tuple[Availability, ...] = ("Alive", "Deleted", "Purged")
SYNC_TYPES = ("FSync", "ISync")
OWNERS = ("Any", "Personal", "Shared")

# The message types for each `type` of a delete. `Text` is from an older edition, where it meant messages of text. Its
# current meaning is not documented; here it deletes both kinds of text, which destroys more.
DELETABLE: dict[str, tuple[str, ...]] = {
    "All": MESSAGE_TYPES,
    "Text": ("SMS", "Pager"),
    **{message_type: (message_type,) for message_type in MESSAGE_TYPES},
}

ExtensionType = Literal[
    "User", "Department", "Announcement", "Voicemail", "DigitalUser", "VirtualUser", "FaxUser", "PagingOnly",
    "SharedLinesGroup", "DelegatedLinesGroup", "GroupCallPickup", "IvrMenu", "ApplicationExtension", "ProxyAdmin",
    "RoomConnector", "ParkLocation", "Limited", "Bot", "Site", "Room", "FlexibleUser", "TieLine", "Unknown",
]  # fmt: skip
EXTENSION_TYPES: tuple[ExtensionType, ...] = get_args(ExtensionType)
