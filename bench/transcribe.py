"""Transcripts of the emulator's twelve English voicemails, ours and those of plain faster-whisper with the same model.

Each recording is transcribed by a process of its own, ours and the plain one in turn, both with one thread. Processor
time includes the start of the process and the loading of the model. The voices are synthetic, which is harder for these
models than people are: the error rate shows what a change makes worse, not what to expect.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rc_mcp.media.sentences import CHECK_BY_EAR, heard_in
from rc_mcp.media.speech_model import find_model
from rc_mcp.media.speech_protocol import Piece, SoundTask
from tests.speech import MODEL, VOICEMAILS, errors, site_packages, spoken, words

_PLAIN = """
import sys
from faster_whisper import WhisperModel
from faster_whisper.audio import decode_audio
model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
sound = decode_audio(sys.stdin.buffer)
segments, _ = model.transcribe(sound, language="en")
print(len(sound) / 16000)
print("".join(segment.text for segment in segments))
"""
MOST_ERRORS, MOST_RATIO, MOST_CPU, MOST_MB = 0.24, 1.02, 0.15, 400


@dataclass
class Sums:
    """What all recordings took together."""

    wrong: int = 0
    words: int = 0
    cpu_s: float = 0.0
    sound_s: float = 0.0
    peak_mb: float = 0.0

    @property
    def error_rate(self) -> float:
        return self.wrong / self.words

    @property
    def cost(self) -> float:
        return self.cpu_s / self.sound_s


def main() -> None:
    """Print the table; the exit code is 1 if a limit is exceeded."""
    folder = site_packages()
    sys.path.insert(0, str(folder))
    model = find_model(MODEL)
    task = SoundTask(model_folder=str(model.folder), is_english_only=True).model_dump_json()
    ours, plain = Sums(), Sums()
    for name, said in spoken().items():
        for sums, command in (
            (ours, ["-P", "-m", "rc_mcp.media.transcriber", task]),
            (plain, ["-c", _PLAIN, str(model.folder)]),
        ):
            printed = measured(sums, command, VOICEMAILS / name, folder)
            text, seconds = heard_by_us(printed) if sums is ours else heard_plainly(printed)
            sums.sound_s += seconds
            sums.wrong += errors(words(said), words(text))
            sums.words += len(words(said))
    table = Table("", "rc-mcp", "plain", "ratio", "limit")
    ratio = ours.error_rate / plain.error_rate
    cost = ours.cost / plain.cost
    table.add_row("word error rate", *percent(ours, plain), f"{ratio:.2f}", f"{MOST_ERRORS:.0%}, ratio {MOST_RATIO}")
    table.add_row(
        "processor s for a second of sound", f"{ours.cost:.3f}", f"{plain.cost:.3f}", f"{cost:.2f}", f"{MOST_CPU}"
    )
    table.add_row("peak memory, MB", f"{ours.peak_mb:.0f}", f"{plain.peak_mb:.0f}", "", f"{MOST_MB}")
    Console(width=100).print(table)
    fits = ours.error_rate <= MOST_ERRORS and ratio <= MOST_RATIO and ours.cost <= MOST_CPU and ours.peak_mb < MOST_MB
    sys.exit(0 if fits else 1)


def percent(*sums: Sums) -> list[str]:
    return [f"{each.error_rate:.1%}" for each in sums]


def measured(sums: Sums, command: list[str], recording: Path, packages: Path) -> list[str]:
    """Run a process on a recording, add what it took, and return the lines that it printed."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "HF_HUB_OFFLINE": "1"}
    with recording.open("rb") as sound:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *command],
            stdin=sound,
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.DEVNULL,
            env={**environment, "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None  # noqa: S101
        with process.stdout as printed:
            lines = printed.read().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{recording.name}: the process ended with {process.returncode}")
        sums.cpu_s += used.ru_utime + used.ru_stime
        sums.peak_mb = max(sums.peak_mb, used.ru_maxrss / 1024)
        return lines


def heard_by_us(printed: list[str]) -> tuple[str, float]:
    """Return the words, as the server would give them, and the seconds of sound."""
    messages = [json.loads(line) for line in printed]
    mark = re.compile(re.escape(CHECK_BY_EAR).replace(r"\{time\}", r"\d+:\d\d"))
    text: list[str] = []
    for message in messages:
        if message["what"] == "piece":
            text += [mark.sub("", sentence.text) for sentence in heard_in(Piece.model_validate(message))[0]]
    return " ".join(text), float(messages[0]["seconds"])


def heard_plainly(printed: list[str]) -> tuple[str, float]:
    return printed[1], float(printed[0])


if __name__ == "__main__":
    main()
