"""How costs grow with the mailbox, the journal, the callers and the calls: `make bench-growth`.

How to read the figures:

- Each ratio is over the first row of its table, the median over the paired runs. 1 is the limit: a cost that does not
  grow.
- "Processor time" is that of the process that does the work, all threads: the emulator's for its pages, otherwise our
  server's. It includes HTTP or stdio, which does not grow.
- A new filter is one that the emulator has not counted before. Its next page needs no count. A page has 20 messages, as
  the smallest mailbox has no two pages of 100 of this filter.
- An operation in the journal is a finished delete with its six entries.
- The callers call a tool that makes one small request, each one call after another, all at the same time.
- Memory is the server's resident set, as Linux reports it. A tenth as many calls were made before the first row.
- `ALL=1 make bench-growth` adds a mailbox of 1,000,000 messages, which takes minutes to make.
"""

import os
import statistics
import tempfile
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import anyio
import click
import httpx2 as httpx

from bench.emulator import FILTER, STORE, Login, running, since
from bench.emulator import authorization as log_in
from bench.measuring import on_cpu_s
from bench.server import (
    CALLERS,
    LIGHT,
    WINDOW,
    Row,
    Together,
    all_ids,
    authorization,
    cpu,
    delete,
    described,
    ratio,
    show,
    together,
)
from bench.wire import SERVE, Json, emulator, http, request, resident_mb, stdio
from rc_mcp.emulator import Emulator
from rc_mcp.guard.state.folder import Folder

MESSAGES = (1_000, 10_000, 100_000, *([1_000_000] if os.environ.get("ALL") else []))
OPERATIONS = (0, 1_000, 10_000, 100_000)
PARTS = 4
"""Readings of memory while many calls are made."""


@click.command()
@click.option("--runs", default=11, show_default=True, help="Paired runs.")
@click.option("--calls", default=1_000, show_default=True, help="Calls at each number of callers.")
@click.option("--many", default=10_000, show_default=True, help="Calls over which memory is measured.")
def main(runs: int, calls: int, many: int) -> None:
    """Measure the growth and print the results."""
    show(anyio.run(pages, runs))
    with emulator("--scenario", "busy") as variables:
        for measure in (
            lambda: after_years(runs, variables),
            lambda: callers(runs, calls, variables),
            lambda: memory(many, variables),
        ):
            show(anyio.run(measure))


def table(what: str, unit: str, found: Mapping[int, list[float]], targets: Mapping[int, str]) -> list[Row]:
    """Return a row for each size below a heading: the paired seconds over those of the first size, and the median."""
    first = next(iter(found.values()))
    return [
        Row(what, ""),
        *(
            Row(
                f"    {size:,} {unit if size != 1 else unit.removesuffix('s')}",
                f"{ratio(seconds, first)}; {statistics.median(seconds) * 1000:,.2f} ms",
                targets.get(size, ""),
            )
            for size, seconds in found.items()
        ),
    ]


async def pages(runs: int) -> list[Row]:
    """Measure the emulator's first page of a new filter, and the next page."""
    first: dict[int, list[float]] = {size: [] for size in MESSAGES}
    following: dict[int, list[float]] = {size: [] for size in MESSAGES}
    moments = count()  # each list begins at a different second, so that none is counted already
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        clients: dict[int, tuple[int, httpx.AsyncClient]] = {}
        for size in MESSAGES:
            database = folder / f"{size}.db"
            Emulator(db=database, messages=size).close()
            process, login = opened.enter_context(
                running("-m", "rc_mcp", "emulator", "--no-rate-limits", "--db", str(database))
            )
            client = await opened.enter_async_context(httpx.AsyncClient(base_url=login["server_url"]))
            client.headers["Authorization"] = await log_in(client, Login(**login))
            clients[size] = process, client
        for run in range(runs + 1):
            for size, (process, client) in clients.items():
                address = ""

                async def page(number: int, client: httpx.AsyncClient = client) -> None:
                    nonlocal address
                    if number == 1:
                        address = f"{STORE}?{FILTER}&perPage=20&{since(next(moments))}"
                    (await client.get(f"{address}&page={number}")).raise_for_status()

                spent = await cpu(process, lambda: page(1)), await cpu(process, lambda: page(2))
                if run:  # the first loads what the others use
                    first[size].append(spent[0])
                    following[size].append(spent[1])
    return [
        *table("emulator, first page of a new filter, processor time", "messages", first, {100_000: "3; limit 1"}),
        *table("emulator, next page, processor time", "messages", following, {}),
    ]


