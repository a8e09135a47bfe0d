"""The mailbox sessions of a replica: one for each person, opened when they call and closed when they do not.

A session is never closed while a call or a stream uses it. It holds no state that another replica needs.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from rc_mcp.session import MailboxSession

MOST_SESSIONS = 2_000
MOST_AT_ONCE = 100
"""Calls, streams and downloads of one person."""
IDLE_S = 900.0
_LOOK_EVERY_S = 30.0

_log = logging.getLogger(__name__)

BUSY = "This server is in use by as many people as it can serve. Nothing was done. Try again in a minute."
TOO_MANY = "Too many of your calls are in progress. Nothing was done. Try again when some have ended."
ENDING = "This server is shutting down. Nothing was done; call again in a moment."


class NoSession(Exception):  # noqa: N818  a state
    """No session can be opened for this person. The text is for the user, and says that nothing was done."""


@dataclass(eq=False)
class _Open:
    """A session that is open or being opened, and who uses it."""

    done: anyio.Event = field(default_factory=anyio.Event)
    """Set when it is open, or cannot be opened."""
    session: MailboxSession | None = None
    failure: Exception | None = None
    uses: int = 0
    used_at: float = 0.0
    closing: anyio.Event = field(default_factory=anyio.Event)


class Sessions:
    """The sessions of this replica.

    Args:
        open_session: opens the session of the person with this id.
        tasks: the task group in which sessions live: each is opened and closed in a task of its own.
        most: how many may be open. Beyond that, the one that was idle the longest is closed.
        idle_s: how long a session stays open without a call.
    """

    def __init__(
        self,
        open_session: Callable[[str], AbstractAsyncContextManager[MailboxSession]],
        tasks: TaskGroup,
        *,
        most: int = MOST_SESSIONS,
        idle_s: float = IDLE_S,
    ) -> None:
        self._open_session = open_session
        self._tasks = tasks
        self._most = most
        self._idle_s = idle_s
        self._by_person: dict[str, _Open] = {}

    def __len__(self) -> int:
        return len(self._by_person)

    @asynccontextmanager
    async def of(self, person_id: str) -> AsyncGenerator[MailboxSession]:
        """Yield the session of a person, and keep it open within the block; open it if it is not open.

        Raises:
            NoSession: too many are in use, or this one is used too often at once.
            Exception: whatever opening it raised.
        """
        held = self._held(person_id)
        if held.uses >= MOST_AT_ONCE:
            raise NoSession(TOO_MANY)
        held.uses += 1
        try:
            await held.done.wait()
            if held.session is None:
                raise held.failure or NoSession(ENDING)
            yield held.session
        finally:
            held.uses -= 1
            held.used_at = anyio.current_time()
            if not held.uses and self._by_person.get(person_id) is not held:
                held.closing.set()

    def retire(self, person_id: str) -> None:
        """Open another session for the next call of a person. The present one is closed after its last use."""
        held = self._by_person.pop(person_id, None)
        if held and not held.uses:
            held.closing.set()

    def _held(self, person_id: str) -> _Open:
        held = self._by_person.get(person_id)
        if held is None:
            self._make_room()
            held = self._by_person[person_id] = _Open(used_at=anyio.current_time())
            self._tasks.start_soon(self._keep, person_id, held)
        return held

    def _make_room(self) -> None:
        if len(self._by_person) < self._most:
            return
        idle = [person for person, held in self._by_person.items() if not held.uses]
        if not idle:
            raise NoSession(BUSY)
        self._close(min(idle, key=lambda person: self._by_person[person].used_at))

    def _close(self, person_id: str) -> None:
        self._by_person.pop(person_id).closing.set()

    async def close_idle(self) -> None:
        """Close sessions that were idle for a while, until canceled."""
        while True:
            await anyio.sleep(min(_LOOK_EVERY_S, self._idle_s))
            before = anyio.current_time() - self._idle_s
            for person_id, held in list(self._by_person.items()):
                if not held.uses and held.used_at <= before:
                    self._close(person_id)

    async def _keep(self, person_id: str, held: _Open) -> None:
        """Keep a session open until it is closed. Its callers get what goes wrong when it is opened."""
        try:
            async with self._open_session(person_id) as held.session:
                held.done.set()
                await held.closing.wait()
        except Exception as error:  # noqa: BLE001  one session must not end the others
            held.failure = error
            if held.done.is_set():
                _log.error("a session ended with %s; the next call opens another", type(error).__name__)
        finally:
            if self._by_person.get(person_id) is held:
                del self._by_person[person_id]
            held.done.set()
