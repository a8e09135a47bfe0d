"""The process that transcribes: sets its limits, decodes the recording, finds the speech, and reads it piece by piece.

faster-whisper, and PyAV that it brings, are imported only here.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from rc_mcp.media.speech_limits import LIMITS
from rc_mcp.media.speech_protocol import Piece, Sound, SoundDone, SoundFailed, SoundReason, SoundTask, Word

_RATE = 16_000
_BACKGROUND_NICE = 10
_FORMATS = "wav,w64,mp3,ogg,flac,aac,mov,amr,au,aiff,gsm,matroska"
"""The containers that are opened. FFmpeg knows others that name further files, or addresses, to read."""
_BEAM = 5


class _SoundError(Exception):
    def __init__(self, reason: SoundReason) -> None:
        super().__init__(reason)
        self.reason: SoundReason = reason


def main() -> None:
    """Carry out the one task of this process."""
    task = SoundTask.model_validate_json(sys.argv[1])
    if task.in_background and hasattr(os, "nice"):  # Windows has none
        os.nice(_BACKGROUND_NICE)
    _limit()
    try:
        samples = _decoded()
        if task.load_always:
            _loaded.append(_model(task))
        speech = _speech(samples)
        for piece in _pieces(speech, len(samples)):
            _say(_read(samples, piece, speech, task))
        _say(SoundDone())
    except _SoundError as error:
        _say(SoundFailed(reason=error.reason))
    except MemoryError:
        _say(SoundFailed(reason="too_much_memory"))
    except ImportError:
        _say(SoundFailed(reason="no_engine"))
    except Exception:  # noqa: BLE001  untrusted bytes can make a library raise anything
        _say(SoundFailed(reason="failed"))


def _decoded() -> Any:
    """Return the sound as 32-bit floats at 16 kHz in one channel, and say how long it is."""
    import numpy as np

    blocks: list[Any] = []
    count, most = 0, int(LIMITS.sound_s * _RATE)
    is_damaged = False
    try:
        for block in _blocks():
            blocks.append(block[: most - count])
            count += len(blocks[-1])
            if count >= most:
                break
    except (OSError, ValueError):  # of FFmpeg, also for invalid data
        is_damaged = True
    if not count:
        raise _SoundError("empty" if os.fstat(sys.stdin.fileno()).st_size == 0 else "no_sound")
    _say(Sound(seconds=count / _RATE, is_longer=count >= most, is_damaged=is_damaged))
    return np.concatenate(blocks).astype(np.float32) / 32768.0


def _blocks() -> Iterator[Any]:
    av: Any = import_module("av")
    sys.stdin.buffer.seek(0)
    safe = {"format_whitelist": _FORMATS, "protocol_whitelist": ""}
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    with av.open(sys.stdin.buffer, mode="r", options=safe, metadata_errors="ignore") as container:
        if not container.streams.audio:
            return
        for frame in container.decode(audio=0):
            frame.pts = None  # times in a damaged file could ask for hours of silence
            for resampled in resampler.resample(frame):
                yield resampled.to_ndarray()[0]
        for resampled in resampler.resample(None):
            yield resampled.to_ndarray()[0]


def _speech(samples: Any) -> list[tuple[int, int]]:
    """Return where there is speech, in samples. A model would invent words for a busy tone or a quiet line."""
    vad: Any = import_module("faster_whisper.vad")
    found = vad.get_speech_timestamps(samples, vad.VadOptions(max_speech_duration_s=LIMITS.piece_s - 2))
    return [(span["start"], span["end"]) for span in found]


def _pieces(speech: Iterable[tuple[int, int]], end: int) -> Iterator[tuple[int, int]]:
    """Yield pieces that fit the model, cut in the pauses of the speech, with some sound around it."""
    around, most = int(LIMITS.around_speech_s * _RATE), int(LIMITS.piece_s * _RATE)
    first: int | None = None
    cut = last = 0
    for start, stop in speech:
        if first is None:
            first = max(cut, start - around)
        elif stop - first > most:
            cut = (last + start) // 2
            yield first, min(last + around, cut)
            first = max(cut, start - around)
        last = stop
    if first is not None:
        yield first, min(last + around, end)


_loaded: list[Any] = []


def _read(samples: Any, piece: tuple[int, int], speech: list[tuple[int, int]], task: SoundTask) -> Piece:
    if not _loaded:
        _loaded.append(_model(task))
    start, stop = piece
    offset = start / _RATE
    segments, info = _loaded[0].transcribe(
        samples[start:stop],
        language="en" if task.is_english_only else None,
        beam_size=_BEAM,
        temperature=0.0,  # others are drawn by chance: a second reading would differ
        condition_on_previous_text=False,
        word_timestamps=True,
    )
    end = stop / _RATE
    words = [
        Word(
            text=word.word[:400],
            from_s=min(offset + word.start, end),
            to_s=min(offset + word.end, end),
            probability=min(max(word.probability, 0.0), 1.0),
        )
        for segment in segments
        for word in segment.words or ()
    ]
    within = [(max(first, start), min(last, stop)) for first, last in speech if first < stop and last > start]
    return Piece(
        from_s=offset,
        to_s=end,
        speech=[(first / _RATE, last / _RATE) for first, last in within],
        language=info.language,
        words=words[: LIMITS.words_per_piece],
    )


def _model(task: SoundTask) -> Any:
    engine: Any = import_module("faster_whisper")
    try:
        # A second thread saves little time, and waits by spinning.
        return engine.WhisperModel(
            task.model_folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  it reads four files, and each can be wrong in its own way
        raise _SoundError("bad_model") from None


def _say(message: BaseModel) -> None:
    sys.stdout.write(message.model_dump_json() + "\n")
    sys.stdout.flush()


def _limit() -> None:
    """Limit this process. Windows has only the limits on time and length."""
    if sys.platform == "win32":
        return
    import resource

    for limit, most in (
        (resource.RLIMIT_AS, LIMITS.memory_bytes),
        (resource.RLIMIT_CPU, LIMITS.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS does not know them all
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    main()
