"""One STOP holds on all replicas: at most the request that is out still arrives."""

import time
from collections.abc import Callable
from random import Random

import anyio
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from rc_mcp.guard.state.store import in_thread
from rc_mcp.team.tenant_state import GuardDatabase
from tests.team.proof.practice import Practice, practice
from tests.team.proof.shard import walking
from tests.team.proof.steps import plan_of
from tests.team.proof.walk import Turn, Walk

pytestmark = [pytest.mark.anyio, pytest.mark.process]

MESSAGES = 200
"""Four DELETEs."""


async def test_after_a_stop_no_replica_sends_another_delete(database_url: str) -> None:
    _, deletes = await stopped(database_url, answers_after_stop=True)

    assert deletes == 1  # the one that was on its way


async def stopped(database_url: str, *, answers_after_stop: bool = False) -> tuple[float, int]:
    """Stop two deletes, one on each replica; return when the last DELETE was sent after that, and how many were.

    `answers_after_stop`: RingCentral answers no DELETE before that.
    """
    with practice(2, 1, messages=0) as practised, GuardDatabase(database_url) as states:
        sent_at: list[float] = []
        begun, is_stopped, at = anyio.Event(), anyio.Event(), 0.0
        practised.before = _noting(sent_at, begun, is_stopped if answers_after_stop else None)
        for member in practised.members:
            for _ in range(MESSAGES):
                member.receives("SMS")
        async with walking(practised, database_url, 2, seed=1) as walk:
            turns = [Turn(walk, member, Random(1), []) for member in practised.members]  # noqa: S311  not secrets
            async with anyio.create_task_group() as tasks:
                for turn in turns:
                    tasks.start_soon(_delete_everything, walk, turn, practised)
                with anyio.fail_after(60):
                    await begun.wait()
                await in_thread(states.of(practised.emulator.account_id).stop)
                at = time.monotonic()
                is_stopped.set()
        assert practised.wrongs == []
        return max([*sent_at, at]) - at, len(sent_at)


def _noting(
    sent_at: list[float], begun: anyio.Event, answers_after: anyio.Event | None
) -> Callable[[ASGIApp], ASGIApp]:
    def watch(app: ASGIApp) -> ASGIApp:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] == "DELETE":
                sent_at.append(time.monotonic())
                begun.set()
                if answers_after:
                    await answers_after.wait()
                else:
                    await anyio.sleep(0.2)  # RingCentral takes its time, so that a delete takes a second
            await app(scope, receive, send)

        return slow

    return watch


async def _delete_everything(walk: Walk, turn: Turn, practised: Practice) -> None:
    ids = turn.member.ids("Alive")
    arguments, covers = {"message_id": ids}, {("message", i) for i in ids}
    plan = plan_of(turn, await turn.call("delete_message", arguments), "delete_message", arguments, covers)
    assert plan, practised.wrongs
    turn.member.agreed[plan.id] = covers
    result = await turn.call("delete_message", {**arguments, "plan_id": plan.id})
    walk.happened[turn.status(result)] += 1
