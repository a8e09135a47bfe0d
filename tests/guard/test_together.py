"""Two changes of one mailbox never overlap: a second DELETE would purge the messages that the first one deleted."""

import threading
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
import httpx2 as httpx
import pytest

from rc_mcp.guard import results
from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.state.store import in_thread, use_threads
from tests.desk import YES, Desk, Era, call, typed

pytestmark = pytest.mark.anyio


def first_delete_waits(desk: Desk, others: Callable[[], Awaitable[object]]) -> None:
    """Give `others` half a second to interfere when the first DELETE is about to leave."""
    began: list[bool] = []

    async def hold(request: httpx.Request) -> None:
        if request.method == "DELETE" and not began:
            began.append(True)
            with anyio.move_on_after(0.5):
                await others()

    desk.faults.hold(hold)


async def test_two_plans_on_the_same_messages_do_not_purge_them(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:3]
    answers: list[dict[str, object]] = []
    started, ended = anyio.Event(), anyio.Event()
    async with desk.client(era) as one, desk.client(era) as other:
        first = (await call(one, "delete_message", message_id=targets))["plan_id"]
        second = (await call(other, "delete_message", message_id=targets[:2]))["plan_id"]

        async def use_second() -> None:
            await started.wait()
            answers.append(await call(other, "delete_message", message_id=targets[:2], plan_id=second))
            ended.set()

        async def in_the_meantime() -> None:
            started.set()
            await ended.wait()

        first_delete_waits(desk, in_the_meantime)

        async def use_first() -> None:
            answers.append(await call(one, "delete_message", message_id=targets, plan_id=first))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use_second)
            tasks.start_soon(use_first)
    done, late = answers
    assert done["outcomes"] == dict.fromkeys(targets, "deleted")
    assert late["outcomes"] == dict.fromkeys(targets[:2], "already")
    assert [desk.availability(t) for t in targets] == ["Deleted"] * 3


async def test_a_conversation_and_its_messages_deleted_at_once_are_not_purged(desk: Desk) -> None:
    by_conversation: dict[str, list[str]] = {}
    for m in desk.emulator.store.messages():
        if "conversation" in m and m["availability"] == "Alive":
            by_conversation.setdefault(m["conversation"]["id"], []).append(str(m["id"]))
    conversation, ids = max(by_conversation.items(), key=lambda pair: len(pair[1]))

    async with desk.client(answer=YES) as one, desk.client(answer=YES) as other:

        async def by_id() -> None:
            await call(other, "delete_message", message_id=ids)

        first_delete_waits(desk, by_id)
        answer = await call(one, "delete_message_by_filter", conversation_id=[conversation])
    assert answer["outcomes"] == dict.fromkeys(ids, "deleted")
    assert {desk.availability(i) for i in ids} == {"Deleted"}


async def test_a_message_that_another_app_deleted_in_between_is_reported_as_purged(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]

    async def another_client() -> None:
        path = f"{desk.emulator.server_url}/restapi/v1.0/account/~/extension/~/message-store/{targets[0]}"
        token = next(r.headers["Authorization"] for r in seen)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=desk.emulator.app)) as client:
            await client.delete(path, headers={"Authorization": token})

    seen: list[httpx.Request] = []
    desk.faults.before(lambda request: seen.append(request) if "message-store" in request.url.path else None)
    first_delete_waits(desk, another_client)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "partial"
    assert answer["outcomes"] == {targets[0]: "purged", targets[1]: "deleted"}


async def test_a_text_that_arrives_during_the_delete_survives_although_our_clock_is_ahead(desk: Desk) -> None:
    from datetime import timedelta

    from rc_mcp.emulator import Draft, Party

    sender = Party(phone_number="+15035550199")
    ids = [str(desk.emulator.store.add(Draft(type="SMS", sender=sender, text=t))["id"]) for t in ("one", "two")]
    record = desk.emulator.store.message(ids[0])
    assert record is not None
    late: list[str] = []

    async def arrives() -> None:
        late.append(str(desk.emulator.store.add(Draft(type="SMS", sender=sender, text="Wait!"))["id"]))

    first_delete_waits(desk, arrives)
    desk.clock.time += timedelta(seconds=5)
    desk.ahead = timedelta(seconds=90)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[record["conversation"]["id"]])
    assert answer["outcomes"] == dict.fromkeys(ids, "deleted")
    assert desk.availability(late[0]) == "Alive"


async def test_the_old_type_text_means_the_same_in_the_plan_and_in_the_request(desk: Desk, era: Era) -> None:
    texts, pagers = desk.ids(type="SMS", availability="Alive"), desk.ids(type="Pager", availability="Alive")
    fax = desk.ids(type="Fax", availability="Alive")[0]
    ids = [texts[0], pagers[0], fax]
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=ids, type="Text")
    assert answer["outcomes"] == {texts[0]: "deleted", pagers[0]: "deleted", fax: "skipped"}


