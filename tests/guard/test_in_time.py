"""A delete begins only with enough time for its read-back; otherwise its plan stays usable."""

from collections.abc import Callable
from types import SimpleNamespace

import anyio
import httpx2 as httpx
import pytest
from mcp import Client

from rc_mcp.guard.refusals import NOTHING_DONE, Busy, NoTime
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.journal import Record
from tests.desk import YES, Desk, Era, call, refused

pytestmark = pytest.mark.anyio

TimePasses = Callable[[float], None]


@pytest.fixture
def time_passes(monkeypatch: pytest.MonkeyPatch) -> TimePasses:
    """Move the clock that counts the time of a call."""
    passed = [0.0]

    def pass_by(seconds: float) -> None:
        passed[0] += seconds

    clock = SimpleNamespace(**vars(anyio) | {"current_time": lambda: anyio.current_time() + passed[0]})
    monkeypatch.setattr("rc_mcp.ringcentral.transport.deadlines.anyio", clock)
    return pass_by


async def planned(client: Client, message_id: str) -> str:
    """Plan to delete this message in a client that cannot ask; return the plan's id."""
    return (await call(client, "delete_message", message_id=[message_id]))["plan_id"]


@pytest.mark.usefixtures("a_short_call")
async def test_a_plan_that_takes_too_long_to_read_is_given_up(desk: Desk, era: Era) -> None:
    desk.faults.hang("GET")
    async with desk.client(era, YES) as client:
        with anyio.fail_after(30):
            said = await refused(client, "delete_message", message_id=["1"])
    assert said.endswith(NOTHING_DONE)
    assert desk.sent("DELETE") == []


@pytest.mark.usefixtures("a_bearable_call")
async def test_a_delete_whose_answer_does_not_come_is_read_back_within_the_time(desk: Desk) -> None:
    message_id = desk.ids(type="SMS", availability="Alive")[0]
    async with desk.client() as client:
        plan_id = await planned(client, message_id)
        desk.faults.hang("DELETE", after=True)
        with anyio.fail_after(30):
            answer = await call(client, "delete_message", message_id=[message_id], plan_id=plan_id)
    assert answer["outcomes"] == {message_id: "deleted"}
    assert desk.availability(message_id) == "Deleted"
    assert len(desk.sent("DELETE")) == 1


@pytest.mark.usefixtures("a_bearable_call")
async def test_a_delete_is_not_begun_when_the_time_is_nearly_over(desk: Desk, time_passes: TimePasses) -> None:
    message_id = desk.ids(type="SMS", availability="Alive")[0]

    def dawdle(request: httpx.Request) -> None:
        if request.method == "GET":
            time_passes(2.8)

    async with desk.client() as client:
        plan_id = await planned(client, message_id)
        desk.faults.before(dawdle)
        with anyio.fail_after(30):
            answer = await call(client, "delete_message", message_id=[message_id], plan_id=plan_id)
    assert answer["status"] != "done"
    assert desk.sent("DELETE") == []
    assert desk.availability(message_id) == "Alive"


@pytest.mark.usefixtures("a_bearable_call")
async def test_the_users_thinking_time_is_not_counted(desk: Desk, time_passes: TimePasses) -> None:
    message_id = desk.ids(type="SMS", availability="Alive")[0]
    server = desk.server()

    async def think(context: object, params: object) -> object:
        time_passes(3600)
        return YES

    async with Client(server, mode="legacy", elicitation_callback=think) as client:  # pyright: ignore[reportArgumentType]
        answer = await call(client, "delete_message", message_id=[message_id])
    assert answer["outcomes"] == {message_id: "deleted"}


@pytest.mark.usefixtures("a_bearable_call")
async def test_a_call_that_waits_for_another_change_gives_up_in_time_and_keeps_the_plan(desk: Desk) -> None:
    message_id = desk.ids(type="SMS", availability="Alive")[0]
    async with desk.client() as client:
        plan_id = await planned(client, message_id)
        async with one_change_at_a_time(desk.state):
            with anyio.fail_after(30):
                said = await refused(client, "delete_message", message_id=[message_id], plan_id=plan_id)
        assert desk.journal.entries()[-1].details == {"reason": "busy"}
        again = await call(client, "delete_message", message_id=[message_id], plan_id=plan_id)
    assert said.endswith(str(Busy()))
    assert again["outcomes"] == {message_id: "deleted"}


@pytest.mark.usefixtures("a_bearable_call")
async def test_a_plan_is_not_claimed_when_the_time_is_nearly_over(desk: Desk, time_passes: TimePasses) -> None:
    message_id, earlier = desk.ids(type="SMS", availability="Alive")[:2]
    async with desk.client() as client:
        plan_id = await planned(client, message_id)
        async with desk.guard() as guard:
            record = Record(guard.journal, "cut2-shrt", guard.principal, "delete_message")
            await record.begun("~", "~", undoes="")
            await record.sending({earlier: desk.as_it_is(earlier)}, "Deleted")
        slow = [2.8]
        desk.faults.before(lambda _: time_passes(sum(slow)))  # while it settles that operation
        said = await refused(client, "delete_message", message_id=[message_id], plan_id=plan_id)
        assert said.endswith(str(NoTime()))
        assert desk.journal.entries()[-1].details == {"reason": "no_time"}
        slow.clear()
        again = await call(client, "delete_message", message_id=[message_id], plan_id=plan_id)
    assert again["outcomes"] == {message_id: "deleted"}
