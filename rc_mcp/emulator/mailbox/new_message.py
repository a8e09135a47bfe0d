"""Drafts: `Draft` describes a message before it is stored, and `compose` makes RingCentral's fields of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Annotated, Literal, TypeAlias

from pydantic import Base64Bytes, Discriminator, Tag, with_config

from rc_mcp.emulator.dates import SECOND_MS, to_ms, to_wire
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.mailbox import media_files
from rc_mcp.emulator.mailbox.people import Party, extension_id_of
from rc_mcp.emulator.mailbox.records import text_content
from rc_mcp.emulator.vocabulary import Availability, Direction, ExtensionType, MessageType

# RingCentral transcribes the first minute of a voicemail (its blog). One longer recording with a transcript was
# recorded, and its status is CompletedPartially.
_TRANSCRIBED_S = 60
_CONTENT_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)


@with_config(extra="forbid")
@dataclass(frozen=True)
class File:
    """An attachment of any kind. `data` is bytes, base64 in JSON. The default `content_type` follows from `name`."""

    name: str
    data: Base64Bytes
    content_type: str | None = None

    def __post_init__(self) -> None:
        if self.content_type is not None and not _CONTENT_TYPE.fullmatch(self.content_type):
            raise ValueError("content_type: must be a media type such as application/pdf")


# Told apart before they are validated, so that an error is about the one that was meant.
Media: TypeAlias = Annotated[
    Annotated[str, Tag("name")] | Annotated[File, Tag("file")],
    Discriminator(lambda given: "name" if isinstance(given, str) else "file"),
]


@with_config(extra="forbid")
@dataclass(frozen=True, kw_only=True)
class Owner:
    """The owner of a shared message: as a rule a call queue, whose extension type is Department."""

    extension_number: str
    name: str
    phone_number: str | None = None
    extension_type: ExtensionType = "Department"

    @property
    def extension_id(self) -> str:
        return extension_id_of(self.extension_number)

    @property
    def party(self) -> Party:
        return Party(name=self.name, phone_number=self.phone_number, extension_number=self.extension_number)

    def shown(self) -> Json:
        return {"extensionId": self.extension_id, "extensionType": self.extension_type, "name": self.name}


@with_config(extra="forbid")
@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message to add. `sender` and `recipients` default to the mailbox's user, `created` to now.

    `media` are files: names in the `media` folder, or a `File` with any bytes. `file_names`, in the same order, are the
    sender's names for them. `statuses` and `errors` are those of each recipient of a fax, in the order of `recipients`;
    a recipient without one has the message's own `status` and `error`. A message with an `owner` is shared: it is in
    the mailbox of the user, and `sender` and `recipients` default to the owner.
    """

    type: MessageType
    direction: Direction = "Inbound"
    created: datetime | None = None
    sender: Party | None = None
    recipients: tuple[Party | None, ...] = ()
    read: bool = False
    availability: Availability = "Alive"
    removed: datetime | None = None
    text: str = ""
    conversation: str | None = None
    media: tuple[Media, ...] = ()
    file_names: tuple[str, ...] = ()
    seconds: int = 0
    transcript: str | None = None
    transcript_status: str | None = None
    pages: int = 1
    resolution: Literal["High", "Low"] = "High"
    cover_text: str | None = None
    cover_index: int | None = None
    status: str | None = None
    error: str | None = None
    statuses: tuple[str, ...] = ()
    errors: tuple[str | None, ...] = ()
    owner: Owner | None = None
    priority: Literal["Normal", "High"] = "Normal"


@dataclass(frozen=True)
class Attachment:
    """An attachment, and its content if that is not the text of the message.

    The content is bytes, or the name of a file in the `media` folder.
    """

    shown: Json
    content: bytes | str | None = None

    @property
    def id(self) -> int:
        return self.shown["id"]


def compose(draft: Draft, owner: Party, message_id: int, new_id: Callable[[], int]) -> tuple[Json, list[Attachment]]:
    """Return a message's fields beyond the store's columns, and its attachments."""
    owner = owner if draft.owner is None else draft.owner.party
    by_type = {"SMS": _text_message, "Pager": _pager_message, "VoiceMail": _voicemail}
    fields = _fax(draft, owner, message_id) if draft.type == "Fax" else by_type[draft.type](draft, owner)
    received = draft.direction == "Inbound" and draft.type != "Pager"
    # Pager messages are sent within the account: those that arrived were recorded as Sent too.
    status = draft.status or ("Received" if received else "Sent")
    attachments = _attachments(draft, message_id, new_id)
    record: Json = {
        **fields,
        "priority": draft.priority,
        "messageStatus": status,
        "attachments": [each.shown for each in attachments],
    }
    return (record if draft.owner is None else {**record, "owner": draft.owner.shown()}), attachments


def other_parties(draft: Draft) -> list[Party]:
    """Return all parties except the owner, in a fixed order. Texts with the same parties share a conversation."""
    return [party for party in (draft.sender, *draft.recipients) if party is not None]


