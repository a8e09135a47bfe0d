"""The team's PostgreSQL: its connections, its clock, its migrations.

All replicas go by the database's clock, because their own may be minutes apart. A database that does not answer within
`time_limits.DATABASE_S` counts as away: what reads says so, and what destroys is refused.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, LiteralString, Self, cast

import anyio
import psycopg
from psycopg import AsyncConnection, sql
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from rc_mcp import time_limits
from rc_mcp.team.measures import database_failed
from rc_mcp.team.schema import SHARED, TENANT, tenant_schema

MOST_CONNECTIONS = 10
"""For each replica, and as many again for the guard."""
_CLOCK_IS_READ_EVERY_S = 60.0
_GETS_ONE_WITHIN = 0.9
"""Of the time for a transaction: a database that refuses connections is out of reach, and not too slow."""
_KEEPALIVES = "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""After half a minute without a sign of life, the database ends the session of a machine that is gone."""
_MIGRATION_LOCK = 0x7263_6D63_70

AWAY = "The team's database does not answer ({why}). Nothing was deleted or changed. Try again in a minute."
OLDER = "The database has version {there}, and this rc-mcp needs {here}. Nothing was done. Run rc-mcp database migrate."
NEWER = "The database was migrated by a newer rc-mcp (version {there}; this one knows {here}). Nothing was done."


class DatabaseAway(Exception):  # noqa: N818  a state
    """The database is not reachable, too slow, full or read-only. The text names no address."""

    def __init__(self, why: str) -> None:
        super().__init__(AWAY.format(why=why))
        self.why = why


class WrongVersion(Exception):  # noqa: N818  a state
    """The database's tables are older or newer than this rc-mcp."""


class Database:
    """A pool of connections to the tables that all tenants share.

    Args:
        url: a PostgreSQL address, `postgresql://user:password@host/database`.
        now: the wall clock; default: the database's.
    """

    def __init__(self, url: str, *, now: Callable[[], datetime] | None = None) -> None:
        self.url = url
        self._now = now
        self._read = datetime.now(UTC), monotonic()
        self._strangers_turn = anyio.Lock()
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=MOST_CONNECTIONS,
            open=False,
            timeout=_GETS_ONE_WITHIN * time_limits.DATABASE_S,
            reconnect_timeout=time_limits.DATABASE_S,  # by default it sees minutes late that the database is back
            kwargs={"autocommit": True, **connecting(time_limits.DATABASE_S)},
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close(1.0)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncConnection[tuple[Any, ...]]]:
        """Run one transaction: at the end all of it is kept, and after an error none.

        Raises:
            DatabaseAway: that is not possible now.
        """
        try:
            with anyio.fail_after(time_limits.DATABASE_S):
                async with self._pool.connection() as db, db.transaction():
                    yield db
        except (psycopg.Error, PoolTimeout, TimeoutError) as error:
            database_failed(error)
            raise DatabaseAway(reason(error)) from error

    @asynccontextmanager
    async def transaction_for_stranger(self) -> AsyncGenerator[AsyncConnection[tuple[Any, ...]]]:
        """Run a transaction that anybody may cause: one at a time, so that strangers do not take all connections.

        Raises:
            DatabaseAway: that is not possible now.
        """
        try:
            with anyio.fail_after(time_limits.DATABASE_S):
                async with self._strangers_turn, self.transaction() as db:
                    yield db
        except TimeoutError as error:
            raise DatabaseAway(reason(error)) from error

    async def statement(self, query: LiteralString, params: Sequence[object]) -> tuple[Any, ...] | None:
        """Run one statement, a transaction of its own in one round trip. Return its first row.

        Raises:
            DatabaseAway: that is not possible now.
        """
        row = None
        try:
            with anyio.fail_after(time_limits.DATABASE_S):
                async with self._pool.connection() as db:
                    row = await (await db.execute(query, params)).fetchone()
        except (psycopg.Error, PoolTimeout, TimeoutError) as error:
            database_failed(error)
            raise DatabaseAway(reason(error)) from error
        return row

    @property
    def set_time(self) -> datetime | None:
        """The time, if it is not the database's."""
        return self._now() if self._now else None

    def now(self) -> datetime:
        """Return the database's time, in UTC."""
        if self._now:
            return self._now()
        at, read_at = self._read
        return at + timedelta(seconds=monotonic() - read_at)

    async def read_clock(self) -> None:
        """Read the database's clock. Call this at the start, and then run `follow_clock`.

        Raises:
            DatabaseAway: that is not possible now.
        """
        async with self.transaction() as db:
            before = monotonic()
            row = await (await db.execute("SELECT clock_timestamp()")).fetchone()
        if row:
            self._read = cast("datetime", row[0]), (before + monotonic()) / 2

    async def follow_clock(self) -> None:
        """Read the clock again every minute, until canceled."""
        while True:
            await anyio.sleep(_CLOCK_IS_READ_EVERY_S)
            try:
                await self.read_clock()
            except DatabaseAway:
                continue  # the last reading stays good: a monotonic clock drifts little


