"""Reads many attachments under the emulator's limits, in virtual time, for a test and `make bench-client`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
import httpx2 as httpx

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient

EPOCH = datetime(2026, 11, 23, tzinfo=UTC)
A_MINUTE = 40
"""Requests of the group Medium."""


@dataclass(frozen=True)
class Run:
    """The result of reading many attachments.

    Attributes:
        took_s: virtual seconds.
        share_of_rate: 1 is the optimum. The first 40 need no wait, so the optimum is one window for each further 40.
        refused: answers with 429.
        into_penalty: requests that arrived while a 429 closed the group.
    """

    took_s: float
    share_of_rate: float
    refused: int
    into_penalty: int


def virtual_now() -> datetime:
    """Return the time of the emulator's clock: the loop's while the loop runs."""
    try:
        return EPOCH + timedelta(seconds=anyio.current_time())
    except RuntimeError:  # no loop runs; anyio has an error of its own for that, but not always raises it
        return EPOCH + timedelta(seconds=1_000)


def client_of(emulator: Emulator, max_wait_s: float | None = None) -> MessageStoreClient:
    auth = JWTAuth(
        emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt, clock=anyio.current_time
    )
    return MessageStoreClient(
        auth,
        server_url=emulator.server_url,
        media_url=emulator.media_url,
        transport=httpx.ASGITransport(app=emulator.app),
        max_wait_s=max_wait_s,
        assume_limits=True,
    )


async def together(callers: int, jobs: int, act: Callable[[], Awaitable[object]]) -> float:
    """Do `jobs` jobs with `callers` callers, and return the seconds taken."""
    left, start = jobs, anyio.current_time()

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await act()

    async with anyio.create_task_group() as tasks:
        for _ in range(callers):
            tasks.start_soon(work)
    return anyio.current_time() - start


async def attachments(emulator: Emulator, callers: int = 16, count: int = 500, refuse_after: int | None = None) -> Run:
    """Read `count` attachments. After `refuse_after` requests, RingCentral refuses the next for no reason."""
    fax = next(m for m in emulator.store.messages() if m["type"] == "Fax" and m["attachments"])
    message_id, attachment_id = str(fax["id"]), str(fax["attachments"][0]["id"])
    done = 0
    async with client_of(emulator) as store:

        async def read() -> None:
            nonlocal done
            async with store.read_message_content(message_id, attachment_id) as content:
                await content.read(10**8)
            done += 1
            if done == refuse_after:
                emulator.faults.inject("rate_limit", operation="readMessageContent")

        took_s = await together(callers, count, read)
    came = [(request.time, request.status) for request in emulator.requests if "/content/" in request.path]
    refusals = [time for time, status in came if status == 429]
    penalty = timedelta(seconds=60)
    into = [time for time, _ in came if any(refused < time < refused + penalty for refused in refusals)]
    best_s = 60 * ((count - 1) // A_MINUTE)
    return Run(took_s, best_s / took_s, len(refusals), len(into))
