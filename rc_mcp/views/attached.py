"""Files that are attached to a message: which attachments count as files, and what kinds they are in plain words."""

import mimetypes
from collections import Counter
from collections.abc import Iterable

from rc_mcp.media.kinds import TEXT, UNKNOWN
from rc_mcp.ringcentral import Attachment, Message
from rc_mcp.views.untrusted_text import counted

_NOUNS = {
    "image/": "picture",
    "video/": "video",
    "audio/": "audio file",
    "application/pdf": "PDF",
    "application/x-pdf": "PDF",
    "text/vcard": "contact card",
    "text/x-vcard": "contact card",
    "text/calendar": "calendar file",
    "text/": "text file",
}
"""By the beginning of the content type. The words are ours, so that they may stand outside untrusted fields."""
_OTHER = "file"
_TYPES = mimetypes.MimeTypes()
"""Content types by file name, without the tables of this machine, which differ."""
_NAME_CHARS = 200


def files(message: Message) -> list[Attachment]:
    """Return the attachments that a person would count: no words of a text, no transcript of a voicemail."""
    return [a for a in message.attachments if not is_text_body(message, a) and not is_transcript(message, a)]


def is_text_body(message: Message, attachment: Attachment) -> bool:
    """Return whether the attachment only repeats the words of a text message. Records of 2012 have no types."""
    if message.type in {"Fax", "VoiceMail"} or not _is_plain(attachment):
        return False
    return attachment.type == "Text" or (attachment.type is None and attachment.file_name is None)


def is_recording(message: Message, attachment: Attachment) -> bool:
    """Return whether this is the recording of a voicemail. Records of 2012 have no types."""
    if attachment.type is None:
        return message.type == "VoiceMail" and noun_of(message, attachment) == _NOUNS["audio/"]
    return attachment.type == "AudioRecording"


def is_transcript(message: Message, attachment: Attachment) -> bool:
    """Return whether this is RingCentral's transcript of a voicemail."""
    if attachment.type is None:
        return message.type == "VoiceMail" and bool(attachment.content_type) and _is_plain(attachment)
    return attachment.type == "AudioTranscription"


def attached(message: Message) -> str | None:
    """Return what is attached, as in `2 pictures, 1 PDF`; None for nothing, and for a fax or voicemail as usual."""
    found = files(message)
    if not found or (len(found) == 1 and message.type in {"Fax", "VoiceMail"}):
        return None  # the type of the message says it
    return ", ".join(counted(n, noun) for noun, n in by_noun([message]).items()) or None


def by_noun(messages: Iterable[Message]) -> dict[str, int]:
    """Count the files of these messages by kind, in the singular; the most frequent kind first."""
    return dict(Counter(noun_of(m, a) for m in messages for a in files(m)).most_common())


def noun_of(message: Message, attachment: Attachment) -> str:
    """Return the kind of a file in plain words, as in `picture`."""
    if message.type == "Fax":
        return "document"
    kind = (attachment.content_type or UNKNOWN).strip().lower()
    if kind == UNKNOWN:
        kind = _TYPES.guess_type((attachment.file_name or "")[-_NAME_CHARS:])[0] or UNKNOWN
    if kind == UNKNOWN and attachment.width:
        return _NOUNS["image/"]
    return next((noun for beginning, noun in _NOUNS.items() if kind.startswith(beginning)), _OTHER)


def _is_plain(attachment: Attachment) -> bool:
    return (attachment.content_type or TEXT).strip().lower().startswith(TEXT)
