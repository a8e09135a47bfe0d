"""Locks that keep out all other replicas, and end with the process that holds them.

They are PostgreSQL's advisory locks of a session. A row lock would need a transaction that stays open while RingCentral
answers, and a lease would keep all replicas out for a minute after a crash. All locks that a replica holds at a time
are on one connection, which is closed when it holds none. A pooler that shares connections between clients, as
PgBouncer does in transaction mode, cannot hold them.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from weakref import WeakValueDictionary

import anyio
import psycopg
from psycopg import AsyncConnection

from rc_mcp import time_limits
from rc_mcp.team.database import DatabaseAway, connecting, reason

_LOOKS_AGAIN_S = 0.03


async def _taken(here: anyio.Semaphore, until: float) -> bool:
    """Take the semaphore. Without patience it is taken if it is free, although a wait would end at once."""
    try:
        here.acquire_nowait()
    except anyio.WouldBlock:
        with anyio.move_on_at(until) as waiting:
            await here.acquire()
        return not waiting.cancelled_caught
    return True


class AdvisoryLocks:
    """Locks by name."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: _Session | None = None
        self._connecting = anyio.Lock()
        # A session gets the same lock twice, so callers in this process wait here.
        self._here: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def held(self, name: str, patience_s: float) -> AsyncGenerator["AdvisoryLock | None"]:
        """Hold a lock in the block; yield None if it was not free within `patience_s`.

        A connection that breaks loses its locks: the block must be harmless when it runs twice, or ask `is_held`.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        until = anyio.current_time() + patience_s
        here = self._here.setdefault(name, anyio.Semaphore(1))
        if not await _taken(here, until):
            yield None
            return
        try:
            async with self._connected() as session:
                if not await session.lock(name, until):
                    yield None
                    return
                try:
                    yield AdvisoryLock(session)
                finally:
                    await session.unlock(name)
        finally:
            here.release()

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator["_Session"]:
        async with self._connecting:
            if self._session is None or self._session.is_over:
                self._session = await _Session.opened(self._url)
            session = self._session
            session.users += 1
        try:
            yield session
        finally:
            session.users -= 1
            if not session.users:
                await self._end(session)

    async def _end(self, session: "_Session") -> None:
        if self._session is session:
            self._session = None
        await session.close()


class AdvisoryLock:
    """A lock that was taken."""

    def __init__(self, session: "_Session") -> None:
        self._session = session

    async def is_held(self) -> bool:
        """Return whether the session that has it goes on: the database may have ended it, or it may be out of reach."""
        return await self._session.goes_on()


class _Session:
    """One connection, and how many use it."""

    def __init__(self, db: AsyncConnection[tuple[Any, ...]]) -> None:
        self._db = db
        self._may_hold_more = False
        self.users = 0

    @classmethod
    async def opened(cls, url: str) -> "_Session":
        try:
            with anyio.fail_after(time_limits.DATABASE_S):
                return cls(await AsyncConnection.connect(url, autocommit=True, **connecting(time_limits.DATABASE_S)))
        except (psycopg.Error, TimeoutError) as error:
            raise DatabaseAway(reason(error)) from error

    @property
    def is_over(self) -> bool:
        """Whether nobody else should use it. With a lock that nobody knows of, it ends once its present users go."""
        return self._db.closed or self._may_hold_more

    async def goes_on(self) -> bool:
        try:
            return await self._got("SELECT %s <> 0", "")
        except DatabaseAway:
            return False

    async def lock(self, name: str, until: float) -> bool:
        try:
            while not await self._got("SELECT pg_try_advisory_lock(%s)", name):
                if anyio.current_time() >= until:
                    return False
                await anyio.sleep(_LOOKS_AGAIN_S)
        except DatabaseAway:
            self._may_hold_more = True
            raise
        return True

    async def unlock(self, name: str) -> None:
        try:
            await self._got("SELECT pg_advisory_unlock(%s)", name)
        except DatabaseAway:
            await self.close()  # which frees it

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._db.close()

    async def _got(self, query: LiteralString, name: str) -> bool:
        # A canceled caller would not know whether it got the lock.
        row = None
        try:
            with anyio.fail_after(time_limits.DATABASE_S, shield=True):
                row = await (await self._db.execute(query, (_key(name),))).fetchone()
        except (psycopg.Error, TimeoutError) as error:
            raise DatabaseAway(reason(error)) from error
        return bool(row and row[0])


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
