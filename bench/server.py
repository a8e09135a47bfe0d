"""How much our server costs compared with a minimal one: `python -m bench.server`, and part of `make bench`.

How to read the figures:

- Each ratio is the median over the paired runs, one side straight after the other. Lower is better.
- The minimal server is the SDK's own, with ten tools that do nothing (`bench/minimal_server.py`).
- "Processor time" is that of the server's process, all threads. It leaves out the emulator and the client, and other
  work on the machine changes it little.
- The parts of a list are what no server can do without: a minimal server that sends the same answer, the request for
  the page with plain httpx, and reading its JSON. "Again" asks for a page whose rows the server has made before.
- The limit of a start is the minimal server that collects no garbage and builds no model before it is used. That of a
  list or a call is a server that costs nothing but the SDK and one request.
- The waits for the disk of a delete, from its plan to its answer, are counted with strace if it is installed. Their
  limit is an estimate: entries of the journal that must be on the disk before the next step.
- The mailbox is `rc-mcp emulator --scenario busy --no-rate-limits`, 5,000 messages, in a separate process.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import click
import httpx2 as httpx
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from bench.measuring import on_cpu_s
from bench.wire import MINIMAL, SERVE, CallError, Json, Server, emulator, http, request, stdio

PAGES = 45
"""Of 100 messages. The mailbox has as many, and the server keeps the rows of five."""
BLOCK = 20
"""Calls between two readings of processor time."""
WINDOW: Json = {"date_from": "90d", "per_page": 100}
LIGHT = "read_message_store_configuration"
"""A tool that makes one small request."""
CALLERS = (1, 16, 64, 256)
TARGETS = {("stdio", 1): "2.0; limit 1.8", ("HTTP", 64): "2.5; limit 1.8", ("HTTP", 256): "no error"}
Call = Callable[[], Awaitable[Any]]


class Row(NamedTuple):
    """One line of the table."""

    what: str
    found: str
    target: str = ""


@click.command()
@click.option("--runs", default=11, show_default=True, help="Paired runs.")
@click.option("--calls", default=1_000, show_default=True, help="Calls at each number of callers.")
def main(runs: int, calls: int) -> None:
    """Measure our server and print the results."""
    with emulator("--scenario", "busy") as variables:
        for measure in (
            lambda: starts(runs, variables),
            lambda: listing(runs, variables),
            lambda: small_calls(runs, calls, variables),
            lambda: syncs(variables),
            lambda: day(variables),
        ):
            show(anyio.run(measure))


def show(rows: Sequence[Row]) -> None:
    for row in rows:
        click.echo(f"{row.what:66} {row.found:40} {row.target and 'target ' + row.target}".rstrip())


async def starts(runs: int, variables: dict[str, str]) -> list[Row]:
    """Measure a start up to the first answer to `tools/list`: processor time, and the time that passes."""

    async def start(command: list[str]) -> tuple[float, float]:
        began = time.perf_counter()
        async with stdio(command, **variables) as server:
            await server.ask(request(1, "tools/list"))
            return on_cpu_s(server.process.pid), time.perf_counter() - began

    commands = {
        "ours": SERVE,
        "minimal": MINIMAL,
        "no gc": [*MINIMAL, "--no-gc"],
        "limit": [*MINIMAL, "--no-gc", "--defer-build"],
        "demo": [*SERVE, "--demo"],
    }
    turns = [{name: await start(command) for name, command in commands.items()} for _ in range(runs)]
    passed = {name: f"{statistics.median(turn[name][1] for turn in turns):.2f} s" for name in commands}
    cpu = {name: [turn[name][0] for turn in turns] for name in commands}

    def limit(over: str) -> str:
        return ratio(cpu["limit"], cpu[over])

    return [
        Row("start to tools/list, processor time over the minimal server", ratio(cpu["ours"], cpu["minimal"]), "1.05"),
        Row("    over one that collects no garbage either", ratio(cpu["ours"], cpu["no gc"]), "1.12"),
        Row("    the limit, for each of the two", f"{limit('minimal')}, {limit('no gc')}"),
        Row("    ours, minimal, the demo", ", ".join(passed[name] for name in ("ours", "minimal", "demo"))),
    ]


async def listing(runs: int, variables: dict[str, str]) -> list[Row]:
    """Compare `list_messages` of 100 with its parts, in processor time of the process that does each."""
    number = 0

    async with AsyncExitStack() as opened:
        ours = await opened.enter_async_context(stdio(SERVE, **variables))
        client = await opened.enter_async_context(httpx.AsyncClient(base_url=variables["RC_SERVER_URL"]))
        client.headers["Authorization"] = await authorization(client, variables)
        address = await messages_page(client)

        async def page(detail: str = "rows", *, is_new: bool = True) -> Json:
            nonlocal number
            number += is_new
            return await ours.call("list_messages", {**WINDOW, "page": number % PAGES + 1, "detail": detail})

        folder = opened.enter_context(tempfile.TemporaryDirectory())
        answer = anyio.Path(folder, "answer.json")
        await answer.write_text(json.dumps(await page()))
        minimal = await opened.enter_async_context(stdio(MINIMAL, MINIMAL_ANSWER=str(answer)))
        passed = [await timed(page) for _ in range(BLOCK)]

        async def fetch() -> None:
            json.loads((await client.get(address)).content)

        here = os.getpid()
        turns = [
            {
                "new": await cpu(ours.process.pid, page),
                "again": await cpu(ours.process.pid, lambda: page(is_new=False)),
                "full": await cpu(ours.process.pid, lambda: page("full")),
                "answer": await cpu(minimal.process.pid, lambda: minimal.call("stored", {})),
                "request": await cpu(here, fetch),
            }
            for _ in range(runs)
        ]
    parts = [turn["answer"] + turn["request"] for turn in turns]
    cost = {name: [turn[name] for turn in turns] for name in turns[0]}
    ms = {name: f"{statistics.median(each) * 1000:.1f} ms" for name, each in cost.items()}
    return [
        Row("list_messages of 100, processor time over its parts", ratio(cost["new"], parts), "2.0; limit 1"),
        Row("    again", ratio(cost["again"], parts)),
        Row("    full", ratio(cost["full"], parts)),
        Row("    ours, again, full", f"{ms['new']}, {ms['again']}, {ms['full']}"),
        Row("    the parts: the same answer; the request and its JSON", f"{ms['answer']}, {ms['request']}"),
        Row("    the time that passes, with the emulator's", f"{statistics.median(passed) * 1000:.1f} ms"),
    ]


async def small_calls(runs: int, calls: int, variables: dict[str, str]) -> list[Row]:
    """Compare a tool that makes one small request with an echo, over stdio and HTTP, by callers at the same time."""
    rows: list[Row] = []
    ways: dict[str, tuple[AbstractAsyncContextManager[Server], AbstractAsyncContextManager[Server], tuple[int, ...]]]
    ways = {
        "stdio": (stdio(SERVE, **variables), stdio(MINIMAL), CALLERS[:-1]),
        "HTTP": (http([*SERVE, "--http", "--port", "0"], **variables), http([*MINIMAL, "--http"]), CALLERS),
    }
    for name, (opens_ours, opens_minimal, callers) in ways.items():
        async with opens_ours as ours, opens_minimal as minimal:

            def light(server: Server = ours) -> Awaitable[Json]:
                return server.call(LIGHT, {})

            def echo(server: Server = minimal) -> Awaitable[Json]:
                return server.call("echo", {"text": "hello"})

            await light()
            for n in callers:
                turns = [
                    (await together(ours, light, n, calls // runs), await together(minimal, echo, n, calls // runs))
                    for _ in range(runs)
                ]
                over = ratio([turn.cpu_s for turn, _ in turns], [turn.cpu_s for _, turn in turns])
                found = f"{over}; {described([turn for turn, _ in turns])}"
                rows.append(
                    Row(f"small call over {name}, {n} callers, over an echo", found, TARGETS.get((name, n), ""))
                )
    return rows


class Together(NamedTuple):
    """Calls of several callers at the same time."""

    cpu_s: float
    """The server's processor time for one call."""
    rate: float
    """Calls a second."""
    seconds: list[float]
    """How long each call took."""
    errors: int


