"""Interrupted operations are settled by reading, never by sending again or guessing, and later if necessary."""

from datetime import timedelta

import anyio
import httpx2 as httpx
import pytest

from rc_mcp import time_limits
from rc_mcp.guard.guard import Guard
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.journal import Aim, Operation, Record
from rc_mcp.ringcentral import Forbidden, RingCentralError
from tests.desk import YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio

CUT_SHORT = "cut2-shrt"


async def begin(desk: Desk, guard: Guard, planned: list[str], sending: list[str], to: Aim = "Deleted") -> Record:
    """Journal the rows of a server that is killed after it sent its request for `sending`."""
    record = Record(guard.journal, CUT_SHORT, guard.principal, "delete_message")
    who = {"operation": CUT_SHORT, "principal": guard.principal, "tool": "delete_message"}
    guard.journal.append("asked", **who, details={"action": "delete", "severity": "reversible", "ids": planned})
    guard.journal.append("begun", **who, details={"account_id": "~", "extension_id": "~"})
    if sending:
        await record.sending({i: desk.as_it_is(i) for i in sending}, to)
    return record


def cut_short(desk: Desk) -> Operation:
    operation = desk.journal.operation(CUT_SHORT)
    assert operation is not None
    return operation


def some_deleted(desk: Desk) -> list[str]:
    return desk.ids(availability="Deleted")


async def test_deleted_messages_are_settled_at_once_and_the_others_once_no_request_can_arrive(desk: Desk) -> None:
    deleted, alive = some_deleted(desk)[0], desk.ids(availability="Alive")[:2]
    async with desk.guard() as guard:
        await begin(desk, guard, [deleted, *alive], [deleted, alive[0]])
        await guard.settle_interrupted_unless_busy()
        assert cut_short(desk).outcomes == {deleted: "deleted"}
        assert cut_short(desk).in_doubt == [alive[0]]
        assert cut_short(desk).done is None

        desk.clock.time += timedelta(seconds=61)
        await guard.settle_interrupted_unless_busy()
    done = {"status": "partial", "outcomes": {alive[1]: "skipped"}, "cut_short": True}
    assert cut_short(desk).outcomes == {deleted: "deleted", alive[0]: "failed", alive[1]: "skipped"}
    assert cut_short(desk).done == done
    assert desk.sent("DELETE") == []


async def test_a_server_settles_interrupted_operations_when_it_starts(desk: Desk, era: Era) -> None:
    async with desk.guard() as guard:
        await begin(desk, guard, some_deleted(desk)[:1], some_deleted(desk)[:1])
    async with desk.client(era):
        with anyio.fail_after(20):
            while cut_short(desk).done is None:  # noqa: ASYNC110  a row sends no event when it is written
                await anyio.sleep(0.01)
    assert (cut_short(desk).done or {})["status"] == "done"


async def test_settling_without_an_answer_does_not_block_changes_for_long(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "SETTLE_S", 0.5)
    monkeypatch.setattr(time_limits, "SETTLE_EVERY_S", 0.1)
    asked = anyio.Event()

    async def hang(_: httpx.Request) -> None:
        asked.set()
        await anyio.sleep_forever()

    async with desk.guard() as guard:
        await begin(desk, guard, some_deleted(desk)[:1], some_deleted(desk)[:1])
    desk.faults.hold(hang)
    async with desk.client():
        with anyio.fail_after(20):
            await asked.wait()
            async with one_change_at_a_time(desk.state):
                assert cut_short(desk).done is None


