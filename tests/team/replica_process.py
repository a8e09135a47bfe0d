"""A replica as a process of its own, for tests: `python replica_process.py '{"do": ..., ...}'`.

It prints `ready`, and then does for each line of its input what it was started for, and answers with a line.
"""

import json
import os
import signal
import ssl
import sys
from collections.abc import Coroutine, Generator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import anyio
import httpx2 as httpx

from rc_mcp.ringcentral import MessageStoreClient, RateLimited, TokenAuth
from rc_mcp.team.budgets import SharedBudgets
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import Logins
from rc_mcp.team.people import Person

_CERTIFICATES = ssl.create_default_context()  # once: it takes longer than all the rest
LIST = "/restapi/v1.0/account/~/extension/~/message-store"


class KilledAt:
    """Runs a coroutine, and kills the process when it waits for the n-th time."""

    def __init__(self, work: Coroutine[Any, Any, int], n: int) -> None:
        self._work = work
        self._n = n

    def __await__(self) -> Generator[Any, Any, int]:
        steps, step = self._work.__await__(), partial(next)
        for waits in count():
            try:
                waited_for = step(steps)
            except StopIteration as end:
                return end.value
            if waits == self._n:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                value = yield waited_for
                step = partial(_sent, value)
            except BaseException as error:  # noqa: BLE001  as `yield from` does
                step = partial(_thrown, error)
        raise AssertionError


def _sent(value: Any, steps: Generator[Any, Any, int]) -> Any:
    return steps.send(value)


def _thrown(error: BaseException, steps: Generator[Any, Any, int]) -> Any:
    return steps.throw(error)


async def read_and_die(given: dict[str, Any], n: int) -> int:
    """Read with a login, and be killed at the n-th wait of that."""
    async with Database(given["database"]) as database:
        await database.read_clock()
        logins = Logins(database, KeyRing(given["keys"]), given["server"], given["client_id"], "")
        auth = logins.auth_for(Person(**given["person"]))
        auth.allow(httpx.URL(given["server"]))
        async with httpx.AsyncClient(auth=auth, verify=_CERTIFICATES) as http:

            async def read() -> int:
                return (await http.get(given["server"] + LIST)).status_code

            return await KilledAt(read(), n)


async def import_everything() -> None:
    """Import what is imported with the first request."""
    with suppress(httpx.ConnectError):
        async with httpx.AsyncClient(verify=_CERTIFICATES) as http:
            await http.get("http://127.0.0.1:9")


def in_a_fork(given: dict[str, Any], line: str) -> str:
    """Do so in a process that begins with everything imported; return how it ended."""
    child = os.fork()
    if not child:
        status = anyio.run(read_and_die, given, int(line))
        os._exit(0 if status == 200 else 1)
    _, status = os.waitpid(child, 0)
    return {-signal.SIGKILL: "killed", 0: "read"}.get(os.waitstatus_to_exitcode(status), "failed")


async def read_as_often_as_allowed(given: dict[str, Any]) -> int:
    """Read with 8 callers until the budget is used up; return how many reads got an answer."""
    reads = 0
    async with Database(given["database"]) as database, anyio.create_task_group() as tasks:
        budgets = SharedBudgets(database)
        tasks.start_soon(budgets.write_answers)
        async with MessageStoreClient(
            TokenAuth(given["token"]),
            server_url=given["server"],
            max_wait_s=1,
            assume_limits=True,
            budgets=budgets.of(given["person"]["id"]),
        ) as store:

            async def read() -> None:
                nonlocal reads
                while True:
                    try:
                        await store.list_messages()
                    except RateLimited:
                        return
                    reads += 1

            async with anyio.create_task_group() as callers:
                for _ in range(8):
                    callers.start_soon(read)
        await anyio.sleep(0.2)  # its last answers are written down
        tasks.cancel_scope.cancel()
    return reads


def main() -> None:
    """Do what the argument says."""
    given = json.loads(sys.argv[1])
    anyio.run(import_everything)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        done = in_a_fork(given, line) if given["do"] == "die" else str(anyio.run(read_as_often_as_allowed, given))
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
