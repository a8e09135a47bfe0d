"""Replicas that are processes: killed while they renew a login, and sharing a rate budget."""

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from anyio.abc import Process

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.login.sessions import Terms
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import Logins
from rc_mcp.team.people import admit
from tests.team.replica_process import LIST
from tests.team.test_logins import new_session

pytestmark = [pytest.mark.anyio, pytest.mark.process]

TERMS = Terms(3_600, 604_800)
KEY = "a key of the tests, which has 32 characters or more"


@dataclass
class ReplicaProcess:
    """A process of `replica_process.py`."""

    process: Process

    async def answer_to(self, line: str) -> str:
        assert self.process.stdin is not None
        await self.process.stdin.send(f"{line}\n".encode())
        return await self.line()

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.receive()).decode().strip()


@asynccontextmanager
async def replica(**given: Any) -> AsyncGenerator[ReplicaProcess]:
    script = Path(__file__).with_name("replica_process.py")
    async with await anyio.open_process([sys.executable, str(script), json.dumps(given)], stderr=None) as process:
        started = ReplicaProcess(process)
        assert await started.line() == "ready"
        yield started
        process.kill()


async def test_a_replica_killed_at_any_wait_of_a_renewal_logs_nobody_out(database: Database, database_url: str) -> None:
    with Emulator(scenario="empty", rate_limits=False) as emulator, anyio.fail_after(60):
        async with emulator.serve():
            person = await admit(database, emulator.server_url, emulator.account_id, emulator.extension_id)
            transport = httpx.ASGITransport(app=emulator.app)
            survivor = Logins(
                database, KeyRing([KEY]), emulator.server_url, emulator.client_id, "", transport=transport
            )
            ends: list[str] = []
            async with replica(
                do="die", database=database_url, keys=[KEY], server=emulator.server_url,
                client_id=emulator.client_id, person=asdict(person),
            ) as victim:  # fmt: skip
                while "read" not in ends:
                    tokens = new_session(emulator, person)
                    await survivor.keep(person, replace(tokens, good_until=tokens.issued_at - 1))
                    ends.append(await victim.answer_to(str(len(ends))))
                    auth = survivor.auth_for(person)
                    auth.allow(httpx.URL(emulator.server_url))
                    async with httpx.AsyncClient(auth=auth, transport=transport) as http:
                        assert (await http.get(emulator.server_url + LIST)).status_code == 200
                    # Once, though the one that was killed may have asked too: its tokens are those of the survivor.
                    renewed = emulator.sessions.refresh(tokens.refresh_token, TERMS)
                    assert renewed.replaced_refresh_token == tokens.refresh_token
    assert ends == ["killed"] * (len(ends) - 1) + ["read"]
    assert len(ends) > 10


async def test_two_processes_together_send_what_the_limit_allows(database_url: str) -> None:
    with Emulator(scenario="empty") as emulator, anyio.fail_after(60):
        async with emulator.serve():
            token = emulator.sessions.start(emulator.users[0], TERMS).access_token
            given = {
                "do": "read", "database": database_url, "server": emulator.server_url, "token": token,
                "person": {"id": "a person"},
            }  # fmt: skip
            reads: list[int] = []

            async def read(each: ReplicaProcess) -> None:
                reads.append(int(await each.answer_to("go")))

            async with replica(**given) as one, replica(**given) as other, anyio.create_task_group() as tasks:
                tasks.start_soon(read, one)
                tasks.start_soon(read, other)
    assert {request.status for request in emulator.requests} == {200}
    assert sum(reads) == len(emulator.requests) == 50
