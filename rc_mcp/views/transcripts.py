"""Transcripts of voicemails, judged by what is attached: the status alone does not say it.

RingCentral was recorded to send a transcript with the status CompletedPartially, and Completed without a transcript.
"""

from typing import Literal

from rc_mcp.ringcentral import Attachment, Message
from rc_mcp.views.attached import is_recording, is_transcript
from rc_mcp.views.untrusted_text import is_id, word

Extent = Literal["whole", "part", "unknown"]

WHOLE, PARTIAL, NONE = "Completed", "partial", "none"
"""Words for a transcript; for a missing one also RingCentral's status, such as InProgress or Failed."""
_NOT_THE_WHOLE = frozenset({"CompletedPartially", "InProgress", "TimedOut", "Failed"})
"""States in which an attached transcript is a part. RingCentral does not explain them; its own web client shows
CompletedPartially as still in progress."""
_CONTRADICTED = frozenset({"Completed", "CompletedPartially"})


def transcript_of(message: Message) -> Attachment | None:
    """Return the transcript, if there is one that can be fetched."""
    return next(iter(_transcripts(message)), None)


def transcript_of_recording(message: Message, recording: Attachment) -> tuple[Attachment | None, bool]:
    """Return the transcript of one recording, and whether it is certain that it belongs to this recording.

    RingCentral does not link them. Of several, each recording is taken to have the transcript in the same place.
    """
    recordings = [a for a in message.attachments if is_recording(message, a)]
    transcripts = _transcripts(message)
    if len(recordings) == len(transcripts) and recording in recordings:
        return transcripts[recordings.index(recording)], True
    return next(iter(transcripts), None), len(recordings) < 2


def _transcripts(message: Message) -> list[Attachment]:
    return [a for a in message.attachments if is_transcript(message, a) and is_id(a.id)]


def extent(message: Message) -> Extent:
    """Return how much of the recording the attached transcript covers."""
    if message.vm_transcription_status == WHOLE:
        return "whole"
    return "part" if message.vm_transcription_status in _NOT_THE_WHOLE else "unknown"


def is_written_down(message: Message, recording: Attachment) -> bool:
    """Return whether RingCentral has a transcript that is certainly of the whole recording."""
    transcript, is_its_own = transcript_of_recording(message, recording)
    return transcript is not None and is_its_own and extent(message) == "whole"


def transcription(message: Message) -> str | None:
    """Return the state of a voicemail's transcript in a word; None for another message, or if nobody says it."""
    status = word(message.vm_transcription_status)
    if message.type != "VoiceMail":
        return status
    if transcript_of(message):
        return PARTIAL if extent(message) == "part" else status
    return NONE if status is None or status in _CONTRADICTED else status


def recording_seconds(message: Message) -> int | None:
    """Return the length of the recording, otherwise that of any attachment."""
    lengths = [(not is_recording(message, a), a.vm_duration) for a in message.attachments if a.vm_duration is not None]
    return min(lengths, key=lambda length: length[0])[1] if lengths else None
