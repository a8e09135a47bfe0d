"""Transcribes many recordings, each in a fork of this process that does what the worker does: a start takes a second.

`python -m tests.media.forked_transcriber MODEL_FOLDER FILE...` prints a JSON object for each file: the exit status, the
messages, and the most memory that its worker took.
"""

import json
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path

from rc_mcp.media import transcriber
from rc_mcp.media.speech_protocol import SoundTask

_SECONDS = 60


def main() -> None:
    """Transcribe each recording, and print what came of it."""
    for loaded_before_the_forks in ("av", "faster_whisper.vad", "onnxruntime"):
        import_module(loaded_before_the_forks)
    task = SoundTask(model_folder=sys.argv[1], is_english_only=True).model_dump_json()
    for path in sys.argv[2:]:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            os.close(ours)
            _work(Path(path), theirs, task)
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as said:
            messages = said.read().splitlines()
        _, status, used = os.wait4(child, 0)
        sys.stdout.write(json.dumps({"status": status, "messages": messages, "peak_kb": used.ru_maxrss}) + "\n")


def _work(path: Path, theirs: int, task: str) -> None:
    """Do the worker's work, and never return to what this process does."""
    try:
        signal.alarm(_SECONDS)
        with path.open("rb") as recording:
            os.dup2(recording.fileno(), 0)
        sys.stdout = os.fdopen(theirs, "w", encoding="utf-8")
        sys.argv[1:] = [task]
        transcriber.main()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:  # noqa: BLE001  anything else would run the loop of the parent
        traceback.print_exc(limit=3)
        os._exit(1)


if __name__ == "__main__":
    main()