async def after_years(runs: int, variables: dict[str, str]) -> list[Row]:
    """Measure a guarded delete and a start, with journals of many operations."""
    deletes: dict[int, list[float]] = {size: [] for size in OPERATIONS}
    starts: dict[int, list[float]] = {size: [] for size in OPERATIONS}
    async with AsyncExitStack() as opened:
        where: dict[int, dict[str, str]] = {}
        for size in OPERATIONS:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            write_past(folder, size)
            where[size] = {**variables, "RC_MCP_STATE_DIR": str(folder)}
        servers = {size: await opened.enter_async_context(stdio(SERVE, **each)) for size, each in where.items()}
        async with httpx.AsyncClient(base_url=variables["RC_SERVER_URL"]) as direct:
            direct.headers["Authorization"] = await authorization(direct, variables)
            ids = iter((await all_ids(direct))[-len(OPERATIONS) * (runs + 1) :])

        for run in range(runs + 1):
            for size, server in servers.items():
                spent = await cpu(server.process.pid, lambda server=server: delete(server, [next(ids)]), calls=1)
                if run:  # the first makes the file
                    deletes[size].append(spent)
                    starts[size].append(await started(where[size]))
    targets = {OPERATIONS[-1]: "1.1; limit 1"}
    return [
        *table("guarded delete, processor time", "operations in the journal", deletes, targets),
        *table("start to tools/list, processor time", "operations in the journal", starts, targets),
    ]


async def started(environment: dict[str, str]) -> float:
    """Return the processor time of a start up to the answer to `tools/list`."""
    async with stdio(SERVE, **environment) as server:
        await server.ask(request(1, "tools/list"))
        return on_cpu_s(server.process.pid)


def write_past(folder: Path, operations: int) -> None:
    """Write a journal of this many finished deletes."""
    events = ("asked", "approved", "begun", "sending", "sent", "done")
    began = datetime.now(UTC) - timedelta(days=400)
    rows = (
        ((began + timedelta(minutes=5 * n)).isoformat(timespec="microseconds"), event, f"past-{n}")
        for n in range(operations)
        for event in events
    )
    with Folder(folder).writing() as db:
        db.executemany(
            "INSERT INTO entry (at, event, operation, principal, tool, detail, hash) "
            "VALUES (?, ?, ?, 'me', 'delete_message', '{}', '')",
            rows,
        )


async def callers(runs: int, calls: int, variables: dict[str, str]) -> list[Row]:
    """Measure small calls over HTTP, by callers at the same time."""
    turns: dict[int, list[Together]] = {n: [] for n in CALLERS}
    async with http([*SERVE, "--http", "--port", "0"], **variables) as server:

        def light() -> Awaitable[Json]:
            return server.call(LIGHT, {})

        await light()
        for _ in range(runs):
            for n, measured in turns.items():
                measured.append(await together(server, light, n, calls // runs))
    costs = {n: [turn.cpu_s for turn in measured] for n, measured in turns.items()}
    heading, *rows = table("small call over HTTP, processor time", "callers", costs, {})
    return [
        heading,
        *(row._replace(found=f"{row.found}; {described(turns[n])}") for n, row in zip(turns, rows, strict=True)),
    ]


async def memory(many: int, variables: dict[str, str]) -> list[Row]:
    """Measure memory while many calls are made, after a tenth as many to warm up."""
    async with stdio(SERVE, **variables) as server:
        for _ in range(3):
            await server.call("list_messages", WINDOW)

        def light() -> Awaitable[Json]:
            return server.call(LIGHT, {})

        await together(server, light, 16, many // 10)
        resident = [resident_mb(server.process.pid)]
        for _ in range(PARTS):
            await together(server, light, 16, many // PARTS)
            resident.append(resident_mb(server.process.pid))
    sizes = [n * many // PARTS for n in range(PARTS + 1)]
    return [
        Row("resident memory", ""),
        *(
            Row(f"    after {n:,} calls", f"{mb:.1f} MB, {mb - resident[0]:+.1f} MB", "no growth" if n == many else "")
            for n, mb in zip(sizes, resident, strict=True)
        ),
    ]


if __name__ == "__main__":
    main()
