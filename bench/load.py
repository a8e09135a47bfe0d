"""Send requests over kept connections and time the answers, in a separate process that has a core for itself.

Reads a `Plan` as JSON from stdin and prints a `Result`. Sends plain bytes over asyncio, because an HTTP client would be
busier than the server that it measures.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import cycle, islice
from typing import NamedTuple


class Plan(NamedTuple):
    host: str
    port: int
    requests: list[str]
    seconds: float
    connections: int
    rate: float
    """Requests a second; 0 for as many as possible."""


class Result(NamedTuple):
    answers: int
    seconds: float
    errors: dict[str, int]
    median_ms: float
    p99_ms: float
    slowest_ms: float


async def load(plan: Plan) -> Result:
    began = time.perf_counter()
    tasks = [connection(plan, number, began) for number in range(plan.connections)]
    times_s: list[float] = []
    errors: Counter[str] = Counter()
    for taken_s, wrong in await asyncio.gather(*tasks):
        times_s += taken_s
        errors += wrong
    seconds = time.perf_counter() - began
    times_s.sort()
    at = [times_s[int(len(times_s) * part)] * 1000 for part in (0.5, 0.99)]
    return Result(len(times_s), seconds, dict(errors), at[0], at[1], times_s[-1] * 1000)


async def connection(plan: Plan, number: int, began: float) -> tuple[list[float], Counter[str]]:
    """Send one connection's share of the requests, each when it is due and the one before is answered.

    Time counts from when a request was due, so that a request that the server kept waiting does not count as fast.
    """
    reader, writer = await asyncio.open_connection(plan.host, plan.port)
    times_s: list[float] = []
    errors: Counter[str] = Counter()
    at = number
    for request in islice(cycle(plan.requests), number, None, plan.connections):
        due = began + at / plan.rate if plan.rate else time.perf_counter()
        if due >= began + plan.seconds:
            break
        if (early_s := due - time.perf_counter()) > 0:
            await asyncio.sleep(early_s)
        writer.write(request.encode())
        status = await answer(reader)
        times_s.append(time.perf_counter() - due)
        if status >= 400:
            errors[str(status)] += 1
        at += plan.connections
    writer.close()
    return times_s, errors


async def answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(load(Plan(**json.load(sys.stdin))))._asdict()))
