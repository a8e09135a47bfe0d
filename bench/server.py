"""How much our server costs compared with a minimal one: `python -m bench.server`, and part of `make bench`.

How to read the figures:

- Each ratio is the median over the paired runs, one side straight after the other. Under 1 is in our favor.
- The minimal server is the SDK's own, with ten tools that do nothing (`bench/minimal_server.py`).
- The mailbox is `rc-mcp emulator --scenario busy --no-rate-limits`, 5,000 messages, in a separate process. Every figure
  that reads the mailbox includes that process's time.
- The client uses part of the machine too. Other work on the machine makes the times longer, but hardly the ratios.
"""

import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio
import click
import httpx2 as httpx
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from bench.wire import MINIMAL, SERVE, Json, Server, emulator, http, request, resident_mb, stdio

LIST: Json = {"date_from": "90d", "per_page": 100}
LIGHT: Json = {}
CALLERS = (1, 16, 64)


class Row(NamedTuple):
    """One line of the table."""

    what: str
    found: str
    target: str = ""


@click.command()
@click.option("--runs", default=11, show_default=True, help="Paired starts.")
@click.option("--calls", default=1_000, show_default=True, help="Calls at each number of callers.")
@click.option("--many", default=10_000, show_default=True, help="Calls over which memory is measured.")
def main(runs: int, calls: int, many: int) -> None:
    """Measure our server and print the results."""
    with emulator("--scenario", "busy") as variables:
        for measure in (
            lambda: starts(runs, variables),
            lambda: listing(10 * runs, variables),
            lambda: throughput(calls, variables),
            lambda: memory(many, variables),
            lambda: day(variables),
        ):
            for row in anyio.run(measure):
                click.echo(f"{row.what:58} {row.found:40} {row.target and 'target ' + row.target}".rstrip())


async def starts(runs: int, variables: dict[str, str]) -> list[Row]:
    """Time a start up to the first answer to `tools/list`."""

    async def start(command: list[str]) -> float:
        began = time.perf_counter()
        async with stdio(command, **variables) as server:
            await server.ask(request(1, "tools/list"))
            return time.perf_counter() - began

    pairs = [(await start(SERVE), await start(MINIMAL), await start([*SERVE, "--demo"])) for _ in range(runs)]
    ours, minimal, demo = (statistics.median(side) for side in zip(*pairs, strict=True))
    return [
        Row("start to tools/list, over the minimal server", ratio([(o, m) for o, m, _ in pairs]), "at most 1.25"),
        Row("    ours, minimal, the demo", f"{ours:.2f} s, {minimal:.2f} s, {demo:.2f} s"),
    ]


async def listing(runs: int, variables: dict[str, str]) -> list[Row]:
    """Compare `list_messages` of 100 with its parts: the page fetched by plain httpx, and a call of an idle tool."""
    async with (
        stdio(SERVE, **variables) as ours,
        stdio(MINIMAL) as minimal,
        httpx.AsyncClient(base_url=variables["RC_SERVER_URL"]) as client,
    ):
        client.headers["Authorization"] = await authorization(client, variables)
        page = await messages_page(client)
        pairs: list[tuple[float, float]] = []
        for _ in range(runs):
            whole = await timed(lambda: ours.call("list_messages", LIST))
            fetched = await timed(lambda: client.get(page))
            echoed = await timed(lambda: minimal.call("echo", {"text": "hello"}))
            pairs.append((whole, fetched + echoed))
    whole, parts = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
    return [
        Row("list_messages of 100, over its parts", ratio(pairs), "at most 1.5"),
        Row("    ours, the parts", f"{whole:.1f} ms, {parts:.1f} ms"),
    ]


async def throughput(calls: int, variables: dict[str, str]) -> list[Row]:
    """Measure a tool that makes one request, with 1, 16 and 64 callers at once, over stdio and over HTTP."""
    rows: list[Row] = []
    for name, opened in {
        "stdio": stdio(SERVE, **variables),
        "HTTP": http([*SERVE, "--http", "--port", "0"], **variables),
    }.items():
        async with opened as server:
            await server.call("read_message_store_configuration", LIGHT)
            for callers in CALLERS:
                rate, p50, p99, errors = await together(server, callers, calls)
                found = f"{rate:,.0f} a second; median {p50:.1f}, 99 % {p99:.1f} ms"
                target = "no error" if callers == max(CALLERS) else ""
                rows.append(Row(f"{name}, {callers} callers", f"{found}; {errors or 'no'} errors", target))
    return rows


