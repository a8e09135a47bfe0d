"""Messages as the API returns them. Addresses are added last, because a served emulator learns its ports late."""

from dataclasses import dataclass
from functools import cached_property

from rc_mcp.emulator.dates import to_wire
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.vocabulary import Availability, ReadStatus


@dataclass
class Hosts:
    """The emulator's two base URLs. `serve` changes both."""

    server_url: str
    media_url: str


@dataclass(frozen=True)
class Addresses:
    """The addresses of one mailbox."""

    hosts: Hosts
    account_id: str
    extension_id: str

    @cached_property
    def path(self) -> str:
        return f"/restapi/v1.0/account/{self.account_id}/extension/{self.extension_id}"

    @property
    def mailbox(self) -> str:
        return self.hosts.server_url + self.path


@dataclass(frozen=True)
class MessageRecord:
    """One stored message. Times are milliseconds since the epoch; `details` has the fields that no filter uses.

    `owner` is the extension id of a shared message's owner; None for a message of the mailbox's own user.
    """

    id: int
    type: str
    direction: str
    read_status: ReadStatus
    availability: Availability
    conversation_id: int | None
    created_ms: int
    modified_ms: int
    removed_ms: int | None
    owner: int | None
    details: Json


def full_record(message: MessageRecord, addresses: Addresses) -> Json:
    record: Json = {
        "uri": message_uri(message.id, addresses),
        "id": message.id,
        "type": message.type,
        "creationTime": to_wire(message.created_ms),
        "readStatus": message.read_status,
        "direction": message.direction,
        "availability": message.availability,
        "lastModifiedTime": to_wire(message.modified_ms),
        **message.details,
    }
    media = f"{addresses.hosts.media_url}{addresses.path}/message-store/{message.id}/content"
    record["attachments"] = [_attachment(item, media) for item in message.details["attachments"]]
    if message.conversation_id is not None:
        uri = f"{addresses.hosts.server_url}/restapi/v1.0/conversation/{message.conversation_id}"
        record["conversationId"] = message.conversation_id
        record["conversation"] = {"id": str(message.conversation_id), "uri": uri}
    return record


def removal(message: MessageRecord) -> Json:
    """Return the fields that an incremental sync reports for a deleted or purged message."""
    return {"id": message.id, "availability": message.availability}


def text_content(text: str) -> bytes:
    """Return a text as an attachment. Characters that cannot be encoded become question marks, as from Java servers."""
    return text.encode(errors="replace")


def message_uri(message_id: int | str, addresses: Addresses) -> str:
    return f"{addresses.mailbox}/message-store/{message_id}"


def _attachment(item: Json, media: str) -> Json:
    shown = {"id": item["id"], "uri": f"{media}/{item['id']}", **item}
    del shown["source"]
    return shown