async def test_an_old_plan_does_not_lift_a_server_above_its_level(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        await call(client, "delete_message", message_id=[target], purge=True)
    async with desk.client(answer=typed("PURGE 1"), RC_MCP_ACCESS="delete") as client:
        result = await client.session.call_tool(
            "delete_message", {"message_id": [target], "purge": True}, input_responses={}, allow_input_required=True
        )
    assert "refused" in str(result)
    assert desk.availability(target) == "Alive"


async def test_an_interrupted_plan_is_not_reported_as_carried_out(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]

    def unreadable(request: httpx.Request) -> None:
        if request.method == "GET":
            raise httpx.ReadError("gone", request=request)

    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.faults.before(unreadable)
        first = await call(client, "delete_message", message_id=[target], plan_id=plan)
        again = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert first["status"] == "failed"
    assert again["said"] == results.used(plan, "delete_message", {target: "skipped"}).said
    assert desk.sent("DELETE") == []


@pytest.mark.parametrize("purge", [False, True])
async def test_a_not_found_after_a_lost_delete_is_unknown(desk: Desk, purge: bool) -> None:
    target = desk.ids(availability="Alive")[0]
    lost: list[bool] = []

    def lose(request: httpx.Request) -> None:
        if request.method == "DELETE":
            lost.append(True)
            raise httpx.ReadError("gone", request=request)

    def missing(request: httpx.Request) -> httpx.Response | None:
        body = {"errorCode": "CMN-102", "message": "Resource for parameter [messageId] is not found"}
        return httpx.Response(404, json=body, request=request) if lost else None

    desk.faults.before(lose)
    desk.faults.after(missing)
    async with desk.client(answer=typed("PURGE 1") if purge else YES) as client:
        answer = await call(client, "delete_message", message_id=[target], purge=purge)
    assert answer["outcomes"] == {target: "unknown"}
    assert answer["status"] == "unknown"


@pytest.mark.parametrize("status", [400, 403, 409, 429])
async def test_a_refusal_after_the_deletion_is_read_back(desk: Desk, status: int) -> None:
    target = desk.ids(availability="Alive")[0]

    def refuse(request: httpx.Request) -> httpx.Response | None:
        body = {"errorCode": "CMN-101", "message": "no"}
        return httpx.Response(status, json=body, request=request) if request.method == "DELETE" else None

    desk.faults.after(refuse)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["outcomes"] == {target: "deleted"}
    assert desk.availability(target) == "Deleted"


async def test_an_unusable_state_folder_stops_it_before_anything_is_sent(desk: Desk) -> None:
    desk.state_dir.write_text("not a folder")
    async with desk.client(answer=YES) as client:
        result = await client.call_tool("delete_message", {"message_id": desk.ids(availability="Alive")[:1]})
    assert result.is_error
    assert "state folder" in str(result.content[0])
    assert desk.sent("DELETE") == []


async def test_a_delete_ends_while_slow_downloads_hold_every_other_thread(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    threads = anyio.to_thread.current_default_thread_limiter()
    downloads = [object() for _ in range(int(threads.available_tokens))]
    for download in downloads:
        threads.acquire_on_behalf_of_nowait(download)
    try:
        with anyio.fail_after(30):
            async with desk.client(era, answer=YES) as client:
                answer = await call(client, "delete_message", message_id=[target])
    finally:
        for download in downloads:
            threads.release_on_behalf_of(download)
    assert answer["outcomes"] == {target: "deleted"}
    assert desk.availability(target) == "Deleted"


async def test_many_calls_at_once_use_the_state_folder_from_two_threads() -> None:
    running: list[int] = []
    may_end = threading.Event()

    def use() -> None:
        running.append(threading.get_ident())
        assert may_end.wait(30)

    at_once = 0
    async with anyio.create_task_group() as tasks:
        for _ in range(64):
            tasks.start_soon(in_thread, use)
        await anyio.wait_all_tasks_blocked()
        at_once = len(running)
        may_end.set()
    assert at_once <= 2
    assert len(running) == 64
    assert len(set(running)) == 2
    assert threading.get_ident() not in running


async def test_a_state_that_does_not_answer_in_time_refuses() -> None:
    may_end = threading.Event()
    use_threads(2, within_s=0.05)
    try:
        with pytest.raises(GuardError, match="does not answer"):
            await in_thread(may_end.wait, 30)
        may_end.set()
        use_threads(2, within_s=30)
        assert await in_thread(may_end.wait, 30) is True
    finally:
        may_end.set()
