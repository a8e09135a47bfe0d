"""Which tests start another process. The rest is `make test-fast`, and a test of the rest that starts one fails.

A test is marked `process` when it lies in one of `FOLDERS`, or when its own code, its fixtures or the code they call in
`tests/` can start one. A process that our product starts on its own, such as the one that opens a fax, is not visible
in a test's code: such a test sets the mark itself.
"""

import inspect
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

import pytest

TESTS = Path(__file__).parent
FOLDERS = tuple(
    TESTS / name for name in ("conformance", "fuzz", "inbox/chromium", "interop", "proof", "release", "suites")
)
STARTERS = {"open_process", "run_process", "runpytest_subprocess", "stdio_client", "StdioServerParameters"}
"""Names by which a test starts a process without the module subprocess."""
EVENTS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}
"""Python's audit events for a new process: https://docs.python.org/3/library/audit_events.html"""

_forbidden_to: str | None = None
"""The test that is running, where it may not start a process."""
_started: list[str] = []
"""What it tried to start."""


def mark_those_that_start_one(items: list[pytest.Item]) -> None:
    """Add the mark `process` to each test that starts another process."""
    known: dict[FunctionType, bool] = {}
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in FOLDERS) or any(
            _starts_one(function, known) for function in _functions_of(item)
        ):
            item.add_marker("process")


@contextmanager
def forbidden(test: str) -> Generator[None]:
    """Let no other process start, and fail the test at its end if it tried, even where something caught the error."""
    global _forbidden_to
    _forbidden_to = test
    _started.clear()
    try:
        yield
    finally:
        _forbidden_to = None
    assert not _started, f"it started another process ({', '.join(_started)}): mark it with pytest.mark.process"


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _forbidden_to and event in EVENTS:
        _started.append(event)
        raise RuntimeError(f"{_forbidden_to} is not marked `process` and may start none: {event} {arguments[:2]}")


def _functions_of(item: pytest.Item) -> Iterator[Callable[..., Any]]:
    if isinstance(item, pytest.Function):
        yield cast("Callable[..., Any]", item.function)
        for definitions in item._fixtureinfo.name2fixturedefs.values():  # pyright: ignore[reportPrivateUsage]
            yield from (definition.func for definition in definitions)


def _starts_one(function: Callable[..., Any], known: dict[FunctionType, bool]) -> bool:
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType) or not function.__module__.startswith("tests."):
        return False
    if function not in known:
        known[function] = False  # for those that call themselves
        names = set(_names(function.__code__))
        known[function] = bool(names & STARTERS) or any(
            value is subprocess or any(_starts_one(called, known) for called in _callables(value, names))
            for value in (function.__globals__.get(name) for name in names)
        )
    return known[function]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _callables(value: object, names: set[str]) -> Iterator[Callable[..., Any]]:
    """What of `value` may be called: itself, the methods of a class, the attributes of a module in `names`."""
    if isinstance(value, type) and value.__module__.startswith("tests."):
        members = (getattr(member, "fget", getattr(member, "__func__", member)) for member in vars(value).values())
        yield from (member for member in members if callable(member))
    elif isinstance(value, ModuleType) and value.__name__.startswith("tests."):
        yield from (found for name in names if callable(found := vars(value).get(name)))
    elif callable(value):
        yield value


sys.addaudithook(_audit)
