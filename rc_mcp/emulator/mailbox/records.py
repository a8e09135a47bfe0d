"""Messages as the API returns them: the JSON is stored almost as it is sent, and a list never parses it.

Addresses are added last, because a served emulator learns its ports late.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rc_mcp.emulator.dates import to_wire
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.json_text import parsed
from rc_mcp.emulator.vocabulary import Availability, ReadStatus

_URI = '"uri":"'
_ATTACHMENT = f"{_URI}/"
"""The beginning of the address of an attachment in `details_json`."""


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


class MessageRecord(NamedTuple):
    """One stored message. Times are milliseconds since the epoch.

    `details_json` has the fields that no filter uses. In it, the address of an attachment is `/` and its id.
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
    details_json: str

    @property
    def details(self) -> Json:
        return parsed(self.details_json)


def record_json(message: MessageRecord, addresses: Addresses) -> str:
    path = f"{addresses.path}/message-store/{message.id}"
    content = f"{_URI}{addresses.hosts.media_url}{path}/content/"
    return (
        f'{{"uri":"{addresses.hosts.server_url}{path}","id":{message.id},"type":"{message.type}"'
        f',"creationTime":"{to_wire(message.created_ms)}","readStatus":"{message.read_status}"'
        f',"direction":"{message.direction}","availability":"{message.availability}"'
        f',"lastModifiedTime":"{to_wire(message.modified_ms)}"'
        # No text has this: within a text, JSON escapes quotation marks.
        f",{message.details_json[1:-1].replace(_ATTACHMENT, content)}{_conversation(message, addresses)}}}"
    )


def full_record(message: MessageRecord, addresses: Addresses) -> Json:
    return parsed(record_json(message, addresses))


def removal_json(message: MessageRecord) -> str:
    """Return the fields that an incremental sync reports for a deleted or purged message."""
    return f'{{"id":{message.id},"availability":"{message.availability}"}}'


def text_content(text: str) -> bytes:
    """Return a text as an attachment. Characters that cannot be encoded become question marks, as from Java servers."""
    return text.encode(errors="replace")


def message_uri(message_id: int | str, addresses: Addresses) -> str:
    return f"{addresses.mailbox}/message-store/{message_id}"


def _conversation(message: MessageRecord, addresses: Addresses) -> str:
    if message.conversation_id is None:
        return ""
    found = message.conversation_id
    uri = f"{addresses.hosts.server_url}/restapi/v1.0/conversation/{found}"
    return f',"conversationId":{found},"conversation":{{"id":"{found}","uri":"{uri}"}}'
