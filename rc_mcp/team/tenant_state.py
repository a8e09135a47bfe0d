"""A tenant's plans, journal, STOP and change lock, in the team's PostgreSQL. What the methods do, `State` says.

The change lock is an advisory lock of a session, so it ends with its process. A session that the database ended holds
nothing any more: the guard asks it before each request that deletes.
"""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, LiteralString, Self, cast

import anyio
import psycopg
from psycopg import Connection, sql
from psycopg_pool import ConnectionPool, PoolTimeout

from rc_mcp import time_limits
from rc_mcp.guard.refusals import NOTHING_DONE, Busy, GuardError
from rc_mcp.guard.state.state import Rows, Value
from rc_mcp.guard.state.store import in_thread, use_threads
from rc_mcp.team.advisory_locks import AdvisoryLock, AdvisoryLocks
from rc_mcp.team.database import MOST_CONNECTIONS, DatabaseAway, connecting, reason
from rc_mcp.team.key_ring import KeyRing, NotOpened
from rc_mcp.team.measures import database_failed
from rc_mcp.team.schema import tenant_schema

_ROW = tuple[Any, ...]
SEALED_WITH_ANOTHER_KEY = f"A stored plan was sealed with a key that this server does not have. {NOTHING_DONE}"


def unusable(error: Exception) -> GuardError:
    """Return the error to raise when the database fails."""
    return GuardError(f"The team's database cannot be used ({reason(error)}). The operator must fix it. {NOTHING_DONE}")


class GuardDatabase:
    """The connections of one replica to the state of all tenants. The guard uses them from threads.

    Args:
        url: a PostgreSQL address.
        keys: they seal plans. Operators, who see no plan, have none.
    """

    def __init__(self, url: str, keys: KeyRing | None = None) -> None:
        self.url = url
        self.keys = keys or KeyRing([])
        self.locks = AdvisoryLocks(url)
        self._pool: ConnectionPool[Connection[_ROW]] = ConnectionPool(
            url,
            min_size=0,
            max_size=MOST_CONNECTIONS,
            open=False,
            timeout=time_limits.DATABASE_S,
            reconnect_timeout=time_limits.DATABASE_S,  # by default it sees minutes late that the database is back
            kwargs=connecting(time_limits.DATABASE_GUARD_S),
        )

    def __enter__(self) -> Self:
        self._pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close(1.0)

    @contextmanager
    def transaction(self) -> Generator[Connection[_ROW]]:
        """Run one transaction.

        Raises:
            GuardError: that is not possible now.
        """
        try:
            with self._pool.connection() as db:
                yield db
        except (psycopg.Error, PoolTimeout) as error:
            database_failed(error)
            raise unusable(error) from error

    def of(self, account_id: str) -> "TenantState":
        """Return the state of a tenant."""
        return TenantState(self, account_id)

    def allow_threads(self) -> None:
        """Let as many threads use the database in this event loop as it has connections."""
        use_threads(MOST_CONNECTIONS, time_limits.DATABASE_GUARD_S + time_limits.DATABASE_S)


@dataclass(frozen=True, slots=True)
class TenantState:
    """The state of one tenant."""

    database: GuardDatabase
    account_id: str

    def __str__(self) -> str:
        return f"team's database, account {self.account_id}"

    def exists(self) -> bool:
        return self._is_stopped() is not None

    @contextmanager
    def reading(self) -> Generator["_Transaction"]:
        with self.database.transaction() as db:
            db.execute(self._begin)
            yield _Transaction(db)

    @contextmanager
    def writing(self) -> Generator["_Transaction"]:
        with self.database.transaction() as db:
            # Each row of the journal continues the one before.
            db.execute(sql.SQL("{}; LOCK TABLE entry IN SHARE ROW EXCLUSIVE MODE").format(self._begin))
            yield _Transaction(db)

    def sealed(self, text: str) -> str:
        return self.database.keys.seal(text.encode(), self._purpose).decode()

    def opened(self, kept: str) -> str:
        try:
            return self.database.keys.open(kept.encode(), self._purpose).decode()
        except NotOpened as error:
            raise GuardError(SEALED_WITH_ANOTHER_KEY) from error

    def erase(self, query: str, values: Sequence[Value], /) -> None:
        with self.reading() as db:
            db.execute(query, values)

    def keep_open(self) -> None:
        """The pool does."""

    def close(self) -> None:
        """The pool does, with the replica."""

    @asynccontextmanager
    async def changing(self, patience_s: float) -> AsyncGenerator[AdvisoryLock]:
        try:
            async with self.database.locks.held(f"change {self.account_id}", patience_s) as lock:
                if lock is None:
                    raise Busy
                yield lock
        except DatabaseAway as error:
            raise GuardError(str(error)) from error

    async def is_stopped(self) -> bool:
        try:
            with anyio.fail_after(time_limits.DATABASE_S):
                return await in_thread(self._is_stopped) is not False
        except (GuardError, TimeoutError):
            return True

    def stop(self) -> bool:
        return self._set_stopped(to=True)

    def resume(self) -> bool:
        return self._set_stopped(to=False)

    @property
    def _purpose(self) -> str:
        return f"plan of {self.account_id}"

    @property
    def _begin(self) -> sql.Composed:
        return sql.SQL("SET LOCAL search_path = {}, rc_mcp").format(sql.Identifier(tenant_schema(self.account_id)))

    def _is_stopped(self) -> bool | None:
        """Return whether deletes are stopped; None if there is no such tenant."""
        with self.database.transaction() as db:
            row = db.execute("SELECT stopped FROM tenant WHERE account_id = %s", (self.account_id,)).fetchone()
        return row[0] if row else None

    def _set_stopped(self, *, to: bool) -> bool:
        query = "UPDATE tenant SET stopped = %s WHERE account_id = %s AND stopped <> %s"
        with self.database.transaction() as db:
            return db.execute(query, (to, self.account_id, to)).rowcount == 1


_OURS = {
    "json_extract(detail, '$.clock.name')": "clock_name(detail)",
    "json_extract(detail, '$.clock.seconds')": "clock_seconds(detail)",
    "AND json_valid(detail)": "",
    "%": "%%",
    "?": "%s",
}
"""What the queries of plans and journal write as SQLite has it, and how PostgreSQL does."""


class _Transaction:
    """A transaction that takes the queries of plans and journal."""

    def __init__(self, db: Connection[_ROW]) -> None:
        self._db = db

    def execute(self, query: str, values: Sequence[Value] = (), /) -> Rows:
        return self._db.execute(_in_postgres(query), values)


@cache
def _in_postgres(query: str) -> LiteralString:
    for theirs, ours in _OURS.items():
        query = query.replace(theirs, ours)
    return cast("LiteralString", query)