async def together(server: Server, callers: int, calls: int) -> tuple[float, float, float, int]:
    """Return calls a second, the median and the 99th percentile in milliseconds, and the number of errors."""
    times: list[float] = []
    errors = 0
    left = iter(range(calls))

    async def caller() -> None:
        nonlocal errors
        for _ in left:
            try:
                times.append(await timed(lambda: server.call("read_message_store_configuration", LIGHT)))
            except Exception:  # noqa: BLE001  every error is counted
                errors += 1

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(callers):
            tasks.start_soon(caller)
    taken = time.perf_counter() - began
    times.sort()
    return calls / taken, statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000, errors


async def memory(many: int, variables: dict[str, str]) -> list[Row]:
    """Measure memory growth over many calls, after a tenth as many to warm up."""
    async with stdio(SERVE, **variables) as server:
        for _ in range(3):
            await server.call("list_messages", LIST)
        await together(server, 16, many // 10)
        before = resident_mb(server.process.pid)
        await together(server, 16, many)
        after = resident_mb(server.process.pid)
    return [
        Row("resident memory", f"{after:.0f} MB"),
        Row(f"    growth over {many:,} calls", f"{after - before:+.1f} MB", "no growth"),
    ]


async def day(variables: dict[str, str]) -> list[Row]:
    """Time an assistant's day in a busy mailbox, with a user who approves every deletion."""

    async def approve(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"confirm": True})

    server = StdioServerParameters(command=SERVE[0], args=SERVE[1:], env=dict(os.environ) | variables)
    async with Client(server, elicitation_callback=approve) as client:

        async def tool(name: str, **arguments: Any) -> Json:
            result = await client.call_tool(name, arguments)
            if result.is_error or result.structured_content is None:
                raise click.ClickException(f"{name}: {result.content}")
            return result.structured_content

        async def batches(name: str, ids: list[str], size: int, **arguments: Any) -> None:
            for at in range(0, len(ids), size):
                answer = await tool(name, message_id=ids[at : at + size], **arguments)
                if answer.get("status") not in {"done", None}:
                    raise click.ClickException(f"{name}: {json.dumps(answer)[:300]}")

        triage = await timed(lambda: tool("list_messages", date_from="90d", detail="summary"))
        async with httpx.AsyncClient(base_url=variables["RC_SERVER_URL"]) as direct:
            direct.headers["Authorization"] = await authorization(direct, variables)
            ids = await all_ids(direct)
        steps = {
            "triage: a summary of 90 days": triage,
            "read 200": await timed(lambda: batches("read_message", ids[:200], 10)),
            "mark 1,000 read": await timed(lambda: batches("update_message", ids[:1000], 1000, read_status="Read")),
            "delete 400, with two approvals": await timed(lambda: batches("delete_message", ids[:400], 200)),
            "restore them": await timed(lambda: batches("patch_message", ids[:400], 400, availability="Alive")),
        }
    whole = Row("a day in a mailbox of 5,000 messages", f"{sum(steps.values()):.2f} s")
    return [whole, *(Row(f"    {what}", f"{seconds:.2f} s") for what, seconds in steps.items())]


async def all_ids(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get(await messages_page(client, per_page=1000))
    return [str(record["id"]) for record in answer.raise_for_status().json()["records"]]


async def messages_page(client: httpx.AsyncClient, per_page: int = 100) -> str:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 90 * 86_400))
    path = f"/restapi/v1.0/account/~/extension/~/message-store?dateFrom={since}&perPage={per_page}"
    (await client.get(path)).raise_for_status()
    return path


async def authorization(client: httpx.AsyncClient, variables: dict[str, str]) -> str:
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": variables["RC_USER_JWT"]}
    app = (variables["RC_APP_CLIENT_ID"], variables["RC_APP_CLIENT_SECRET"])
    answer = await client.post("/restapi/oauth/token", data=grant, auth=app)
    return f"Bearer {answer.raise_for_status().json()['access_token']}"


async def timed(do: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await do()
    return time.perf_counter() - began


def ratio(pairs: list[tuple[float, float]]) -> str:
    return f"{statistics.median(ours / theirs for ours, theirs in pairs):.2f}"


if __name__ == "__main__":
    main()
