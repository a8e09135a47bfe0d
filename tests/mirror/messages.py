"""Small records for tests of the copy."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rc_mcp.ringcentral import Message

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MARIA = {"phoneNumber": "+15035550134", "name": "Maria Costa"}


def text_message(
    number: int, text: str, *, minutes: float = 0, sender: dict[str, Any] = MARIA, **other: Any
) -> Message:
    """Return a received text, created so long after `START`."""
    return Message(
        {
            "id": str(number),
            "type": "SMS",
            "direction": "Inbound",
            "availability": "Alive",
            "readStatus": "Unread",
            "creationTime": (START + timedelta(minutes=minutes)).isoformat(timespec="milliseconds"),
            "from": sender,
            "to": [{"phoneNumber": "+15035550110"}],
            "subject": text,
            "attachments": [],
            **other,
        }
    )


def voicemail(number: int, *, minutes: float = 0, status: str = "Completed", **other: Any) -> Message:
    """Return a voicemail with a transcript; their ids are its own with 1 and 2 behind it."""
    attachments = [
        {"id": f"{number}1", "type": "AudioRecording", "contentType": "audio/mpeg", "vmDuration": 9},
        {"id": f"{number}2", "type": "AudioTranscription", "contentType": "text/plain"},
    ]
    fields: dict[str, Any] = {"type": "VoiceMail", "vmTranscriptionStatus": status, "attachments": attachments, **other}
    return text_message(number, "Voicemail", minutes=minutes, **fields)


def fax(number: int, *, minutes: float = 0, **other: Any) -> Message:
    """Return a fax of a page; the id of its document is its own with 1 behind it."""
    document = {"id": f"{number}1", "type": "RenderedDocument", "contentType": "application/pdf"}
    fields: dict[str, Any] = {"type": "Fax", "faxPageCount": 1, "attachments": [document], **other}
    return text_message(number, "+15035550110", minutes=minutes, **fields)
