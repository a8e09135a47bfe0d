"""The closed sets of words the API takes and gives."""

from typing import Literal

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

# What the `type` of a delete covers. `Text` is a word left over from an older edition, where it stood for
# messages made of text. What it deletes today is not documented; here it deletes both such kinds, the reading
# that destroys more.
DELETABLE: dict[str, tuple[str, ...]] = {
    "All": MESSAGE_TYPES,
    "Fax": ("Fax",),
    "SMS": ("SMS",),
    "VoiceMail": ("VoiceMail",),
    "Pager": ("Pager",),
    "Text": ("SMS", "Pager"),
}

EXTENSION_TYPES = (
    "User",
    "Department",
    "Announcement",
    "Voicemail",
    "DigitalUser",
    "VirtualUser",
    "FaxUser",
    "PagingOnly",
    "SharedLinesGroup",
    "DelegatedLinesGroup",
    "GroupCallPickup",
    "IvrMenu",
    "ApplicationExtension",
    "ProxyAdmin",
    "RoomConnector",
    "ParkLocation",
    "Limited",
    "Bot",
    "Site",
    "Room",
    "FlexibleUser",
    "TieLine",
    "Unknown",
)
