"""What a team's server costs, compared with single use over HTTP: `make bench-team`.

How to read the figures:

- A ratio is the median over pairs of calls, one side straight after the other, in one run. Lower is better.
- Both servers are processes of their own, over loopback, in front of one emulator in this process. A read is
  `read_message`: one request to RingCentral.
- "Idle" users called once and do nothing since: what their sessions keep in one replica's memory.
- "Used" is the part of RingCentral's limit that one user's calls got through two replicas, in full minutes under more
  load than that. A 429 would mean that the replicas together went over it.
- "Stopped" is the time from the operator's STOP until the last DELETE that any replica still sent.
"""

import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import click
import httpx2 as httpx

from bench.wire import SERVE, CallError
from rc_mcp.cli.emulator import login_to
from tests.serving import served
from tests.team import postgres
from tests.team.proof.practice import Member, Practice, practice
from tests.team.proof.processes import PUBLIC_URL, ReplicaProcess, Replicas, replicas
from tests.team.proof.talk import OverSocket, request
from tests.team.proof.test_stopped import stopped
from tests.team.proof.walk import NO_FORM

TOKEN = "a-token-for-the-single-server-of-the-bench"  # noqa: S105  made up
FULL_MINUTES = 2
CALLERS = 16


class Row(NamedTuple):
    """One line of the table."""

    what: str
    found: str
    target: str = ""


@click.command()
@click.option("--pairs", default=400, show_default=True, help="Paired reads.")
@click.option("--users", default=500, show_default=True, help="Idle users.")
@click.option("--quick", is_flag=True, help="Without the minutes under RingCentral's limits.")
def main(pairs: int, users: int, quick: bool) -> None:
    """Measure a team's server and print the results."""
    with postgres.server() as url:
        postgres.with_template(url)
        for measure in (
            partial(reading, pairs=pairs),
            partial(idle, users=users),
            stopping,
            *([] if quick else [budget]),
        ):
            with postgres.fresh(url) as database:
                show(anyio.run(measure, database))


def show(rows: Sequence[Row]) -> None:
    for row in rows:
        click.echo(f"{row.what:66} {row.found:40} {row.target and 'target ' + row.target}".rstrip())


async def reading(database: str, pairs: int) -> list[Row]:
    """Compare a read with single use."""
    with practice(2, 1, real_time=True) as practised:
        async with replicas(practised, database, 1) as team, single(practised) as alone:
            await team.let_in(1)
            member = practised.members[0]
            message_id = member.ids("Alive")[0]
            sides = {"team": (team.running[0].line, member.access), "single": (alone, TOKEN)}
            took: dict[str, list[float]] = {side: [] for side in sides}
            for number in range(pairs + 20):
                order = list(sides) if number % 2 else list(reversed(sides))
                for side in order:
                    line, token = sides[side]
                    began = time.perf_counter()
                    await read(line, token, message_id)
                    took[side].append(time.perf_counter() - began)
    warm = {side: times[20:] for side, times in took.items()}
    ratio = statistics.median(a / b for a, b in zip(warm["team"], warm["single"], strict=True))
    medians = {side: statistics.median(times) * 1000 for side, times in warm.items()}
    return [
        Row("a read, p50", f"{medians['team']:.1f} ms, single {medians['single']:.1f} ms"),
        Row("a read, p50 over single use's", f"{medians['team'] / medians['single']:.2f}", "1.20"),
        Row("a read over single use's, median of pairs", f"{ratio:.2f}", "1.20"),
    ]


async def read(line: OverSocket, token: str | None, message_id: str) -> None:
    params = {"name": "read_message", "arguments": {"message_id": [message_id]}}
    headers, body = request("tools/call", params, token=token, capabilities=NO_FORM)
    said = await line.ask("POST", f"{PUBLIC_URL}/mcp", headers, body)
    if said.status != 200 or said.json()["result"].get("isError"):
        raise CallError(f"{said.status}: {said.body[:300]!r}")


