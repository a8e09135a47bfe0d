"""Messages exchanged with the process that transcribes. Its output is validated and treated as untrusted."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rc_mcp.media.speech_limits import LIMITS

SoundReason = Literal["empty", "no_sound", "no_engine", "bad_model", "too_much_memory", "failed"]
"""Why there is no transcript.

`empty`: the file has no bytes. `no_sound`: no sound could be decoded. `no_engine`: the extra `transcribe` is not
installed, or cannot be loaded. `bad_model`: the model cannot be loaded.
"""

Seconds = Annotated[float, Field(ge=0, le=LIMITS.sound_s + 1)]


class _Passed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SoundTask(_Passed):
    """A request to the process."""

    model_folder: str
    is_english_only: bool
    in_background: bool = False
    """Nobody waits for it: other processes go first."""
    load_always: bool = False
    """Load the model even if there is no speech."""


class Sound(_Passed):
    """The recording could be decoded.

    Attributes:
        seconds: the length of what was decoded.
        is_longer: the recording goes on after that.
        is_damaged: decoding ended early.
    """

    what: Literal["sound"] = "sound"
    seconds: Seconds
    is_longer: bool = False
    is_damaged: bool = False


class Word(_Passed):
    """A word as the model wrote it, with the space before it, and its probability in the model's own opinion."""

    text: Annotated[str, Field(max_length=400)]
    from_s: Seconds
    to_s: Seconds
    probability: Annotated[float, Field(ge=0, le=1)]


class Piece(_Passed):
    """A piece of the recording that has speech, and its words; none if the model could read none."""

    what: Literal["piece"] = "piece"
    from_s: Seconds
    to_s: Seconds
    speech: Annotated[list[tuple[Seconds, Seconds]], Field(max_length=LIMITS.words_per_piece)] = []
    """When somebody speaks, as another model hears it."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    words: Annotated[list[Word], Field(max_length=LIMITS.words_per_piece)]


class SoundFailed(_Passed):
    """The whole task failed. This is the last message."""

    what: Literal["failed"] = "failed"
    reason: SoundReason


class SoundDone(_Passed):
    """The last message."""

    what: Literal["done"] = "done"


SoundMessage = Annotated[Sound | Piece | SoundFailed | SoundDone, Field(discriminator="what")]
