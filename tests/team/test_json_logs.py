"""Log lines of a team's server: what the program says, and nothing that anybody wrote."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest

from rc_mcp.team.json_logs import HIDDEN, JsonLines

NAME, NUMBER = "-".join(("Ludmila", "Kanarek")), "+1650" + str(5550123)
"""Put together, because a constant of this file would be a word of the program."""
_log = logging.getLogger("a.logger")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def last(self) -> dict[str, Any]:
        return json.loads(self.lines[-1])


@pytest.fixture
def log() -> Generator[Lines]:
    handler = Lines()
    logging.root.addHandler(handler)
    yield handler
    logging.root.removeHandler(handler)
    assert [line for line in handler.lines if NAME in line or NUMBER in line] == []


def test_a_line_has_time_level_logger_and_message(log: Lines) -> None:
    _log.warning("the database is away")

    assert log.last.keys() == {"time", "level", "logger", "message"}
    assert (log.last["level"], log.last["logger"], log.last["message"]) == (
        "WARNING",
        "a.logger",
        "the database is away",
    )


def test_arguments_are_hidden_except_small_numbers_and_words_of_the_program(log: Lines) -> None:
    words = {True: "with a wrong", False: "without a"}

    _log.warning("%d requests of %s %s token to %s", 3, NAME, words[True], 16505550123)

    assert log.last["message"] == f"3 requests of {HIDDEN} with a wrong token to {HIDDEN}"


def test_a_message_that_was_put_together_is_shown_by_its_place(log: Lines) -> None:
    _log.error(f"{NAME} called from {NUMBER}")

    assert log.last["message"].startswith(f"{HIDDEN} (test_json_logs, line ")


def test_an_error_is_shown_by_types_and_places(log: Lines) -> None:
    try:
        try:
            int(NUMBER + NAME)
        except ValueError as error:
            raise LookupError(NAME) from error
    except LookupError:
        _log.exception("it failed")

    assert log.last["exception"] == ["LookupError", "ValueError"]
    assert log.last["at"][-1].startswith("test_json_logs.py:")


def test_an_error_in_an_argument_or_in_place_of_a_message_is_shown_by_its_type(log: Lines) -> None:
    _log.error("failed: %s, %s", ValueError(NAME), type(KeyError(NAME)).__name__)
    assert log.last["message"] == "failed: ValueError, KeyError"

    _log.error(ValueError(NAME))
    assert NAME not in log.lines[-1]


def test_a_placeholder_that_does_not_fit_what_is_hidden_stays(log: Lines) -> None:
    _log.error("%d left for %s", 16505550123, NAME)

    assert log.last["message"] == "%d left for %s"


def test_a_task_that_failed_unnoticed_is_a_line_without_its_text(log: Lines) -> None:
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({"message": NAME, "exception": ValueError(NAME), "handle": NAME})
    loop.close()

    assert log.last["exception"] == ["ValueError"]


PROGRAM = """
import asyncio, logging, threading, warnings
from rc_mcp.team.json_logs import log_as_json
log_as_json()
warnings.warn("SECRET")
logging.getLogger("x").warning("%s %s", "SECRET")
logging.getLogger("x").warning("%(name)s", {"name": "SECRET"})
class Bad:
    def __del__(self): raise ValueError("SECRET")
Bad()
failing = threading.Thread(target=lambda: int("SECRET"))
failing.start(); failing.join()
raise ValueError("SECRET")
"""


@pytest.mark.process
def test_whatever_goes_wrong_in_a_process_is_json_without_its_text() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["level"] for line in lines].count("CRITICAL") == 3
    assert "SECRET" not in ended.stderr + ended.stdout
    assert ended.returncode == 1