@asynccontextmanager
async def single(practised: Practice) -> AsyncGenerator[OverSocket]:
    """Run the server of one user, over HTTP."""
    first = next(user for user in practised.emulator.users if user.username == practised.members[0].username)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        variables = {**login_to(practised.emulator), "RC_USER_JWT": first.jwt, "RC_MCP_STATE_DIR": folder}
        os.environ.update({**variables, "RC_MCP_HTTP_TOKEN": TOKEN})
        stack.callback(lambda: [os.environ.pop(name, None) for name in (*variables, "RC_MCP_HTTP_TOKEN")])
        started = await anyio.to_thread.run_sync(lambda: stack.enter_context(served(*SERVE, "--http", "--port", "0")))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60, trust_env=False))
        yield OverSocket(started.address.removesuffix("/mcp"), http)


async def idle(database: str, users: int) -> list[Row]:
    """Measure the memory of users who called once."""
    warm = 20
    with practice(users + warm, 1, messages=2, real_time=True) as practised:
        async with replicas(practised, database, 1) as team:
            await team.entrance.register()
            replica = team.running[0]
            await _all_call(team, replica, practised.members[:warm])
            before = resident_mb(replica)
            await _all_call(team, replica, practised.members[warm:])
            grown = resident_mb(replica) - before
    return [
        Row(f"memory of {users} idle users", f"{grown:.0f} MB, before {before:.0f} MB"),
        Row("memory of an idle user", f"{grown / users:.3f} MB", "1 MB"),
    ]


async def _all_call(team: Replicas, replica: ReplicaProcess, members: Sequence[Member]) -> None:
    for member in members:
        await team.entrance.let_in(member)
        await read(replica.line, member.access, member.ids("Alive")[0])


def resident_mb(replica: ReplicaProcess) -> float:
    status = Path(f"/proc/{replica.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def budget(database: str) -> list[Row]:
    """Ask for more than RingCentral allows, through two replicas, and count what it gave."""
    with practice(1, 1, rate_limits=True, real_time=True) as practised:
        async with replicas(practised, database, 2) as team:
            await team.let_in(1)
            member = practised.members[0]
            message_id = member.ids("Alive")[0]
            answers: Counter[str] = Counter()
            began = time.monotonic()
            async with anyio.create_task_group() as tasks:
                for number in range(CALLERS):
                    line = team.running[number % 2].line
                    tasks.start_soon(_ask_on, line, member.access, message_id, answers)
                await anyio.sleep(60 * FULL_MINUTES + 65)
                tasks.cancel_scope.cancel()
            took_s = time.monotonic() - began
            seen = [r for r in practised.emulator.requests if r.path.endswith(message_id)]
    refused = sum(r.status == 429 for r in seen)
    first = min(r.time for r in seen)
    in_full = [r for r in seen if 60 <= (r.time - first).total_seconds() < 60 * (FULL_MINUTES + 1) and r.status == 200]
    used = len(in_full) / (50 * FULL_MINUTES)
    most = max(sum(0 <= (o.time - r.time).total_seconds() < 60 for o in seen) for r in seen)
    return [
        Row("one user's limit of reads, used by two replicas", f"{used:.1%}", "99 %"),
        Row("most reads in any minute, and refusals", f"{most} of 50, {refused} in {took_s:.0f} s", "50, 0"),
    ]


async def _ask_on(line: OverSocket, token: str | None, message_id: str, answers: Counter[str]) -> None:
    params: dict[str, Any] = {"name": "read_message", "arguments": {"message_id": [message_id]}}
    while True:
        headers, body = request("tools/call", params, token=token, capabilities=NO_FORM)
        said = await line.ask("POST", f"{PUBLIC_URL}/mcp", headers, body)
        answers[str(said.status)] += 1


async def stopping(database: str) -> list[Row]:
    """Stop both replicas in the middle of a delete each."""
    last_s, _ = await stopped(database)
    return [Row("from STOP to the last DELETE of any replica", f"{last_s:.2f} s", "1 s")]


if __name__ == "__main__":
    main()