def _text_message(draft: Draft, owner: Party) -> Json:
    recipients = draft.recipients or (None,)
    fields: Json = {
        "from": (draft.sender or owner).by_phone(),
        "to": [(party or owner).by_phone() for party in recipients],
        "subject": draft.text,
    }
    if len(recipients) > 1 and draft.direction == "Inbound":
        fields["to"][recipients.index(None) if None in recipients else 0]["target"] = True
    if draft.direction == "Outbound":
        # One segment has 160 GSM characters. The segments of a longer text have 153, which leaves space for numbering.
        length = len(draft.text)
        fields["segmentCount"] = 1 if length <= 160 else -(-length // 153)
        fields["smsSendingAttemptsCount"] = 1
    if draft.status == "Delivered" and draft.created:
        fields["smsDeliveryTime"] = to_wire(to_ms(draft.created) + 4 * SECOND_MS)
    if draft.error:
        fields["deliveryErrorCode"] = draft.error
    return fields


def _pager_message(draft: Draft, owner: Party) -> Json:
    return {
        "from": (draft.sender or owner).by_extension(),
        "to": [(party or owner).by_extension() for party in draft.recipients or (None,)],
        "subject": draft.text,
        "pgToDepartment": False,
    }


def _voicemail(draft: Draft, owner: Party) -> Json:
    transcribed = "CompletedPartially" if draft.seconds > _TRANSCRIBED_S else "Completed"
    status = draft.transcript_status or ("NotAvailable" if draft.transcript is None else transcribed)
    return {
        "from": (draft.sender or owner).calling(),
        "to": [(party or owner).called() for party in draft.recipients or (None,)],
        "vmTranscriptionStatus": status,
    }


def _fax(draft: Draft, owner: Party, message_id: int) -> Json:
    fields: Json = {"faxResolution": draft.resolution, "faxPageCount": draft.pages}
    if draft.direction == "Inbound":
        # Samples show no `to` here, and in `subject` not the sender's number but the one that received the fax.
        return {"from": (draft.sender or owner).by_phone(), "subject": owner.phone_number or "", **fields}
    fields["from"] = (draft.sender or owner).by_phone()
    fields["to"] = [_fax_recipient(draft, owner, message_id, at) for at in range(len(draft.recipients))]
    fields["coverIndex"] = draft.cover_index or 0
    if draft.cover_text:
        fields["coverPageText"] = draft.cover_text
    return fields


def _fax_recipient(draft: Draft, owner: Party, message_id: int, at: int) -> Json:
    status = draft.statuses[at] if at < len(draft.statuses) else draft.status or "Sent"
    error = draft.errors[at] if at < len(draft.errors) else draft.error
    fields = {**(draft.recipients[at] or owner).by_phone(), "messageStatus": status}
    # Ids of messages grow in steps of thousands, so this is nobody else's.
    fields["recipientId"] = str(message_id + 1 + at)
    return {**fields, "faxErrorCode": error} if error else fields


def _attachments(draft: Draft, message_id: int, new_id: Callable[[], int]) -> list[Attachment]:
    # Every file with the sender's name for it, if any.
    files = list(zip_longest(draft.media, draft.file_names[: len(draft.media)]))
    if draft.type in {"SMS", "Pager"}:
        # The text is in the message's `subject`.
        text = Attachment(_text_attachment("Text", message_id))
        return [text] + [_file_attachment("MmsAttachment", new_id(), *file) for file in files]
    kind = "RenderedDocument" if draft.type == "Fax" else "AudioRecording"
    # The first has the message's own id, as in all recent samples.
    found = [_file_attachment(kind, new_id() if at else message_id, *file) for at, file in enumerate(files)]
    if draft.type == "VoiceMail":
        if draft.transcript is not None:
            attachment_id = new_id()
            text = {**_text_attachment("AudioTranscription", attachment_id), "fileName": "transcription"}
            found.append(Attachment(text, text_content(draft.transcript)))
        found = [Attachment({**each.shown, "vmDuration": draft.seconds}, each.content) for each in found]
    return found


def _text_attachment(kind: str, attachment_id: int) -> Json:
    return {**_addressed(attachment_id), "type": kind, "contentType": "text/plain"}


def _addressed(attachment_id: int) -> Json:
    """Return the first fields of an attachment; `record_json` adds the rest of its address."""
    return {"id": attachment_id, "uri": f"/{attachment_id}"}


def _file_attachment(kind: str, attachment_id: int, file: str | File, given_name: str | None) -> Attachment:
    name, data = (file.name, file.data) if isinstance(file, File) else (file, media_files.read(file))
    stated = file.content_type if isinstance(file, File) else None
    content_type = stated or media_files.content_type(name)
    fields: Json = {**_addressed(attachment_id), "type": kind, "contentType": content_type}
    if kind == "MmsAttachment" or given_name is not None:
        fields["fileName"] = name if given_name is None else given_name
    if kind == "MmsAttachment":
        # No recording has the size of anything else: not of a text, a document, a recording or a transcript.
        fields["size"] = len(data)
        if size := media_files.picture_size(data, content_type):
            fields["width"], fields["height"] = size
    return Attachment(fields, data if isinstance(file, File) else file)
