"""The transcript of a recording that this server makes, and what is said about it."""

from typing import TYPE_CHECKING, Literal

from rc_mcp.media.document_limits import LIMITS
from rc_mcp.media.sentences import clock
from rc_mcp.media.speech_model import ModelError
from rc_mcp.media.speech_protocol import SoundReason
from rc_mcp.media.transcription import Transcriber, Transcription
from rc_mcp.ringcentral import ContentTooLarge

if TYPE_CHECKING:
    from rc_mcp.attachments.ladder import AttachmentRequest

NOT_MADE = "This server made no transcript of it:"
BY_MODEL = (
    "transcribed_here was made on this machine by {model}, in language {language}, with mistakes. Each line has its "
    "time in the recording. Numbers are often misheard; each is marked with the time at which to check it by ear."
)
NO_SPEECH = "{model} heard no speech in it: silence, a tone, or a hang-up."
NO_ENGLISH = "{model} knows only English, and understood none at {times}: another language, or a bad line."
NOT_UNDERSTOOD = "{model} understood nothing at {times}: a bad line, or a language that it hardly knows."
REASONS: dict[SoundReason | Literal["slow"], str] = {
    "empty": "the file is empty",
    "no_sound": "it is damaged, or no sound in a known format",
    "no_engine": "faster-whisper is not installed, or cannot be loaded; rc-mcp doctor says how to fix this",
    "bad_model": "the model cannot be loaded; rc-mcp doctor says how to fix this",
    "too_much_memory": "the model is over the memory limit",
    "failed": "transcription failed",
    "slow": "transcription took too long",
}
"""Why there is no transcript, or no more of it."""


async def hear(asked: "AttachmentRequest", transcriber: Transcriber) -> tuple[str, str]:
    """Return the transcript made here, and what to say about it. The sound is fetched unless it was made before.

    Raises:
        RingCentralError: RingCentral did not return the recording.
        ToolError: the temporary file cannot be written.
    """
    try:
        made = await transcription_of(asked, transcriber)
    except ModelError as error:
        return "", f"{NOT_MADE} {error}"
    except ContentTooLarge as error:
        return "", f"{NOT_MADE} {error}"
    return made.text, said_of(made)


async def transcription_of(asked: "AttachmentRequest", transcriber: Transcriber) -> Transcription:
    """Return the transcript made here.

    Raises:
        ModelError: the model cannot be used.
        RingCentralError: RingCentral did not return the recording.
        ToolError: the temporary file cannot be written.
    """
    known = transcriber.known(asked.place.uri)
    if known is not None:
        return known
    async with asked.fetch(LIMITS.document_bytes) as found:
        return await transcriber.transcribe(found.file, asked.place.uri, asked.progress)


def said_of(made: Transcription) -> str:
    """Say who made a transcript, what is missing in it, and why."""
    said: list[str] = []
    if made.sentences:
        said.append(BY_MODEL.format(model=made.model, language=", ".join(made.languages)))
    if made.unclear:
        times = ", ".join(f"{clock(start)}-{clock(end)}" for start, end in made.unclear)
        said.append((NO_ENGLISH if made.is_english_only else NOT_UNDERSTOOD).format(model=made.model, times=times))
    if made.why and made.heard_s:
        said.append(f"Its rest, from {clock(made.heard_s)} on, is not written down: {REASONS[made.why]}.")
    elif made.why:
        said.append(f"{NOT_MADE} {REASONS[made.why]}.")
    elif not said:
        said.append(NO_SPEECH.format(model=made.model))
    if made.is_longer:
        said.append(f"Only the first {clock(made.seconds or 0)} were transcribed; the recording is longer.")
    if made.is_damaged:
        said.append("The recording is damaged; what could be decoded was transcribed.")
    return " ".join(said)
