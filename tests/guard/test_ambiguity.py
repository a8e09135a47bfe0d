"""Requests without an answer from RingCentral: the guard never repeats them and reports only known outcomes."""

from collections.abc import Callable
from datetime import timedelta

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft
from rc_mcp.guard.actions.retention import PERIOD_NOT_CHANGED, PERIOD_UNKNOWN
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.results import READ_FIRST
from tests.desk import YES, Desk, Era, call, refused

pytestmark = pytest.mark.anyio


def drop(method: str) -> Callable[[httpx.Request], None]:
    """Return a fault that breaks the connection."""

    def act(request: httpx.Request) -> None:
        if request.method == method:
            raise httpx.ReadError("connection dropped", request=request)

    return act


async def test_a_delete_whose_answer_is_lost_is_read_back_and_not_repeated(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]
    desk.faults.after(drop("DELETE"))
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["outcomes"] == dict.fromkeys(targets, "deleted")
    assert [desk.availability(t) for t in targets] == ["Deleted"] * 2
    assert len(desk.sent("DELETE")) == 1


def pretend(request: httpx.Request) -> httpx.Response | None:
    """Answer like a proxy that claims success."""
    return httpx.Response(204, request=request) if request.method == "DELETE" else None


def unavailable(request: httpx.Request) -> httpx.Response | None:
    """Answer like a proxy that gave up waiting."""
    return httpx.Response(504, request=request) if request.method == "DELETE" else None


