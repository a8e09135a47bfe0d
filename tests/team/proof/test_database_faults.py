"""What users meet when the team's PostgreSQL is away, slow, full or read-only, or keys and clocks differ.

Reads answer or say why, deletes refuse, nobody gets what is another's, and service resumes by itself.
"""

import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from rc_mcp import time_limits
from tests.team.proof.assembled import KEYS, assembled
from tests.team.proof.entrance import Entrance
from tests.team.proof.faulty_postgres import FaultyPostgres, faulty_postgres
from tests.team.proof.practice import Practice, practice
from tests.team.proof.shard import walking
from tests.team.proof.steps import plan_of
from tests.team.proof.talk import InProcess
from tests.team.proof.walk import FORM, NO_FORM, Plan, Turn, Walk

pytestmark = [pytest.mark.anyio, pytest.mark.process]

ENDS_WITHIN_S = 60.0
"""A busy machine takes its time. `make prove-team` prints how long it was."""
Fault = Callable[[FaultyPostgres, str], AbstractContextManager[None]]

FAULTS: dict[str, Fault] = {
    "held-still": lambda postgres, _: postgres.held_still(),
    "down": lambda postgres, _: postgres.down(),
    "read-only": lambda postgres, _: postgres.read_only(),
    "slow": lambda postgres, account: postgres.slow(account),
    "full": lambda postgres, account: postgres.full(account),
}
SLOW_ONES = {"held-still", "slow"}
"""They take as long as we wait for the database, several times: `make prove-team` has them."""


@pytest.fixture(autouse=True)
def waits_as_long_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tests of a team give the database half a minute; these are about the two seconds."""
    monkeypatch.setattr(time_limits, "DATABASE_S", 2.0)


@pytest.fixture(scope="module")
def faulty() -> Generator[FaultyPostgres]:
    with faulty_postgres() as postgres:
        yield postgres


@asynccontextmanager
async def team(faulty: FaultyPostgres) -> AsyncGenerator[tuple[Practice, Walk]]:
    """Yield a practice of two, who are logged in, and a walk over two replicas."""
    with practice(2, 1) as practised:
        async with walking(practised, faulty.url, 2, seed=1) as walk:
            for member in practised.members:
                await walk.entrance.let_in(member)
            yield practised, walk
            assert practised.wrongs == []


async def planned(turn: Turn) -> Plan:
    """Return a plan for a message that just came, which the user will agree to."""
    message_id = turn.member.receives("SMS")
    arguments, covers = {"message_id": [message_id]}, {("message", message_id)}
    result = await turn.call("delete_message", arguments, NO_FORM)
    plan = plan_of(turn, result, "delete_message", arguments, covers)
    assert plan, result
    turn.member.agreed[plan.id] = covers
    return plan


def turn_of(walk: Walk, number: int) -> Turn:
    return Turn(walk, walk.practice.members[number], Random(1), [])  # noqa: S311  not secrets


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=pytest.mark.long) if fault in SLOW_ONES else fault for fault in FAULTS]
)
async def test_while_the_database_cannot_be_used_reads_say_why_and_deletes_refuse(
    faulty: FaultyPostgres, fault: str
) -> None:
    async with team(faulty) as (practised, walk):
        turn = turn_of(walk, 0)
        plan = await planned(turn)
        before = practised.deletes
        with FAULTS[fault](faulty, practised.emulator.account_id):
            for _ in walk.lines:
                began = time.monotonic()
                with anyio.fail_after(ENDS_WITHIN_S):
                    listed = await ask(turn, "list_messages", {"date_from": "2w"})
                    read = time.monotonic()
                    refused = await ask(turn, plan.tool, {**plan.arguments, "plan_id": plan.id})
                refused_s = time.monotonic() - read

                assert answered(listed) or says_why(listed), listed
                assert says_why(refused), refused
                print(f"{fault}: a read {read - began:.2f} s, a delete was refused after {refused_s:.2f} s")  # noqa: T201
        assert practised.deletes == before, "something was deleted"
        with anyio.fail_after(ENDS_WITHIN_S):
            while not await works(turn):  # noqa: ASYNC110
                await anyio.sleep(0.1)  # a connection has no event


async def works(turn: Turn) -> bool:
    """Whether a new plan is made and carried out."""
    message_id = turn.member.receives("SMS")
    arguments, covers = {"message_id": [message_id]}, {("message", message_id)}
    plan = plan_of(turn, await ask(turn, "delete_message", arguments), "delete_message", arguments, covers)
    if plan is None:
        return False
    turn.member.agreed[plan.id] = covers
    return turn.status(await ask(turn, "delete_message", {**arguments, "plan_id": plan.id})) == "done"


async def ask(turn: Turn, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool once; an answer of HTTP without MCP counts as an error with its sentence."""
    said = await turn.sent("tools/call", {"name": tool, "arguments": arguments}, NO_FORM, turn.member.access)
    answer = said.json()
    return answer.get("result") or {"error": answer.get("error"), "status": said.status, "said": said.body.decode()}


def answered(result: dict[str, Any]) -> bool:
    return "structuredContent" in result and not result.get("isError")


def says_why(result: dict[str, Any]) -> bool:
    """Whether an answer refuses, and names the database, without an address or a name of a table."""
    said = str(result)
    assert not any(word in said for word in ("Traceback", "psycopg", "postgresql://", "relation", "rc_mcp_")), said
    return "database" in said and ("done" not in str(result.get("structuredContent", {}).get("status")))


async def test_a_replica_without_the_key_opens_nothing_and_says_so(faulty: FaultyPostgres) -> None:
    async with team(faulty) as (practised, walk):
        turn = turn_of(walk, 0)
        plan = await planned(turn)
        other = "another-key-of-the-proof-of-32-characters-or-more"
        async with assembled(practised, faulty.url, RC_MCP_SECRET_KEYS=other) as app:
            walk.lines = [InProcess(app)]
            listed = await ask(turn, "list_messages", {"date_from": "2w"})
            refused = await ask(turn, plan.tool, {**plan.arguments, "plan_id": plan.id})

            assert "log in again" in str(listed).lower(), listed
            assert "with a key that this server does not have" in str(refused), refused
            assert practised.deletes == 0
        both = f"{other},{KEYS}"
        async with assembled(practised, faulty.url, RC_MCP_SECRET_KEYS=both) as app:
            walk.lines = [InProcess(app)]
            assert answered(await ask(turn, "list_messages", {"date_from": "2w"}))
            assert await works(turn)


async def test_what_an_old_key_sealed_for_a_client_is_refused_without_it(faulty: FaultyPostgres) -> None:
    async with team(faulty) as (practised, walk):
        turn = turn_of(walk, 0)
        message_id = turn.member.receives("SMS")
        arguments = {"message_id": [message_id]}
        asked = await turn.call("delete_message", arguments, FORM)
        plan = plan_of(turn, asked, "delete_message", arguments, set())
        assert plan
        assert plan.state
        async with assembled(
            practised, faulty.url, RC_MCP_SECRET_KEYS="another-key-of-the-proof-of-32-characters-or-more"
        ) as app:
            walk.lines = [InProcess(app)]
            entrance: Entrance = walk.entrance
            assert entrance
            extra = {
                "requestState": plan.state,
                "inputResponses": {plan.question: {"action": "accept", "content": {"confirm": True}}},
            }
            result = await turn.call("delete_message", arguments, FORM, extra)
            assert turn.status(result) == "error", result
        assert practised.deletes == 0
