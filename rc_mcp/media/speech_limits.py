"""All limits on the transcription of untrusted recordings, in one table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SpeechLimits:
    """One value per limit; each name ends in its unit. All values are our own choice."""

    sound_s: float = 600.0
    """So much of a recording is transcribed."""
    piece_s: float = 28.0
    """The longest piece that is read at once. Whisper hears 30 s, and reads each piece without the words before it."""
    around_speech_s: float = 1.0
    """So much sound before and after the speech of a piece is read with it."""
    memory_bytes: int = 6 * 1024**3
    """Address space of the worker, if the system has such a limit. The model `small` takes 1 GB of memory."""
    cpu_s: int = 1200
    """Processor time of the worker."""
    background_time_s: float = 240.0
    """The time for one recording that nobody waits for; a call has its own time limit. The feed of the local copy syncs
    after it."""
    answer_s: float = 2.0
    """Transcription stops this long before the end of a call, so that the sentences so far are still returned."""
    message_bytes: int = 256 * 1024
    """One message from the worker: the words of a piece."""
    words_per_piece: int = 500
    kept: int = 256
    """Transcripts that a server keeps in memory."""


LIMITS = SpeechLimits()