async def test_a_server_starts_although_an_operation_cannot_be_settled(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(request: httpx.Request) -> None:
        raise httpx.ConnectError("no way", request=request)

    async with desk.guard() as guard:
        await begin(desk, guard, some_deleted(desk)[:1], some_deleted(desk)[:1])
    desk.faults.before(unreachable)
    async with desk.client() as client:
        assert (await client.list_tools()).tools
    assert cut_short(desk).done is None
    assert "could not be settled" not in caplog.text


async def test_an_operation_that_sent_nothing_is_settled_without_a_request(desk: Desk) -> None:
    alive = desk.ids(availability="Alive")[:2]
    async with desk.guard() as guard:
        await begin(desk, guard, alive, [])
        await guard.settle_interrupted_unless_busy()
    assert cut_short(desk).outcomes == dict.fromkeys(alive, "skipped")
    assert desk.sent("GET") == []


async def test_an_operation_in_progress_in_another_server_is_not_settled(desk: Desk) -> None:
    async with desk.guard() as guard:
        await begin(desk, guard, some_deleted(desk)[:1], some_deleted(desk)[:1])
        async with one_change_at_a_time(desk.state):
            await guard.settle_interrupted_unless_busy()
        assert cut_short(desk).done is None
        await guard.settle_interrupted_unless_busy()
    assert cut_short(desk).done is not None


async def test_an_operation_of_another_login_is_not_settled(desk: Desk) -> None:
    async with desk.guard() as guard:
        await begin(desk, guard, some_deleted(desk)[:1], some_deleted(desk)[:1])
    async with desk.guard(RC_ACCESS_TOKEN="another-login") as guard:
        await guard.settle_interrupted_unless_busy()
    assert cut_short(desk).done is None


async def test_settling_creates_no_state_folder(desk: Desk) -> None:
    async with desk.guard() as guard:
        await guard.settle_interrupted_unless_busy()
    assert not desk.state_dir.exists()


async def test_an_operation_is_left_for_later_if_its_mailbox_cannot_be_read_now(desk: Desk) -> None:
    async with desk.guard() as guard:
        await begin(desk, guard, some_deleted(desk)[:2], some_deleted(desk)[:2])

        def one_is_busy(request: httpx.Request) -> httpx.Response | None:
            busy, read = some_deleted(desk)[:2]
            parts = [
                {"resourceId": busy, "status": 503, "body": {"errorCode": "CMN-201"}},
                {"resourceId": read, "status": 200, "body": {"id": int(read), "availability": "Deleted"}},
            ]
            return httpx.Response(207, json=parts, request=request) if broken and request.method == "GET" else None

        broken = True
        desk.faults.before(one_is_busy)
        with pytest.raises(RingCentralError):
            await guard.settle_interrupted_unless_busy()
        assert cut_short(desk).outcomes == {}
        broken = False
        await guard.settle_interrupted_unless_busy()
    assert cut_short(desk).outcomes == dict.fromkeys(some_deleted(desk)[:2], "deleted")


@pytest.mark.parametrize("to", ["Deleted", "Purged"])
async def test_a_message_that_does_not_exist_is_unknown(desk: Desk, to: Aim) -> None:
    async with desk.guard() as guard:
        await begin(desk, guard, ["1234567"], ["1234567"], to)
        desk.clock.time += timedelta(seconds=61)
        await guard.settle_interrupted_unless_busy()
    assert cut_short(desk).outcomes == {"1234567": "unknown"}
    assert (cut_short(desk).done or {})["status"] == "unknown"


async def test_outcomes_journaled_before_the_interruption_are_not_read_again(desk: Desk) -> None:
    deleted = some_deleted(desk)[:2]
    async with desk.guard() as guard:
        record = await begin(desk, guard, deleted, deleted)
        await record.sent(dict.fromkeys(deleted, "deleted"))
        await guard.settle_interrupted_unless_busy()
    assert cut_short(desk).outcomes == dict.fromkeys(deleted, "deleted")
    assert (cut_short(desk).done or {})["status"] == "done"
    assert desk.sent("GET") == []


async def test_an_interrupted_restore_is_settled_too(desk: Desk) -> None:
    deleted, alive = some_deleted(desk)[0], desk.ids(availability="Alive")[0]
    async with desk.guard() as guard:
        await begin(desk, guard, [], [deleted, alive], "Alive")
        desk.clock.time += timedelta(seconds=61)
        await guard.settle_interrupted_unless_busy()
    assert cut_short(desk).outcomes == {deleted: "failed", alive: "restored"}


async def test_an_interrupted_retention_change_is_settled_by_the_period_in_force(desk: Desk) -> None:
    async with desk.guard() as guard:
        in_force = (await guard.client.read_message_store_configuration()).retention_period
        record = await begin(desk, guard, [], [])
        await record.sending_retention(in_force or 0, before=30)
        await guard.settle_interrupted_unless_busy()
    assert (cut_short(desk).done or {})["status"] == "done"


async def test_a_retention_change_that_is_not_in_force_failed_once_it_can_no_longer_arrive(desk: Desk) -> None:
    async with desk.guard() as guard:
        record = await begin(desk, guard, [], [])
        in_force = (await guard.client.read_message_store_configuration()).retention_period
        await record.sending_retention(7, before=in_force)
        await guard.settle_interrupted_unless_busy()
        assert cut_short(desk).done is None
        desk.clock.time += timedelta(seconds=61)
        await guard.settle_interrupted_unless_busy()
    assert (cut_short(desk).done or {})["status"] == "failed"


async def test_a_client_that_goes_away_during_a_delete_leaves_nothing_unsettled(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]
    out = anyio.Event()

    async def hang(request: httpx.Request) -> None:
        if request.method == "DELETE":
            out.set()
            await anyio.sleep_forever()

    desk.faults.hold(hang)
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=targets))["plan_id"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.call_tool("delete_message", {"message_id": targets, "plan_id": plan}))
            await out.wait()
            tasks.cancel_scope.cancel()
    operation = desk.journal.operation(plan)
    assert operation is not None
    assert operation.in_doubt == targets
    async with desk.guard() as guard:
        desk.clock.time += timedelta(seconds=61)
        await guard.settle_interrupted_unless_busy()
    settled = desk.journal.operation(plan)
    assert settled is not None
    assert settled.outcomes == dict.fromkeys(targets, "failed")


