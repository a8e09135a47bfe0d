"""Where the guard keeps plans, the journal, STOP and the change lock, as one narrow protocol.

One person has a folder (`Folder`), and a team has PostgreSQL. The SQL of plans and journal is written once, for both.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol

Value = str | float | None


class Rows(Protocol):
    """The rows of one query."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Transaction(Protocol):
    """An open transaction."""

    def execute(self, query: str, values: Sequence[Value] = (), /) -> Rows: ...


class ChangeLock(Protocol):
    """The lock that keeps other changes out."""

    async def is_held(self) -> bool:
        """Return whether it still keeps others out."""
        ...


class State(Protocol):
    """The state of one mailbox's servers. Methods that are not async block.

    Raises:
        GuardError: (every method) the state cannot be used.
    """

    def exists(self) -> bool:
        """Return whether anything was ever written."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """Open it for reading."""
        ...

    def writing(self) -> AbstractContextManager[Transaction]:
        """Run one exclusive transaction: at the end, all of it is on disk or none of it."""
        ...

    def sealed(self, text: str) -> str:
        """Return a text with names or words of messages as it is kept."""
        ...

    def opened(self, kept: str) -> str:
        """Return a text that was kept so."""
        ...

    def erase(self, query: str, values: Sequence[Value], /) -> None:
        """Run a query that deletes rows, so that no trace of them stays."""
        ...

    def keep_open(self) -> None:
        """Prepare for a change that follows."""
        ...

    def close(self) -> None:
        """Give back what `keep_open` holds."""
        ...

    def changing(self, patience_s: float) -> AbstractAsyncContextManager[ChangeLock]:
        """Hold the lock that only one change at a time has, over all servers that share the state.

        Raises:
            Busy: another change held it for longer than `patience_s`.
        """
        ...

    async def is_stopped(self) -> bool:
        """Return whether a user stopped all deletes. A state that cannot be read counts as stopped."""
        ...

    def stop(self) -> bool:
        """Stop all deletes. Return False if they are stopped."""
        ...

    def resume(self) -> bool:
        """Allow deletes again. Return False if they were not stopped."""
        ...
