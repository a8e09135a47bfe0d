"""If RingCentral refuses readings, nothing is sent; after a request, its outcomes are unknown."""

from collections.abc import Callable

import httpx2 as httpx
import pytest

from rc_mcp.guard.restore import undo
from tests.desk import YES, Answer, Desk, call, typed

pytestmark = pytest.mark.anyio

TOOLS = ["delete_message", "delete_message_by_filter", "update_message_store_configuration"]


def forbidden(desk: Desk, since: Callable[[httpx.Request], bool]) -> None:
    """Refuse every reading from the first such request on."""
    began: list[bool] = []

    def act(request: httpx.Request) -> httpx.Response | None:
        if since(request):
            began.append(True)
        body = {"errorCode": "CMN-408", "message": "no"}
        is_reading = request.method == "GET" and "message" in request.url.path
        return httpx.Response(403, json=body, request=request) if began and is_reading else None

    desk.faults.before(act)


def a_change(desk: Desk, tool: str) -> dict[str, object]:
    """Return arguments with which this tool changes something."""
    sms = desk.ids(type="SMS", availability="Alive")[0]
    record = desk.emulator.store.message(sms)
    assert record is not None
    of: dict[str, dict[str, object]] = {
        "delete_message": {"message_id": [sms]},
        "delete_message_by_filter": {"conversation_id": [record["conversation"]["id"]]},
        "update_message_store_configuration": {"retention_period": 7},
    }
    return of[tool]


def yes(tool: str) -> Answer:
    return typed("KEEP 7 DAYS") if tool == "update_message_store_configuration" else YES


@pytest.mark.parametrize("tool", TOOLS)
async def test_messages_that_cannot_be_read_again_are_not_changed(desk: Desk, tool: str) -> None:
    async with desk.client() as client:
        plan = (await call(client, tool, **a_change(desk, tool)))["plan_id"]
        desk.plans.approve(plan)
        forbidden(desk, lambda _: True)
        answer = await call(client, tool, **a_change(desk, tool), plan_id=plan)
    assert answer["status"] == "failed"
    assert set(answer["outcomes"].values()) <= {"skipped"}
    assert desk.sent("DELETE") + desk.sent("PUT") == []


@pytest.mark.parametrize("tool", TOOLS)
async def test_messages_that_cannot_be_read_back_are_unknown(desk: Desk, tool: str) -> None:
    forbidden(desk, lambda request: request.method in {"DELETE", "PUT"})
    async with desk.client(answer=yes(tool)) as client:
        answer = await call(client, tool, **a_change(desk, tool))
    assert answer["status"] == "unknown"
    assert set(answer["outcomes"].values()) <= {"unknown"}
    assert len(desk.sent("DELETE") + desk.sent("PUT")) == 1


async def test_no_batch_is_sent_after_one_that_cannot_be_read_back(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")  # a batch is 50

    methods = [""]

    def refused_after_a_delete(request: httpx.Request) -> httpx.Response | None:
        methods.append(request.method)
        is_first = methods[-2:] == ["DELETE", "GET"]
        return httpx.Response(403, json={"errorCode": "CMN-408"}, request=request) if is_first else None

    desk.faults.before(refused_after_a_delete)
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert [answer["outcomes"][t] for t in targets] == ["unknown"] * 50 + ["skipped"] * (len(targets) - 50)
    assert len(targets) > 50
    assert len(desk.sent("DELETE")) == 1


async def test_a_restore_that_cannot_be_read_back_is_unknown(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(answer=YES) as client:
        operation = (await call(client, "delete_message", message_id=[target]))["operation_id"]
    forbidden(desk, lambda request: request.method == "PATCH")
    async with desk.guard() as guard:
        changes = await undo(guard, operation)
    assert (changes.status, changes.outcomes) == ("unknown", {target: "unknown"})
