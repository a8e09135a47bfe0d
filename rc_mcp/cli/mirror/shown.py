"""Shows how far a sync is: bars on a terminal, otherwise a line at the beginning, each minute, and at the end."""

from time import monotonic
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rc_mcp.cli.mirror.estimate import duration

_LINE_EVERY_S = 60.0


class Step(NamedTuple):
    """How far a part of a sync is.

    `total`: None while it is not known. `left_s`: the time for the rest, if RingCentral's limit decides it.
    """

    title: str
    done: int
    total: int | None
    left_s: float | None

    @property
    def counts(self) -> str:
        return f"{self.done:,} of {self.total:,}" if self.total is not None else f"{self.done:,}"

    @property
    def left(self) -> str:
        if self.total is None or self.is_over or self.left_s is None:
            return ""
        return f"{duration(self.left_s)} left at RingCentral's limit"

    @property
    def is_over(self) -> bool:
        return self.total is not None and self.done >= self.total


class Shown(Protocol):
    """A display of steps, as a context manager."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, step: Step) -> None:
        """Show how far a step is now."""
        ...

    def say(self, line: str) -> None:
        """Print a line."""
        ...


def shown_on(console: Console) -> Shown:
    """Return the display that suits the console."""
    return _Bars(console) if console.is_terminal else _Lines()


class _Bars:
    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, step: Step) -> None:
        if step.title not in self._tasks:
            self._tasks[step.title] = self._bars.add_task(step.title, counts=step.counts, left=step.left)
        self._bars.update(
            self._tasks[step.title], total=step.total, completed=step.done, counts=step.counts, left=step.left
        )

    def say(self, line: str) -> None:
        self._bars.console.print(line, highlight=False)


class _Lines:
    def __init__(self) -> None:
        self._said: dict[str, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def show(self, step: Step) -> None:
        said_at, said = self._said.get(step.title, (-_LINE_EVERY_S, ""))
        if step.counts != said and (step.is_over or monotonic() - said_at >= _LINE_EVERY_S):
            self._said[step.title] = monotonic(), step.counts
            self.say(f"{step.title}: {step.counts}{f', {step.left}' if step.left else ''}")

    def say(self, line: str) -> None:
        click.echo(line)
