"""Logs of a team's server: one JSON object a line on stderr, without anything that a person or a sender wrote.

A package may put anything into its lines: an id, an address, the text of an error with a client's input. So a line
has only words of the source that writes it: its message if that is a constant there, such words and small numbers in
place of `%s`, the type of an exception and the places it came through. The rest is an ellipsis.
"""

import ast
import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import cast

from opentelemetry.trace import format_trace_id, get_current_span

HIDDEN = "…"
_SMALL = 100_000
"""Larger numbers could be ids or phone numbers."""
_MOST_PLACES = 20

_log = logging.getLogger(__name__)


def log_as_json() -> None:
    """Replace all other logging of this process, and the traceback of an error that nothing caught."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # otherwise a line that cannot be written is printed with all of its arguments
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda thread: _log_uncaught(thread.exc_type, thread.exc_value, thread.exc_traceback)
    sys.unraisablehook = lambda raised: _log_uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)


def say(words: str) -> None:
    """Write a line with these words of the operator's own."""
    line = {"time": _stamp(datetime.now(UTC)), "level": "INFO", "logger": __name__, "message": words}
    sys.stderr.write(f"{json.dumps(line, ensure_ascii=False)}\n")
    sys.stderr.flush()


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _stamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        context = get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = format_trace_id(context.trace_id)
        if record.exc_info and record.exc_info[0]:
            line["exception"] = _types(record.exc_info[1])
            line["at"] = _places(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False)


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _message(record: logging.LogRecord) -> str:
    words = _words_of(record.pathname)
    if not isinstance(record.msg, str) or record.msg not in words:
        return f"{HIDDEN} ({record.module}, line {record.lineno})"
    if not isinstance(record.args, tuple):
        return record.msg
    try:
        return record.msg % tuple(_shown(argument, words) for argument in record.args)
    except (TypeError, ValueError):  # such as %d for what is hidden
        return record.msg


def _shown(argument: object, words: frozenset[str]) -> object:
    match argument:
        case bool():
            return argument
        case int() | float() if abs(argument) < _SMALL:
            return argument
        case str() if argument in words:
            return argument
        case str() if argument in _exceptions():
            return argument
        case BaseException():
            return type(argument).__qualname__
        case _:
            return HIDDEN


@lru_cache(maxsize=256)
def _words_of(source: str) -> frozenset[str]:
    """Return the constant texts of a module; none if its source is not there."""
    try:
        tree = ast.parse(Path(source).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    return frozenset(n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def _exceptions() -> frozenset[str]:
    """Return the names of the kinds of exceptions that there are."""
    found, new = set[str](), [BaseException]
    while new:
        kind = new.pop()
        if kind.__name__ not in found:
            found.add(kind.__name__)
            new += kind.__subclasses__()
    return frozenset(found)


def _types(error: BaseException | None) -> list[str]:
    """Return the types of an exception, of those in its group and of their causes, the outermost first."""
    types: list[str] = []
    next_ones: list[BaseException | None] = [error]
    while next_ones and len(types) < _MOST_PLACES:
        each = next_ones.pop(0)
        if each is not None:
            types.append(type(each).__qualname__)
            next_ones.append(each.__cause__)
            if isinstance(each, BaseExceptionGroup):
                next_ones += cast("tuple[BaseException, ...]", each.exceptions)
    return types


def _places(trace: TracebackType | None) -> list[str]:
    """Return the lines of source that an exception came through, the innermost last."""
    frames = traceback.extract_tb(trace)[-_MOST_PLACES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    _log.critical("an error that nothing caught", exc_info=(kind, error or BaseException(), trace))
