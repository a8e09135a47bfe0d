"""The walk in small, and whether it would find what it looks for. `make prove-team` takes 200,000 steps."""

from collections.abc import Mapping
from random import Random

import pytest

from tests.team.proof.practice import practice
from tests.team.proof.races import race
from tests.team.proof.shard import walked, walking
from tests.team.proof.talk import InProcess, Said
from tests.team.proof.walk import NO_FORM, Turn

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_users_of_two_replicas_are_kept_apart(database_url: str) -> None:
    report = await walked(steps=250, races=0, seed=1, users=10, replicas=2, database_url=database_url)

    assert report["wrongs"] == []
    assert report["happened"]["tenants"] == 2
    assert sum(number for what, number in report["happened"].items() if what.startswith("theft")) > 20


async def test_a_plan_that_three_replicas_carry_out_at_once_is_carried_out_once(database_url: str) -> None:
    with practice(6, 1) as practised:
        async with walking(practised, database_url, 3, seed=1) as walk:
            ended = await race(walk, 24)

        assert practised.wrongs == []
        assert practised.deletes == 24
        assert sum(number for what, number in ended.items() if what.endswith(": done")) == 24


class MixedUp:
    """A replica that takes one user for another."""

    def __init__(self, line: InProcess, tokens: Mapping[str, str]) -> None:
        self._line = line
        self._tokens = tokens

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Said:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        other = {**headers, "authorization": f"Bearer {self._tokens.get(token, token)}"}
        return await self._line.ask(method, url, other, body)


async def test_the_walk_notices_a_replica_that_takes_one_user_for_another(database_url: str) -> None:
    with practice(3, 1) as practised:
        async with walking(practised, database_url, 1, seed=1) as walk:
            one, other, _ = practised.members
            for member in (one, other):
                await walk.entrance.let_in(member)
            line = walk.lines[0]
            assert isinstance(line, InProcess)
            walk.lines = [MixedUp(line, {one.access or "": other.access or ""})]  # type: ignore[list-item]

            await Turn(walk, one, Random(1), []).call("list_messages", {"date_from": "2w"}, NO_FORM)  # noqa: S311

        assert practised.wrongs


async def test_the_walk_notices_a_delete_that_nobody_approved(database_url: str) -> None:
    with practice(3, 1) as practised:
        async with walking(practised, database_url, 1, seed=1) as walk:
            turn = Turn(walk, practised.members[0], Random(1), [])  # noqa: S311
            arguments = {"message_id": turn.own()}
            planned = await turn.call("delete_message", arguments)
            again = {**arguments, "plan_id": planned["structuredContent"]["plan_id"]}

            await turn.call("delete_message", again)  # its user did not say that they agree

        assert practised.wrongs
