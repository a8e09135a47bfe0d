"""How fast the emulator is with a full mailbox and under load: `make bench-emulator`.

The figures are shown with the project's targets; a missed target is not an error. How to read them:

- A separate process on the same machine sends the load, as plain bytes over kept connections. On two cores it has one
  and the server the other.
- `paced` sends at the given rate and times each request from when it was due. `flat out` sends the next request as soon
  as the last is answered.
- The minimal app is Starlette, served in the same way, with the same few bytes for every request. It does none of the
  work, so it shows the cost of HTTP itself.
- The load consists only of reads. Nothing changes during it, so the filtered list is counted once and then only paged
  through; the difference between the first two rows is the cost of a count.
- Processor time is that of the server's process, in the flat-out load: it depends less on what else the machine does.
- Memory is the server's resident set, as Linux reports it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import anyio
import click
import httpx2 as httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.measuring import on_cpu_s
from bench.wire import resident_mb
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.service.serving import address, bound_sockets, serving

HERE = Path(__file__).resolve().parent
REPEATS = 200
FLAT_OUT_S = 10

BEGINNING = datetime.now(UTC) - timedelta(days=60)
MAILBOX = "/restapi/v1.0/account/~/extension/~"
STORE = f"{MAILBOX}/message-store"
FILTER = "messageType=SMS&direction=Inbound&readStatus=Unread"


class Login(NamedTuple):
    server_url: str
    media_url: str
    client_id: str
    client_secret: str
    jwt: str
    account_id: str
    extension_id: str


@click.command()
@click.option("--messages", default=100_000, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="How long the paced load lasts.")
@click.option("--rate", default=1_000, show_default=True, help="Requests a second of the paced load.")
@click.option("--connections", default=32, show_default=True)
@click.option("--minimal", is_flag=True, hidden=True, help="Serve the minimal app, which another run measures.")
def main(messages: int, seconds: float, rate: int, connections: int, minimal: bool) -> None:
    """Measure the emulator and print the results."""
    if minimal:
        anyio.run(serve_minimal_app)
        return
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "mailbox.db"
        began = time.perf_counter()
        # Made an hour ago, so that its messages are not new to the first sync.
        Emulator(db=database, messages=messages, now=lambda: datetime.now(UTC) - timedelta(hours=1)).close()
        row(f"generating {messages:,} messages, once", f"{time.perf_counter() - began:.1f} s")
        anyio.run(in_process, database)
        measure_load(database, {"seconds": seconds, "rate": rate, "connections": connections})


# In process


async def in_process(database: Path) -> None:
    with Emulator(db=database, rate_limits=False) as emulator:
        transport = httpx.ASGITransport(app=emulator.app)
        async with httpx.AsyncClient(transport=transport, base_url=emulator.server_url) as client:
            client.headers["Authorization"] = await authorization(client, emulator)
            # Each list starts at a different second, so that none is counted already.
            pages = [f"{STORE}?{FILTER}&perPage=100&{since(seconds)}" for seconds in range(REPEATS)]
            new_page_ms = await measured(client, pages)
            page_ms = await measured(client, pages[:1] * REPEATS)
            full = await client.get(f"{MAILBOX}/message-sync?syncType=FSync&recordCount=1&{since()}")
            newest = await client.get(f"{STORE}?perPage=10&{since()}")
            for record in newest.json()["records"]:
                await client.put(f"{STORE}/{record['id']}", json={"readStatus": "Read"})
            token = full.json()["syncInfo"]["syncToken"]
            changes_ms = await measured(client, [f"{MAILBOX}/message-sync?syncType=ISync&syncToken={token}"] * REPEATS)
    row(f"filtered page of 100, median of {REPEATS}", f"{new_page_ms:.1f} ms", "20 ms")
    row("    the same again, or its next page", f"{page_ms:.1f} ms")
    row(f"ISync with 10 changes, median of {REPEATS}", f"{changes_ms:.1f} ms", "20 ms")


async def measured(client: httpx.AsyncClient, urls: list[str]) -> float:
    """Return the median time of these GETs in milliseconds."""
    times_s: list[float] = []
    for url in urls:
        began = time.perf_counter()
        answer = await client.get(url)
        times_s.append(time.perf_counter() - began)
        answer.raise_for_status()
    return statistics.median(times_s) * 1000


async def authorization(client: httpx.AsyncClient, login: Login | Emulator) -> str:
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": login.jwt}
    answer = await client.post("/restapi/oauth/token", data=grant, auth=(login.client_id, login.client_secret))
    return f"Bearer {answer.raise_for_status().json()['access_token']}"


# Over HTTP


def measure_load(database: Path, how: dict[str, Any]) -> None:
    began = time.perf_counter()
    with running("-m", "rc_mcp", "emulator", "--no-rate-limits", "--db", str(database)) as (process, line):
        row("start from a file, until the first line", f"{time.perf_counter() - began:.2f} s", "1 s")
        login = Login(**line)
        requests = anyio.run(mixed_reads, login)
        # First, so that the request log, which has a fixed length, is full before growth is measured.
        ours, ours_us = flat_out(process, login.server_url, requests, how)
        before_mb = resident_mb(process)
        paced = load(login.server_url, requests, how)
        after_mb = resident_mb(process)
    with running("-m", "bench.emulator", "--minimal") as (process, line):
        minimal_paced = load(line["server_url"], requests, {**how, "seconds": FLAT_OUT_S})
        minimal, minimal_us = flat_out(process, line["server_url"], requests, how)
    row("resident memory under load", f"{after_mb:.0f} MB", "200 MB")
    row(f"    over {how['seconds']:.0f} s of paced load", f"{after_mb - before_mb:+.1f} MB", "no growth")
    click.echo(f"\nMixed reads over {how['connections']} connections: {MIX}.")
    row(f"paced at {how['rate']:,} a second", described(paced), f"{how['rate']:,} a second, no error")
    row("    the minimal app", described(minimal_paced))
    row("flat out", described(ours))
    row("    the minimal app", described(minimal))
    row("    that is", f"{rate_of(minimal) / rate_of(ours):.1f} times as many", "2 times, unless paced holds")
    row("processor time of a request, over the minimal app", f"{ours_us / minimal_us:.1f}", "2.5; limit 1")
    row("    ours, the minimal app with the same parser", f"{ours_us:.0f} us, {minimal_us:.0f} us")


MIX = "40 % one message, 20 % ISync, 20 % a page of 20 of the filtered list, 10 % an attachment, 10 % two messages"


async def mixed_reads(login: Login) -> list[str]:
    """Return a thousand requests of a client that keeps up with its mailbox, ready to send."""
    async with httpx.AsyncClient(base_url=login.server_url) as client:
        client.headers["Authorization"] = await authorization(client, login)
        records: list[Any] = (await client.get(f"{STORE}?{since()}&perPage=100")).json()["records"]
        full = await client.get(f"{MAILBOX}/message-sync?syncType=FSync&recordCount=1&{since()}")
        headers = f"Host: {urlsplit(login.server_url).netloc}\r\nAuthorization: {client.headers['Authorization']}"
    sync = f"{MAILBOX}/message-sync?syncType=ISync&syncToken={full.json()['syncInfo']['syncToken']}"
    ids = [record["id"] for record in records]
    attachments: list[str] = [urlsplit(str(item["uri"])).path for record in records for item in record["attachments"]]
    paths: list[str] = []
    for at in range(100):
        page = f"{STORE}?{FILTER}&{since()}&perPage=20&page={at + 1}"
        one, two = f"{STORE}/{ids[at]}", f"{STORE}/{ids[at]},{ids[at - 1]}"
        paths += [one, sync, one, page, attachments[at], one, sync, one, page, two]
    return [f"GET {path} HTTP/1.1\r\n{headers}\r\n\r\n" for path in paths]


def load(url: str, requests: list[str], how: dict[str, Any]) -> dict[str, Any]:
    """Run `bench/load.py`, which describes its input and output."""
    where = {"host": urlsplit(url).hostname, "port": urlsplit(url).port, "requests": requests}
    command = [sys.executable, HERE / "load.py"]
    ran = subprocess.run(command, input=json.dumps(where | how), capture_output=True, text=True, check=True)  # noqa: S603
    return json.loads(ran.stdout)


def flat_out(process: int, url: str, requests: list[str], how: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Return the result of the load, and the processor time of a request in microseconds."""
    began_s = on_cpu_s(process)
    result = load(url, requests, {**how, "rate": 0, "seconds": FLAT_OUT_S})
    return result, (on_cpu_s(process) - began_s) * 1e6 / result["answers"]


