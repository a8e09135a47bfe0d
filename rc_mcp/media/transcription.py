"""Transcripts of recordings, made on this machine in a worker process, which ends with the answer or with the call."""

import hashlib
import tempfile
import wave
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from math import inf
from typing import BinaryIO, Literal, TypeVar

import anyio
from anyio import to_thread
from anyio.abc import Process
from pydantic import TypeAdapter

from rc_mcp.media.reading import Progress
from rc_mcp.media.sentences import Sentence, clock, heard_in
from rc_mcp.media.speech_limits import LIMITS
from rc_mcp.media.speech_model import SpeechModel, find_model
from rc_mcp.media.speech_protocol import (
    Piece,
    Sound,
    SoundDone,
    SoundFailed,
    SoundMessage,
    SoundReason,
    SoundTask,
)
from rc_mcp.media.worker_process import messages_of, worker

K = TypeVar("K")
V = TypeVar("V")

Mode = Literal["missing", "all"]
"""Which recordings are transcribed: those without a whole transcript of RingCentral's, or all."""

_TRIED_HZ = 8000
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Transcription:
    """The result of transcribing a recording.

    Attributes:
        model: the name of the model.
        is_english_only: the model knows no other language.
        seconds: the length of the sound that was decoded; None if there was none.
        is_longer: the recording goes on after that, and the rest was not transcribed.
        is_damaged: decoding ended early.
        languages: in which language the model heard the sentences.
        unclear: times with speech that the model did not understand, or only guessed. Nothing is given of them.
        heard_s: the end of the last piece that was read.
        why: why transcription ended early; `slow` at the time limit.
    """

    model: str
    is_english_only: bool
    seconds: float | None = None
    is_longer: bool = False
    is_damaged: bool = False
    languages: tuple[str, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    unclear: tuple[tuple[float, float], ...] = ()
    heard_s: float = 0.0
    why: SoundReason | Literal["slow"] | None = None

    @property
    def text(self) -> str:
        """Return the sentences, one a line, each with its time."""
        return "\n".join(f"[{clock(s.from_s)}] {s.text}" for s in self.sentences)


def has_engine() -> bool:
    """Return whether the extra `transcribe` is installed, without loading it."""
    return all(find_spec(module) for module in ("faster_whisper", "onnxruntime"))


@cache
def _format() -> TypeAdapter[SoundMessage]:
    return TypeAdapter(SoundMessage)  # made late: a server may never transcribe


async def transcribe(
    file: BinaryIO, model: SpeechModel, progress: Progress, *, in_background: bool = False, load_always: bool = False
) -> Transcription:
    """Transcribe a recording, until the time limit.

    Args:
        file: an open file with a descriptor; it is read from its beginning.
        in_background: let other processes go first.
        load_always: load the model even if there is no speech.
    """
    made = Transcription(model.name, model.is_english_only, why="slow")
    task = SoundTask(
        model_folder=str(model.folder),
        is_english_only=model.is_english_only,
        in_background=in_background,
        load_always=load_always,
    )
    with anyio.move_on_after(_time_s(in_background=in_background)):
        async with worker("rc_mcp.media.transcriber", task.model_dump_json(), file, more=_OFFLINE) as process:
            async for message in _messages(process):
                made = with_message(made, message)
                if isinstance(message, Piece):
                    await progress(message.to_s, made.seconds, "seconds of sound")
    return made


async def try_model(model: SpeechModel, progress: Progress) -> SoundReason | Literal["slow"] | None:
    """Load a model in the worker; return why that fails, or None if it works."""
    with tempfile.TemporaryFile() as file:
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, _TRIED_HZ, 0, "NONE", ""))
            sound.writeframes(bytes(2 * _TRIED_HZ))
        file.flush()
        made = await transcribe(file, model, progress, load_always=True)
    return made.why


def _time_s(*, in_background: bool) -> float:
    left_s = anyio.current_effective_deadline() - anyio.current_time() - LIMITS.answer_s
    return max(0.0, min(LIMITS.background_time_s if in_background else inf, left_s))


def _messages(process: Process) -> AsyncGenerator[SoundMessage]:
    last, failed = (SoundDone, SoundFailed), SoundFailed(reason="failed")
    return messages_of(process, _format().validate_json, lasts=last, failed=failed, max_bytes=LIMITS.message_bytes)


def with_message(made: Transcription, message: SoundMessage) -> Transcription:
    """Return the transcript so far with what the worker's next message adds."""
    match message:
        case Sound():
            return replace(made, seconds=message.seconds, is_longer=message.is_longer, is_damaged=message.is_damaged)
        case Piece():
            made = replace(made, heard_s=message.to_s)
            found, unclear = heard_in(message)
            made = replace(made, sentences=(*made.sentences, *found), unclear=(*made.unclear, *unclear))
            return replace(made, languages=tuple(dict.fromkeys((*made.languages, message.language)))) if found else made
        case SoundDone():
            return replace(made, why=None)
        case SoundFailed():
            return replace(made, why=message.reason)


class Transcriber:
    """The transcripts that a server makes, with one model. What was made once is kept in memory.

    One recording is transcribed at a time for callers, and one in the background.

    Args:
        named: the model, as `find_model` takes it.
    """

    def __init__(self, mode: Mode, named: str, find: Callable[[str], SpeechModel] = find_model) -> None:
        self.mode: Mode = mode
        self._named, self._find = named, find
        self._model: tuple[SpeechModel, str] | None = None
        self._by_sound: OrderedDict[tuple[str, str], Transcription] = OrderedDict()
        self._sound_at: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._turns = {is_in_background: anyio.Lock() for is_in_background in (True, False)}

    async def model(self) -> tuple[SpeechModel, str]:
        """Return the model, and its digest.

        Raises:
            ModelError: it cannot be used.
        """
        if self._model is None:
            self._model = await to_thread.run_sync(self._found)
        return self._model

    def known(self, address: str) -> Transcription | None:
        """Return the transcript of the recording at this address, if it was made before."""
        return self._by_sound.get(self._sound_at.get(address, ("", "")))

    async def transcribe(
        self, file: BinaryIO, address: str, progress: Progress, *, in_background: bool = False
    ) -> Transcription:
        """Return the transcript of a recording: the one made before of the same sound, or a new one.

        Raises:
            ModelError: the model cannot be used.
        """
        model, digest = await self.model()
        key = await to_thread.run_sync(sha256_of, file), digest
        async with self._turns[in_background]:
            made = self._by_sound.get(key)
            if made is None:
                made = await transcribe(file, model, progress, in_background=in_background)
            # What failed may succeed at another time, if the machine is less busy.
            if made.why in {None, "empty", "no_sound"}:
                _keep(self._by_sound, key, made)
                _keep(self._sound_at, address, key)
        return made

    def _found(self) -> tuple[SpeechModel, str]:
        model = self._find(self._named)
        return model, model.digest()


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > LIMITS.kept:
        kept.popitem(last=False)


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file, as hex."""
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(1024 * 1024):
        digest.update(piece)
    return digest.hexdigest()
