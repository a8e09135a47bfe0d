"""While an unanswered request may still arrive, its messages are reported as unknown."""

import re
from datetime import timedelta

import httpx2 as httpx
import pytest

from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.restore import NOTHING_RESTORED, undo
from rc_mcp.views.changes import MAY_ARRIVE
from tests.desk import YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio

MINUTE = timedelta(seconds=61)


async def test_undo_reports_unknown_for_a_message_whose_delete_may_still_arrive(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    on_its_way = desk.faults.keep_back("DELETE")
    async with desk.client(era, YES) as client:
        operation = (await call(client, "delete_message", message_id=[target]))["operation_id"]
    async with desk.guard() as guard:
        early = await undo(guard, operation)
        assert (early.status, early.outcomes) == ("unknown", {target: "unknown"})
        assert MAY_ARRIVE in early.said
        assert NOTHING_RESTORED in early.said
        await desk.faults.arrives(on_its_way[0])
        late = await undo(guard, operation)
    assert (late.status, late.outcomes) == ("done", {target: "restored"})
    assert desk.availability(target) == "Alive"


async def test_undo_has_nothing_to_restore_once_no_request_can_arrive(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    desk.faults.keep_back("DELETE")
    async with desk.client(answer=YES) as client:
        operation = (await call(client, "delete_message", message_id=[target]))["operation_id"]
    desk.clock.time += MINUTE
    async with desk.guard() as guard:
        with pytest.raises(GuardError, match=f"{operation}.* {NOTHING_RESTORED}"):
            await undo(guard, operation)


async def test_a_message_restored_by_undo_is_unknown_while_another_delete_may_arrive(desk: Desk) -> None:
    first, second = desk.ids(availability="Alive")[:2]
    async with desk.client(answer=YES) as client:
        operation = (await call(client, "delete_message", message_id=[first, second]))["operation_id"]
        await call(client, "patch_message", message_id=[first], availability="Alive")
        desk.faults.keep_back("DELETE")
        await call(client, "delete_message", message_id=[first])
    async with desk.guard() as guard:
        undone = await undo(guard, operation)
    assert undone.outcomes == {first: "unknown", second: "restored"}
    assert undone.status == "unknown"


async def test_a_restore_is_unknown_while_a_delete_may_still_arrive(desk: Desk, era: Era) -> None:
    target, other = desk.ids(availability="Alive")[0], desk.ids(availability="Deleted")[0]
    on_its_way = desk.faults.keep_back("DELETE")
    async with desk.client(era, YES) as client:
        await call(client, "delete_message", message_id=[target])
        early = await call(client, "patch_message", message_id=[target, other], availability="Alive")
        assert early["outcomes"] == {target: "unknown", other: "restored"}
        assert early["status"] == "unknown"
        assert MAY_ARRIVE in early["said"]
        await desk.faults.arrives(on_its_way[0])
        desk.clock.time += MINUTE
        late = await call(client, "patch_message", message_id=[target, other], availability="Alive")
    assert late["outcomes"] == {target: "restored", other: "already"}


async def test_a_restore_continues_without_the_state_folder_and_is_unknown(desk: Desk) -> None:
    deleted = desk.ids(availability="Deleted")[0]
    desk.state_dir.mkdir(parents=True)
    (desk.state_dir / "guard.db").write_bytes(b"spoiled" * 1000)
    async with desk.client() as client:
        answer = await call(client, "patch_message", message_id=[deleted], availability="Alive")
    assert answer["outcomes"] == {deleted: "unknown"}
    assert desk.availability(deleted) == "Alive"


async def test_a_restore_continues_although_an_interrupted_operation_cannot_be_settled(desk: Desk) -> None:
    target, deleted = desk.ids(availability="Alive")[0], desk.ids(availability="Deleted")[0]
    desk.faults.keep_back("DELETE")
    async with desk.client(answer=YES) as client:
        await call(client, "delete_message", message_id=[target])

        def lost(request: httpx.Request) -> None:
            if request.method == "GET" and request.url.path.endswith(f"/{target}"):
                raise httpx.ReadError("gone", request=request)

        desk.faults.before(lost)
        answer = await call(client, "patch_message", message_id=[deleted], availability="Alive")
    assert answer["outcomes"] == {deleted: "restored"}


async def test_marking_as_read_does_not_use_the_journal(desk: Desk) -> None:
    unread = desk.ids(availability="Alive", readStatus="Unread")[0]
    async with desk.client() as client:
        answer = await call(client, "patch_message", message_id=[unread], read_status="Read")
    assert answer["outcomes"] == {unread: "updated"}
    assert not desk.state_dir.exists()


async def test_a_second_retention_period_waits_for_the_first_that_may_still_arrive(desk: Desk, era: Era) -> None:
    tool = "update_message_store_configuration"
    async with desk.client(era, YES) as client:
        await call(client, tool, retention_period=90)
    on_its_way = desk.faults.keep_back("PUT")
    async with desk.client(era, typed("KEEP 20 DAYS")) as client:
        assert (await call(client, tool, retention_period=20))["status"] == "unknown"
    async with desk.client(era, typed("KEEP 60 DAYS")) as client:
        assert "60 seconds" in await refused(client, tool, retention_period=60)
        assert len(desk.sent("PUT")) == 1
        await desk.faults.arrives(on_its_way[0])
        desk.clock.time += MINUTE
        asked = await call(client, tool, retention_period=60)
    assert re.findall(r"\d+", asked["preview"]["action"]) == ["20", "60"]


async def test_a_message_restored_by_another_app_counts_as_deleted_although_it_is_alive(desk: Desk, era: Era) -> None:
    target, next_one = desk.ids(availability="Alive", type="SMS")[:2]
    policy = desk.folder / "policy.toml"
    policy.write_text("[limits]\nmax_per_day = 1\n")

    def deleted_and_restored(request: httpx.Request) -> None:
        if request.method == "DELETE":
            desk.clock.time += timedelta(seconds=2)
            message = desk.emulator.store.find(int(target))
            assert message is not None
            desk.emulator.store.move(message, "Alive")
            raise httpx.ReadError("connection dropped", request=request)

    desk.faults.after(deleted_and_restored)
    async with desk.client(era, YES, RC_MCP_POLICY=str(policy)) as client:
        first = await call(client, "delete_message", message_id=[target])
        assert first["outcomes"] == {target: "unknown"}
        desk.clock.time += MINUTE
        second = await call(client, "delete_message", message_id=[next_one])
    assert "max_per_day" in second["said"]
    operation = desk.journal.operation(first["operation_id"])
    assert operation is not None
    async with desk.guard() as guard:
        await guard.settle_interrupted_unless_busy()
    settled = desk.journal.operation(first["operation_id"])
    assert settled is not None
    assert settled.outcomes == {target: "unknown"}