@contextmanager
def running(*arguments: str) -> Generator[tuple[int, dict[str, str]]]:
    """Run a program of ours; yield its process id and its first line, which says how to reach it."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None  # noqa: S101
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.terminate()


async def serve_minimal_app() -> None:
    async def nothing(_: Request) -> Response:
        return Response("nothing to see here", media_type="text/plain")

    app = Starlette(routes=[Route("/{path:path}", nothing)])
    with bound_sockets("127.0.0.1", 0) as (bound,):
        async with serving({app: bound}):
            click.echo(json.dumps({"server_url": address(bound)}))
            await anyio.sleep_forever()


def since(seconds: int = 0) -> str:
    """Return a parameter that includes every message and differs for each number of seconds."""
    return f"dateFrom={BEGINNING + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


# Printing


def rate_of(result: dict[str, Any]) -> float:
    return result["answers"] / result["seconds"]


def described(result: dict[str, Any]) -> str:
    errors = ", ".join(f"{count} x {status}" for status, count in result["errors"].items()) or "no error"
    times = "median {median_ms:.1f}, 99 % {p99_ms:.1f}, slowest {slowest_ms:.0f} ms".format(**result)
    return f"{rate_of(result):,.0f} a second, {errors}; {times}"


def row(what: str, found: str, target: str = "") -> None:
    click.echo(f"{what:52} {found:28}" + (f" target {target}" if target else ""))


if __name__ == "__main__":
    main()
