"""One walk of the proof, in a process of its own. It prints a report as one line of JSON."""

import argparse
import json
import logging
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypedDict

import anyio

from rc_mcp.team.database import Database
from rc_mcp.team.people import tenants
from tests.team.proof.assembled import PUBLIC_URL, assembled
from tests.team.proof.entrance import Entrance
from tests.team.proof.practice import Practice, practice
from tests.team.proof.races import race
from tests.team.proof.steps import HONEST
from tests.team.proof.talk import InProcess, Said
from tests.team.proof.thefts import THIEVISH
from tests.team.proof.walk import LogReader, Walk


class Report(TypedDict):
    """What happened in a shard, how often, and what must not have."""

    happened: dict[str, int]
    errors: dict[str, int]
    wrongs: list[str]


@asynccontextmanager
async def walking(practice: Practice, database_url: str, replicas: int, seed: int) -> AsyncGenerator[Walk]:
    """Yield a walk over replicas in this process, which share a database."""
    async with AsyncExitStack() as stack:
        lines = [InProcess(await stack.enter_async_context(assembled(practice, database_url))) for _ in range(replicas)]
        ringcentral = InProcess(practice.app())
        turn = 0

        async def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Said:
            nonlocal turn
            turn += 1
            line = lines[turn % len(lines)] if url.startswith(PUBLIC_URL) else ringcentral
            return await line.ask(method, url, headers, body)

        entrance = Entrance(PUBLIC_URL, send)
        await entrance.register()
        yield Walk(practice, lines, entrance, seed, {**HONEST, **THIEVISH})


async def walked(steps: int, races: int, seed: int, users: int, replicas: int, database_url: str) -> Report:
    """Walk, race, and report."""
    with practice(users, seed, two_tenants=True) as practised:
        async with walking(practised, database_url, replicas, seed) as walk:
            reader = LogReader(walk)
            logging.getLogger().addHandler(reader)
            try:
                await walk.run(steps)
                walk.happened.update(await race(walk, races))
            finally:
                logging.getLogger().removeHandler(reader)
        walk.happened["tenants"] = await _tenants(database_url)
        return {"happened": dict(walk.happened), "errors": dict(walk.errors), "wrongs": practised.wrongs}


async def _tenants(database_url: str) -> int:
    async with Database(database_url) as database:
        return len(await tenants(database))


def main() -> None:
    """Walk as the arguments say."""
    options = argparse.ArgumentParser()
    for name in ("steps", "races", "seed", "users", "replicas"):
        options.add_argument(f"--{name}", type=int, required=True)
    options.add_argument("--database", required=True)
    given = options.parse_args()
    report = anyio.run(walked, given.steps, given.races, given.seed, given.users, given.replicas, given.database)
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
