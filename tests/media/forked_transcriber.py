"""Transcribes many recordings: `python -m tests.media.forked_transcriber MODEL_FOLDER FILE...` (see `forks.py`)."""

import sys
from importlib import import_module

from rc_mcp.media import transcriber
from rc_mcp.media.speech_protocol import SoundTask
from tests.media.forks import work_on_each

if __name__ == "__main__":
    for loaded_before_the_forks in ("av", "faster_whisper.vad", "onnxruntime"):
        import_module(loaded_before_the_forks)
    task = SoundTask(model_folder=sys.argv[1], is_english_only=True)
    work_on_each(transcriber.main, task.model_dump_json(), sys.argv[2:], within_s=60)
