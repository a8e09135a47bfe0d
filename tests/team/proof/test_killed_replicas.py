"""A replica is killed (kill -9) at moments of a delete; another one takes over.

Afterwards the journal in PostgreSQL and the mailbox agree on every message. `make prove-team` kills at 200 moments, CI
at a few. The moments are chosen by RingCentral's request: before it acts, after it acted, and after it answered.
"""

from collections import Counter
from functools import cache, partial
from random import Random
from typing import Any

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.guard.reconcile import reconcile
from rc_mcp.guard.state.journal import Journal, Operation
from rc_mcp.guard.state.store import THIS_MACHINE, MonotonicClock, in_thread
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient
from rc_mcp.team.people import principal_of
from rc_mcp.team.tenant_state import GuardDatabase
from tests.team.proof.practice import Member, Practice, practice
from tests.team.proof.processes import ReplicaProcess, Replicas, replicas
from tests.team.proof.talk import request
from tests.team.proof.traps import MOMENTS, Trap
from tests.team.proof.walk import NO_FORM

pytestmark = [pytest.mark.anyio, pytest.mark.process]

MEMBERS = 8
MESSAGES = 110
"""Three DELETEs."""
REQUESTS = 14
"""Of a delete, from its approval to its answer: some more than there are, so that it is also killed after it."""
_TRUE = {"deleted": "Deleted", "failed": "Alive", "skipped": "Alive"}


@pytest.mark.parametrize("kills", [2, pytest.param(200, marks=pytest.mark.long)])
async def test_after_kill_9_the_journal_and_the_mailbox_agree_on_every_message(database_url: str, kills: int) -> None:
    chance, hit = Random(20261130), Counter[str]()  # noqa: S311  moments, not secrets
    with GuardDatabase(database_url) as states, practice(MEMBERS, 1, messages=0, real_time=True) as practised:
        for member in practised.members:
            for _ in range(MESSAGES):
                member.receives("SMS")
        trap = Trap()
        practised.before = trap.before
        async with replicas(practised, database_url, 2) as running:
            await running.let_in(MEMBERS)
            for number in range(kills):
                member = practised.members[number % MEMBERS]
                victim, other = running.running[-2:]
                at = 1 + (number // len(MOMENTS)) % REQUESTS if kills > REQUESTS else 5 + 3 * number
                moment = MOMENTS[number % len(MOMENTS)]
                journal = _journal(states, practised)
                plan_id = await _planned(running, victim, member)
                pause_s = chance.choice((0.0, 0.0, 0.003, 0.01, 0.03))

                killed = anyio.Event()

                trap.set(at, moment, partial(_kill, victim, pause_s, killed))
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_carry_out, running, victim, member, plan_id, killed)
                trap.spring = None
                if not killed.is_set():
                    await victim.kill()
                await anyio.sleep(0.05)  # a request of the dead may still arrive
                await _call(running, other, member, "read_message_store_configuration", {})
                operation = await _settled(journal, practised, member, plan_id)
                _agree(operation, member)
                hit[_what_was_hit(operation, moment)] += 1
                await _call(
                    running, other, member, "patch_message", {"message_id": _ids(member), "availability": "Alive"}
                )
                member.agreed.clear()
                await running.start()
            assert practised.wrongs == []
            assert not [m for m in practised.members if m.ids("Purged")]
            assert (await in_thread(_journal(states, practised).verify)).faults == ()
    print(f"\nkilled {hit.total()} times:", *(f"\n  {n:3} {what}" for what, n in sorted(hit.items())))  # noqa: T201


async def _kill(replica: ReplicaProcess, pause_s: float, killed: anyio.Event) -> None:
    await anyio.sleep(pause_s)  # until its journal is written, or nearly
    await replica.kill()
    killed.set()


def _ids(member: Member) -> list[str]:
    return sorted(member.ids("Alive", "Deleted"))[:MESSAGES]


def _journal(states: GuardDatabase, practised: Practice) -> Journal:
    later = MonotonicClock(THIS_MACHINE.name, lambda: THIS_MACHINE.seconds() + 60)
    return Journal(states.of(practised.emulator.account_id), clock=later)


async def _call(
    running: Replicas, replica: ReplicaProcess, member: Member, tool: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    headers, body = request("tools/call", params, token=member.access, capabilities=NO_FORM)
    said = await replica.line.ask("POST", f"{running.entrance.public_url}/mcp", headers, body)
    assert said.status == 200, said
    assert practice_is_quiet(running.practice, member, said.everything())
    return said.json()["result"]


def practice_is_quiet(practised: Practice, member: Member, said: bytes) -> bool:
    """Whether no canary of anybody else is in what was said."""
    return practised.canaries.others(said, member.number) == []


async def _planned(running: Replicas, replica: ReplicaProcess, member: Member) -> str:
    result = await _call(running, replica, member, "delete_message", {"message_id": _ids(member)})
    assert result["structuredContent"]["status"] == "confirmation_required", result
    plan_id = result["structuredContent"]["plan_id"]
    member.agreed[plan_id] = {("message", i) for i in _ids(member)}
    return plan_id


async def _carry_out(
    running: Replicas, replica: ReplicaProcess, member: Member, plan_id: str, killed: anyio.Event
) -> None:
    try:
        await _call(running, replica, member, "delete_message", {"message_id": _ids(member), "plan_id": plan_id})
    except httpx.TransportError:
        with anyio.fail_after(60):
            await killed.wait()  # else it failed by itself


async def _settled(journal: Journal, practised: Practice, member: Member, plan_id: str) -> Operation | None:
    """Return the operation a minute later, when no request can still arrive."""
    emulator = practised.emulator
    user = next(user for user in emulator.users if user.extension_id == member.extension_id)
    operation = await in_thread(journal.operation, plan_id)
    if operation is None or operation.begun is None or operation.done is not None:
        return operation
    auth = _login(emulator.server_url, emulator.client_id, emulator.client_secret, user.jwt)
    async with MessageStoreClient(auth, server_url=emulator.server_url, media_url=emulator.media_url) as client:
        principal = principal_of(emulator.server_url, emulator.account_id, member.extension_id)
        await reconcile(journal, client, principal)
    return await in_thread(journal.operation, plan_id)


@cache
def _login(*credentials: str) -> JWTAuth:
    """Return one login for each user: RingCentral ends the oldest of six sessions, which would be the replicas'."""
    server_url, client_id, client_secret, jwt = credentials
    return JWTAuth(server_url, client_id, client_secret, jwt)


def _agree(operation: Operation | None, member: Member) -> None:
    """Check that the journal and the mailbox agree on each message."""
    store = {str(m["id"]): m["availability"] for m in member.mailbox.messages()}
    gone = {i for i, state in store.items() if state != "Alive"}
    if operation is None or operation.begun is None:
        assert gone == set()
        return
    assert operation.done is not None
    for message_id, word in operation.outcomes.items():
        assert _TRUE[word] == store[message_id], (message_id, word, store[message_id])
    assert gone == {i for i, word in operation.outcomes.items() if word == "deleted"}


def _what_was_hit(operation: Operation | None, moment: str) -> str:
    if operation is None or operation.begun is None:
        return f"{moment}: before it was begun"
    deleted = sum(word == "deleted" for word in operation.outcomes.values())
    return f"{moment}: {deleted} of {len(operation.outcomes)} deleted"