def connecting(answers_within_s: float) -> dict[str, Any]:
    """Return how a connection is made whose queries take no longer than that.

    Nor may its process stand still for longer in the middle of a transaction, whose locks keep others out.
    """
    limits = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"
    limit = " ".join(f"-c {name}={round(1000 * answers_within_s)}" for name in limits)
    return {
        "connect_timeout": max(2, round(answers_within_s)),  # less counts as 2 s in libpq
        "options": f"-c search_path=rc_mcp -c timezone=UTC -c synchronous_commit=on {limit} {_KEEPALIVES}",
        "application_name": "rc-mcp",
    }


def reason(error: Exception) -> str:
    """Return why the database failed, in words without an address, a name or a value."""
    match error:
        case psycopg.errors.ReadOnlySqlTransaction():
            return "it is read-only"
        case psycopg.errors.DiskFull():
            return "its disk is full"
        case psycopg.errors.LockNotAvailable() | psycopg.errors.QueryCanceled() | TimeoutError():
            return "it is too slow"
        case PoolTimeout() | psycopg.OperationalError():
            return "it cannot be reached"
        case _:
            return type(error).__name__


def migrate(url: str) -> int:
    """Create the tables, or migrate older ones, of all tenants. Return the version.

    Raises:
        WrongVersion: a newer rc-mcp migrated it.
        psycopg.Error: the database cannot be used.
    """
    with psycopg.connect(url, connect_timeout=10) as db:
        db.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        db.execute("CREATE SCHEMA IF NOT EXISTS rc_mcp")
        _migrate(db, "rc_mcp", SHARED)
        for (account_id,) in db.execute("SELECT account_id FROM rc_mcp.tenant").fetchall():
            _migrate(db, tenant_schema(account_id), TENANT)
    return len(SHARED)


def check(url: str) -> None:
    """Check that the tables are of this version.

    Raises:
        WrongVersion: they are not.
        psycopg.Error: the database cannot be used.
    """
    with psycopg.connect(url, connect_timeout=10) as db:
        there = version_of(db, "rc_mcp")
    if there < len(SHARED):
        raise WrongVersion(OLDER.format(there=there, here=len(SHARED)))
    if there > len(SHARED):
        raise WrongVersion(NEWER.format(there=there, here=len(SHARED)))


async def add_tenant(db: AsyncConnection[tuple[Any, ...]], account_id: str) -> None:
    """Add a tenant with its tables, unless it is there.

    Raises:
        DatabaseAway: the database was migrated by a newer rc-mcp. A migration sees only the tenants that are there.
    """
    schema = tenant_schema(account_id)
    known = await (await db.execute("SELECT 1 FROM tenant WHERE account_id = %s", (account_id,))).fetchone()
    if known:
        return
    await db.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
    if await _version_of(db, "rc_mcp") != len(SHARED):
        raise DatabaseAway("its tables are of another version")
    await db.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    for script in _scripts(schema, TENANT, await _version_of(db, schema)):
        await db.execute(script)
    await db.execute("INSERT INTO tenant (account_id) VALUES (%s) ON CONFLICT DO NOTHING", (account_id,))


def _migrate(db: psycopg.Connection[tuple[Any, ...]], schema: str, scripts: Sequence[str]) -> None:
    there = version_of(db, schema)
    if there > len(scripts):
        raise WrongVersion(NEWER.format(there=there, here=len(scripts)))
    for script in _scripts(schema, scripts, there):
        db.execute(script)


def _scripts(schema: str, scripts: Sequence[str], there: int) -> Sequence[sql.SQL | sql.Composed]:
    """Return what brings a schema from the version that is there to the newest, and back to the shared schema."""
    name = sql.Identifier(schema)
    if there >= len(scripts):
        return []
    return [
        sql.SQL("SET LOCAL search_path = {}, rc_mcp").format(name),
        sql.SQL("CREATE TABLE IF NOT EXISTS {}.version (number integer NOT NULL)").format(name),
        *(sql.SQL(cast("LiteralString", script)) for script in scripts[there:]),
        sql.SQL("DELETE FROM {}.version").format(name),
        sql.SQL("INSERT INTO {}.version VALUES ({})").format(name, sql.Literal(len(scripts))),
        sql.SQL("SET LOCAL search_path = rc_mcp"),
    ]


_THERE = "SELECT to_regclass(%s) IS NOT NULL"


def version_of(db: psycopg.Connection[tuple[Any, ...]], schema: str) -> int:
    """Return the version of a schema's tables; 0 if there are none."""
    row = db.execute(_THERE, (f"{schema}.version",)).fetchone()
    if not (row and row[0]):
        return 0
    found = db.execute(sql.SQL("SELECT number FROM {}.version").format(sql.Identifier(schema))).fetchone()
    return found[0] if found else 0


async def _version_of(db: AsyncConnection[tuple[Any, ...]], schema: str) -> int:
    row = await (await db.execute(_THERE, (f"{schema}.version",))).fetchone()
    if not (row and row[0]):
        return 0
    query = sql.SQL("SELECT number FROM {}.version").format(sql.Identifier(schema))
    found = await (await db.execute(query)).fetchone()
    return found[0] if found else 0