def described(turns: Sequence[Together]) -> str:
    """Return the rate, the times and the errors of calls."""
    times = sorted(s for turn in turns for s in turn.seconds)
    p50, p99 = statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000
    errors = sum(turn.errors for turn in turns) or "no"
    rate = statistics.median(turn.rate for turn in turns)
    return f"{rate:,.0f} a second; median {p50:.1f}, 99 % {p99:.1f} ms; {errors} errors"


async def together(server: Server, call: Call, callers: int, calls: int) -> Together:
    """Make these calls, each caller one after another."""
    calls = max(calls, callers)
    seconds: list[float] = []
    errors = 0
    left = iter(range(calls))

    async def caller() -> None:
        nonlocal errors
        for _ in left:
            try:
                seconds.append(await timed(call))
            except (CallError, httpx.HTTPError):
                errors += 1

    before, began = on_cpu_s(server.process.pid), time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(callers):
            tasks.start_soon(caller)
    taken = time.perf_counter() - began
    return Together((on_cpu_s(server.process.pid) - before) / calls, calls / taken, seconds, errors)


async def syncs(variables: dict[str, str]) -> list[Row]:
    """Count how often a guarded delete of 50 messages waits for the disk."""
    what = "fdatasync of a guarded delete of 50"
    if not (strace := shutil.which("strace")):
        return [Row(what, "not measured: strace is not installed")]
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        log = folder / "log"
        command = [strace, "-f", "-qq", "-e", "trace=fdatasync,fsync", "-o", str(log), *SERVE]
        environment = {**variables, "RC_MCP_STATE_DIR": str(folder / "state")}
        server = await opened.enter_async_context(stdio(command, **environment))
        async with httpx.AsyncClient(base_url=variables["RC_SERVER_URL"]) as direct:
            direct.headers["Authorization"] = await authorization(direct, variables)
            ids = (await all_ids(direct))[-51:]
        await delete(server, ids[:1])  # it makes the file
        before = log.read_text().count("sync(")
        await delete(server, ids[1:])
        return [Row(what, f"{log.read_text().count('sync(') - before}", "10; limit 8")]


async def delete(server: Server, ids: Sequence[str]) -> None:
    """Delete messages, with a plan."""
    plan = (await server.call("delete_message", {"message_id": ids}))["structuredContent"]["plan_id"]
    answer = await server.call("delete_message", {"message_id": ids, "plan_id": plan})
    if answer["structuredContent"]["status"] != "done":
        raise CallError(json.dumps(answer)[:300])


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


async def cpu(process: int, call: Call, calls: int = BLOCK) -> float:
    """Return the processor time that a call costs this process."""
    before = on_cpu_s(process)
    for _ in range(calls):
        await call()
    return (on_cpu_s(process) - before) / calls


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return f"{statistics.median(our / their for our, their in zip(ours, theirs, strict=True)):.2f}"


if __name__ == "__main__":
    main()