@pytest.mark.parametrize("arrives", [True, False], ids=["it arrived", "it did not arrive"])
async def test_a_canceled_call_is_settled_while_the_server_runs(
    arrives: bool, desk: Desk, era: Era, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "SETTLE_EVERY_S", 3600 if arrives else 0.01)
    target = desk.ids(availability="Alive")[0]
    out = anyio.Event()

    async def carry_out_and_hang(request: httpx.Request) -> None:
        if request.method == "DELETE":
            if arrives:
                await httpx.ASGITransport(app=desk.emulator.app).handle_async_request(request)
            out.set()
            await anyio.sleep_forever()

    desk.faults.hold(carry_out_and_hang)
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.call_tool("delete_message", {"message_id": [target], "plan_id": plan}))
            await out.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(20):
            if not arrives:
                looked = len(desk.sent("GET"))
                while len(desk.sent("GET")) < looked + 3:  # noqa: ASYNC110  a row sends no event
                    await anyio.sleep(0.01)
                operation = desk.journal.operation(plan)
                assert operation is not None
                assert operation.in_doubt == [target]
                desk.clock.time += timedelta(seconds=61)
            while (operation := desk.journal.operation(plan)) is None or operation.done is None:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    assert operation.outcomes == {target: "deleted" if arrives else "failed"}


async def test_a_message_whose_delete_may_still_arrive_is_not_deleted_again(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.guard() as guard:
        await begin(desk, guard, [target], [target])
    async with desk.client(era, answer=YES) as client:
        said = await refused(client, "delete_message", message_id=[target])
        assert "60 seconds" in said
        assert said.endswith(NOTHING_DONE)
        assert desk.sent("DELETE") == []

        desk.clock.time += timedelta(seconds=61)
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["outcomes"] == {target: "deleted"}
    assert cut_short(desk).outcomes == {target: "failed"}


async def test_an_unreadable_mailbox_does_not_block_the_next_operation(desk: Desk) -> None:
    deleted = some_deleted(desk)[0]

    def forbidden(request: httpx.Request) -> httpx.Response | None:
        if "extension/12345/" not in request.url.path:
            return None
        return httpx.Response(403, json={"errorCode": "CMN-419", "message": "no"}, request=request)

    desk.faults.before(forbidden)
    async with desk.guard() as guard:
        who = {"operation": "frst-cuts", "principal": guard.principal, "tool": "delete_message"}
        guard.journal.append("asked", **who, details={"action": "delete", "severity": "reversible", "ids": ["5"]})
        guard.journal.append("begun", **who, details={"account_id": "~", "extension_id": "12345"})
        await Record(guard.journal, "frst-cuts", guard.principal, "delete_message").sending(
            {"5": ("Alive", None)}, "Deleted"
        )
        await begin(desk, guard, [deleted], [deleted])
        with pytest.raises(Forbidden):
            await guard.settle_interrupted_unless_busy()
    assert (cut_short(desk).done or {})["status"] == "done"
    first = desk.journal.operation("frst-cuts")
    assert first is not None
    assert first.done is None


async def test_a_change_continues_although_an_older_one_cannot_be_settled(desk: Desk) -> None:
    old, new = some_deleted(desk)[0], desk.ids(availability="Alive")[0]

    def old_is_lost(request: httpx.Request) -> None:
        if request.method == "GET" and request.url.path.endswith(old):
            raise httpx.ReadError("gone", request=request)

    desk.faults.before(old_is_lost)
    async with desk.guard() as guard:
        await begin(desk, guard, [old], [old])
    async with desk.client(answer=typed("PURGE 1")) as client:
        answer = await call(client, "delete_message", message_id=[new], purge=True)
    assert answer["outcomes"] == {new: "purged"}
    assert cut_short(desk).done is None
