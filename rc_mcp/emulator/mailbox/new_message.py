"""Drafts: `Draft` describes a message before it is stored, and `compose` makes RingCentral's fields of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Literal

from pydantic import with_config

from rc_mcp.emulator.dates import SECOND_MS, to_ms, to_wire
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.mailbox import media_files
from rc_mcp.emulator.mailbox.people import Party
from rc_mcp.emulator.vocabulary import Availability, Direction, MessageType


@with_config(extra="forbid")
@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message to add. `sender` and `recipients` default to the mailbox's owner, `created` to now.

    `media` are files of the `media` folder; `file_names`, in the same order, are the sender's names for them.
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
    media: tuple[str, ...] = ()
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
    priority: Literal["Normal", "High"] = "Normal"


def compose(draft: Draft, owner: Party, message_id: int, new_id: Callable[[], int]) -> Json:
    """Return a message's fields beyond the store's columns. Every attachment names the source of its content."""
    by_type = {"SMS": _text_message, "Pager": _pager_message, "VoiceMail": _voicemail, "Fax": _fax}
    fields = by_type[draft.type](draft, owner)
    status = draft.status or ("Received" if draft.direction == "Inbound" else "Sent")
    attachments = _attachments(draft, message_id, new_id)
    return {**fields, "priority": draft.priority, "messageStatus": status, "attachments": attachments}


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
    status = draft.transcript_status or ("Completed" if draft.transcript is not None else "NotAvailable")
    return {
        "from": (draft.sender or owner).by_phone(),
        # Samples name the recipient of a voicemail and give no number.
        "to": [{"name": (party or owner).name or ""} for party in draft.recipients or (None,)],
        "vmTranscriptionStatus": status,
    }


def _fax(draft: Draft, owner: Party) -> Json:
    fields: Json = {"faxResolution": draft.resolution, "faxPageCount": draft.pages}
    if draft.direction == "Inbound":
        # Samples show no `to` here, and in `subject` not the sender's number but the one that received the fax.
        return {"from": (draft.sender or owner).by_phone(), "subject": owner.phone_number or "", **fields}
    fields["to"] = [_fax_recipient(party or owner, draft) for party in draft.recipients]
    fields["coverIndex"] = draft.cover_index or 0
    if draft.cover_text:
        fields["coverPageText"] = draft.cover_text
    return fields


def _fax_recipient(party: Party, draft: Draft) -> Json:
    fields = {**party.by_phone(), "messageStatus": draft.status or "Sent"}
    return {**fields, "faxErrorCode": draft.error} if draft.error else fields


def _attachments(draft: Draft, message_id: int, new_id: Callable[[], int]) -> list[Json]:
    # Every file with the sender's name for it, if any.
    files = list(zip_longest(draft.media, draft.file_names[: len(draft.media)]))
    if draft.type in {"SMS", "Pager"}:
        text = [_text_attachment("Text", message_id, draft.text)]
        return text + [_file_attachment("MmsAttachment", new_id(), *file) for file in files]
    kind = "RenderedDocument" if draft.type == "Fax" else "AudioRecording"
    # The first has the message's own id, as in all recent samples.
    found = [_file_attachment(kind, new_id() if at else message_id, *file) for at, file in enumerate(files)]
    if draft.type == "VoiceMail":
        found = [{**recording, "vmDuration": draft.seconds} for recording in found]
        if draft.transcript is not None:
            found.append(_text_attachment("AudioTranscription", new_id(), draft.transcript))
    return found


def _text_attachment(kind: str, attachment_id: int, text: str) -> Json:
    # Characters that cannot be encoded become question marks, as from any Java server.
    size = len(text.encode(errors="replace"))
    return {"id": attachment_id, "type": kind, "contentType": "text/plain", "size": size, "source": {"text": text}}


def _file_attachment(kind: str, attachment_id: int, name: str, given_name: str | None) -> Json:
    fields: Json = {
        "id": attachment_id,
        "type": kind,
        "contentType": media_files.content_type(name),
        "size": len(media_files.read(name)),
        "source": {"file": name},
    }
    if kind == "MmsAttachment" or given_name is not None:
        fields["fileName"] = name if given_name is None else given_name
    if kind == "MmsAttachment" and (size := media_files.picture_size(name)):
        fields["width"], fields["height"] = size
    return fields
