#!/usr/bin/env bash
# psycopg_pool with `max_waiting`, while the database is away: the pool is full of requests that gave up long ago.
#
# Expected: a request waits until its `timeout`, and then its place is free. `max_waiting` is the "maximum number of
# requests that can be queued to the pool". Of requests that each begin when the last one has failed, one is queued.
# Observed: a request that timed out stays in the queue until there is a connection to hand out. After three of them, a
# pool with max_waiting=3 refuses each further one at once: TooManyRequests, "has already 3 requests waiting". None waits.
# A server that takes this for load tells its clients that it is busy, and hides that its database is away. The
# `requests_waiting` of get_stats count the same queue; without max_waiting, they grow by one for each failure. The pools
# for threads and for asyncio agree. We know of no report.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' 'psycopg-pool==3.3.3' \
    2>errors.txt || { cat errors.txt >&2; exit 1; }

cat > away.py <<'PY'
import asyncio
import socket
import sys
from importlib.metadata import version

from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout, TooManyRequests

SETTINGS = {"min_size": 1, "max_size": 4, "max_waiting": 3, "timeout": 0.2, "open": False}


def nobody_listens() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"host=127.0.0.1 port={taken.getsockname()[1]}"


def of_threads() -> list[tuple[str, int]]:
    found = []
    with ConnectionPool(nobody_listens(), **SETTINGS) as pool:
        for _ in range(5):
            try:
                pool.getconn()
            except (PoolTimeout, TooManyRequests) as error:
                found.append((type(error).__name__, pool.get_stats()["requests_waiting"]))
    return found


async def of_asyncio() -> list[tuple[str, int]]:
    found = []
    async with AsyncConnectionPool(nobody_listens(), **SETTINGS) as pool:
        for _ in range(5):
            try:
                await pool.getconn()
            except (PoolTimeout, TooManyRequests) as error:
                found.append((type(error).__name__, pool.get_stats()["requests_waiting"]))
    return found


print(f"psycopg_pool {version('psycopg-pool')}, max_waiting=3, requests one after another: the error, requests_waiting")
seen = [("PoolTimeout", 1), ("PoolTimeout", 2), ("PoolTimeout", 3), ("TooManyRequests", 3), ("TooManyRequests", 3)]
threads, tasks = of_threads(), asyncio.run(of_asyncio())
print("threads:", threads)
print("asyncio:", tasks)
sys.exit(0 if threads == tasks == seen else 1)
PY
venv/bin/python away.py 2>errors.txt || { cat errors.txt >&2; exit 1; }
