"""Races: a plan is made on one replica, and several others are told at the same moment to carry it out.

A second DELETE of a message purges it, so the mailbox itself says whether a plan was carried out once.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

import anyio

from tests.team.proof.entrance import NotLetIn
from tests.team.proof.practice import Member
from tests.team.proof.steps import approved, plan_of
from tests.team.proof.talk import MODERN
from tests.team.proof.walk import FORM, IN_APP, NO_FORM, Plan, Turn, Walk, structured

AT_ONCE = 4
SECONDS_A_ROUND = 8.0
WAYS: Mapping[str, Mapping[str, Any]] = {"chat": NO_FORM, "question": FORM, "app": IN_APP}


async def race(walk: Walk, tries: int) -> Counter[str]:
    """Make that many plans, and let all replicas carry out each at once. Return how the calls ended."""
    ended: Counter[str] = Counter()
    members, taken = walk.practice.members, 0
    while taken < tries and not walk.practice.wrongs:
        walk.practice.clock.time += timedelta(seconds=SECONDS_A_ROUND)
        async with anyio.create_task_group() as tasks:
            for at in range(taken, min(tries, taken + AT_ONCE)):
                tasks.start_soon(_one, walk, members[at % len(members)], at, ended)
        taken += AT_ONCE
    return ended


async def _one(walk: Walk, member: Member, at: int, ended: Counter[str]) -> None:
    """Plan on one replica, and approve on all of them."""
    turn = Turn(walk, member, Random(f"{walk.seed}/race {at}"), [])  # noqa: S311  not secrets
    way = list(WAYS)[at % len(WAYS)]
    try:
        if member.access is None:
            await walk.entrance.let_in(member)
    except NotLetIn:
        ended["not let in"] += 1
        return
    message_id = member.receives("SMS")
    arguments = {"message_id": [message_id]}
    covers = {("message", message_id)}
    planned = await turn.call("delete_message", arguments, WAYS[way])
    plan = plan_of(turn, planned, "delete_message", arguments, covers)
    if plan is None:
        walk.wrong(f"no plan was made in the {way}: {planned}")
        return
    member.agreed[plan.id] = covers
    results: list[str] = []
    async with anyio.create_task_group() as tasks:
        for number in range(len(walk.lines) + 1):
            in_chat = way == "app" and number == 0  # the model may not wait for the page
            tasks.start_soon(_carry_out, turn, plan, in_chat, results)
    del member.agreed[plan.id]
    ended.update(f"race in the {way}: {result}" for result in results)
    after = (member.mailbox.message(message_id) or {}).get("availability")
    if after != "Deleted":
        walk.wrong(f"a plan raced in the {way} left the message {after}: {results}")


async def _carry_out(turn: Turn, plan: Plan, in_chat: bool, results: list[str]) -> None:
    if in_chat:
        call = {"name": plan.tool, "arguments": {**plan.arguments, "plan_id": plan.id}}
        result = await turn.mcp("tools/call", call, capabilities=IN_APP, version=MODERN)
    else:
        result = await approved(turn, plan)
    decided: dict[str, Any] = structured(result).get("result") or {}
    results.append(str(decided.get("status") or turn.status(result)))