async def test_a_delete_that_has_not_arrived_is_unknown_because_it_may_still_arrive(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]
    desk.faults.before(drop("DELETE"))
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "unknown"
    assert answer["outcomes"] == dict.fromkeys(targets, "unknown")
    assert [desk.availability(t) for t in targets] == ["Alive"] * 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_on_a_delete_is_read_back_and_not_repeated(desk: Desk, status: int) -> None:
    targets = desk.ids(availability="Alive")[:2]

    def broken(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(status, request=request) if request.method == "DELETE" else None

    desk.faults.after(broken)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["outcomes"] == dict.fromkeys(targets, "deleted")
    assert len(desk.sent("DELETE")) == 1


async def test_messages_that_cannot_be_read_back_are_unknown(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]
    deleted: list[bool] = []

    def fail_after_the_delete(request: httpx.Request) -> httpx.Response | None:
        if request.method == "DELETE":
            deleted.append(True)
            raise httpx.ReadError("connection dropped", request=request)
        return httpx.Response(503, request=request) if deleted else None

    desk.faults.after(fail_after_the_delete)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "unknown"
    assert answer["outcomes"] == dict.fromkeys(targets, "unknown")
    assert answer["next"] == READ_FIRST
    assert len(desk.sent("DELETE")) == 1


async def test_a_success_that_the_mailbox_does_not_confirm_is_not_done(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")[:2]
    desk.faults.before(pretend)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "unknown"
    assert answer["outcomes"] == dict.fromkeys(targets, "unknown")
    assert [desk.availability(t) for t in targets] == ["Alive"] * 2


async def test_no_batch_is_sent_after_a_failed_batch(desk: Desk) -> None:
    for n in range(60):
        desk.emulator.store.add(Draft(type="SMS", text=f"parcel {n}", read=True))
    targets = desk.ids(availability="Alive")[:60]
    desk.faults.after(drop("DELETE"))
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "partial"
    assert [answer["outcomes"][t] for t in targets] == ["deleted"] * 50 + ["skipped"] * 10
    assert len(desk.sent("DELETE")) == 1


async def test_nothing_is_sent_if_the_mailbox_cannot_be_read_again_before_the_delete(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.faults.before(drop("GET"))
        answer = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert answer["outcomes"] == {target: "skipped"}
    assert desk.sent("DELETE") == []


async def test_an_error_says_that_nothing_was_done_if_the_mailbox_cannot_be_read_for_a_plan(desk: Desk) -> None:
    desk.faults.before(drop("GET"))
    async with desk.client(answer=YES) as client:
        said = await refused(client, "delete_message", message_id=desk.ids()[:1])
    assert said.endswith(NOTHING_DONE)
    assert desk.asked == []


async def test_a_stop_file_ends_a_running_delete_between_batches(desk: Desk) -> None:
    for n in range(60):
        desk.emulator.store.add(Draft(type="SMS", text=f"parcel {n}", read=True))
    targets = desk.ids(availability="Alive")[:60]

    def stop(request: httpx.Request) -> None:
        if request.method == "DELETE":
            desk.state.stop()

    desk.faults.before(stop)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert [answer["outcomes"][t] for t in targets] == ["deleted"] * 50 + ["skipped"] * 10
    assert "STOP" in answer["said"]


async def test_a_delete_that_must_wait_for_the_rate_limit_is_not_sent(
    desk: Desk,
) -> None:
    targets = desk.ids(availability="Alive")[:2]
    refused: list[bool] = []

    def too_many(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PUT":
            return None
        refused.append(True)
        headers = {"Retry-After": "60", "X-Rate-Limit-Group": "medium"}
        return httpx.Response(429, json={"errorCode": "CMN-301"}, headers=headers, request=request)

    desk.faults.after(too_many)
    async with desk.client(answer=YES) as client:
        await client.call_tool("update_message", {"message_id": targets[:1], "read_status": "Read"})
        answer = await call(client, "delete_message", message_id=targets)
    assert refused
    assert answer["status"] == "failed"
    assert answer["outcomes"] == dict.fromkeys(targets, "failed")
    assert "Wait" in answer["said"]
    assert desk.sent("DELETE") == []


def answering(status: int) -> Callable[[httpx.Request], httpx.Response]:
    """Return a fault that answers like a proxy, without an error code of RingCentral."""
    return lambda request: httpx.Response(status, text="<html>", request=request)


@pytest.mark.parametrize(
    "fault",
    [drop("DELETE"), pretend, unavailable, *(answering(status) for status in (401, 403, 404, 416))],
    ids=["lost", "pretended", "504", "401", "403", "404", "416"],
)
async def test_a_late_request_does_not_purge_messages_of_a_second_approved_plan(
    desk: Desk, era: Era, fault: Callable[[httpx.Request], httpx.Response | None]
) -> None:
    target = desk.ids(availability="Alive")[0]
    on_its_way: list[httpx.Request] = []

    def keep_back(request: httpx.Request) -> httpx.Response | None:
        if request.method == "DELETE" and not on_its_way:
            on_its_way.append(request)
            return fault(request)
        return None

    desk.faults.before(keep_back)
    async with desk.client(era, answer=YES) as client:
        first = await call(client, "delete_message", message_id=[target])
        assert first["outcomes"] == {target: "unknown"}
        desk.clock.time += timedelta(seconds=5)
        assert "60 seconds" in await refused(client, "delete_message", message_id=[target])
        await desk.faults.arrives(on_its_way[0])
        desk.clock.time += timedelta(seconds=60)
        again = await call(client, "delete_message", message_id=[target])
    assert again["outcomes"] == {target: "already"}
    assert desk.availability(target) == "Deleted"
    assert len(desk.sent("DELETE")) == 1


async def test_a_delete_that_ringcentral_itself_refused_can_be_repeated_at_once(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    refusals: list[httpx.Response] = []

    def refuse_once(request: httpx.Request) -> httpx.Response | None:
        if request.method != "DELETE" or refusals:
            return None
        refusals.append(httpx.Response(403, json={"errorCode": "CMN-408", "message": "no"}, request=request))
        return refusals[0]

    desk.faults.before(refuse_once)
    async with desk.client(answer=YES) as client:
        first = await call(client, "delete_message", message_id=[target])
        again = await call(client, "delete_message", message_id=[target])
    assert first["outcomes"] == {target: "failed"}
    assert first["said"].endswith(NOTHING_DONE)
    assert again["outcomes"] == {target: "deleted"}


async def test_a_refusal_for_one_message_proves_nothing_about_the_next(desk: Desk, era: Era) -> None:
    refused_one, other = desk.ids(availability="Alive")[:2]
    parts = [
        {"resourceId": refused_one, "status": 403, "body": {"errorCode": "CMN-408", "message": "no"}},
        {"resourceId": other, "status": 503, "body": {"errorCode": "CMN-201", "message": "later"}},
    ]
    on_its_way: list[httpx.Request] = []

    def partly(request: httpx.Request) -> httpx.Response | None:
        if request.method != "DELETE" or on_its_way:
            return None
        on_its_way.append(request)
        kind = {"Content-Type": "application/vnd.ringcentral.multipart+json"}
        return httpx.Response(207, json=parts, headers=kind, request=request)

    desk.faults.before(partly)
    async with desk.client(era, answer=YES) as client:
        first = await call(client, "delete_message", message_id=[refused_one, other])
        assert first["outcomes"] == {refused_one: "failed", other: "unknown"}
        assert first["next"] == READ_FIRST
        desk.clock.time += timedelta(seconds=5)
        again = await call(client, "delete_message", message_id=[refused_one])
        assert again["outcomes"] == {refused_one: "deleted"}
        assert "60 seconds" in await refused(client, "delete_message", message_id=[other])


async def test_a_retention_change_that_may_still_arrive_is_unknown(desk: Desk) -> None:
    desk.faults.before(drop("PUT"))
    async with desk.client(answer=YES) as client:
        answer = await call(client, "update_message_store_configuration", retention_period=90)
    assert answer["status"] == "unknown"
    assert answer["said"].endswith(PERIOD_UNKNOWN)
    assert PERIOD_NOT_CHANGED not in answer["said"]
