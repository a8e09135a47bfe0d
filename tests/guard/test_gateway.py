"""Errors of RingCentral's API gateway do not count as missing or purged messages."""

from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator.vocabulary import OperationName
from rc_mcp.guard.restore import undo
from rc_mcp.ringcentral import NotFound
from rc_mcp.views.changes import ChangeResult
from rc_mcp.views.error_texts import ADVICE
from tests.desk import YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio

MESSAGES: tuple[OperationName, ...] = (
    "listMessages",
    "readMessage",
    "updateMessage",
    "patchMessage",
    "deleteMessage",
    "deleteMessageByFilter",
    "syncMessages",
    "readMessageContent",
)


@pytest.fixture(params=["AGW-404", "CMN-120", "CMN-102 extensionId", "CMN-102"])
def answers(request: pytest.FixtureRequest, desk: Desk) -> "Answers":
    """A gateway's answer to every request after `begin`."""
    return Answers(desk, request.param)


class Answers:
    """Answer each request for messages with a 404 that is not about a message."""

    def __init__(self, desk: Desk, kind: str) -> None:
        self._desk = desk
        self._kind = kind

    def begin(self) -> None:
        if self._kind == "AGW-404":
            for operation in MESSAGES:
                self._desk.emulator.faults.inject("gateway", operation=operation, times=None)
            return
        code, _, parameter = self._kind.partition(" ")
        error = {"errorCode": code, "message": "no", **({"parameterName": parameter} if parameter else {})}
        body = {**error, "errors": [error]}

        def answer(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(404, json=body, request=request) if "/message-" in request.url.path else None

        self._desk.faults.before(answer)


def is_no_false_report(said: str) -> None:
    """Check that the text does not suggest that a message does not exist."""
    assert not [words for words in ("not_found", "not found", "gone") if words in said.lower()]
    assert ADVICE[NotFound] not in said


async def test_no_tool_takes_a_gateway_404_for_a_missing_message(desk: Desk, era: Era, answers: Answers) -> None:
    alive, other = desk.ids(availability="Alive")[:2]
    async with desk.client(era, answer=YES) as client:
        await call(client, "delete_message", message_id=[alive])
        answers.begin()
        read = await call(client, "read_message", message_id=[alive])
        assert read["failed"].keys() == {alive}
        is_no_false_report(str(read))
        is_no_false_report(await refused(client, "list_messages"))
        is_no_false_report(await refused(client, "sync_messages"))
        is_no_false_report(await refused(client, "delete_message", message_id=[other]))
        restored = await call(client, "patch_message", message_id=[alive], availability="Alive")
        assert restored["outcomes"] in ({alive: "unknown"}, {alive: "failed"})
        is_no_false_report(str(restored))
    assert [desk.availability(i) for i in (alive, other)] == ["Deleted", "Alive"]


async def test_a_change_answered_with_a_gateway_404_is_not_reported_as_not_found(desk: Desk) -> None:
    target = desk.ids(availability="Alive", readStatus="Unread")[0]
    desk.emulator.faults.inject("gateway", operation="updateMessage", acted=True)
    async with desk.client() as client:
        answer = await call(client, "update_message", message_id=[target], read_status="Read")
    assert (answer["status"], answer["outcomes"]) == ("unknown", {target: "unknown"})
    assert "gateway" in answer["said"]


async def test_a_gateway_404_to_a_delete_does_not_count_as_a_refusal(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    desk.emulator.faults.inject("gateway", operation="deleteMessage", acted=True)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["outcomes"] == {target: "deleted"}
    assert desk.availability(target) == "Deleted"
    assert len(desk.sent("DELETE")) == 1


async def test_a_gateway_404_to_the_read_back_does_not_confirm_a_purge(desk: Desk, era: Era, answers: Answers) -> None:
    targets = desk.ids(availability="Alive")[:2]

    def then(request: httpx.Request) -> None:
        if request.method == "DELETE":
            answers.begin()

    desk.faults.after(then)
    async with desk.client(era, answer=typed("PURGE 2")) as client:
        answer = await call(client, "delete_message", message_id=targets, purge=True)
    assert answer["status"] == "unknown"
    assert answer["outcomes"] == dict.fromkeys(targets, "unknown")
    is_no_false_report(str(answer))
    kept = desk.journal.operation(answer["operation_id"])
    assert kept is not None
    assert "purged" not in kept.outcomes.values()
    assert set(kept.in_doubt) == set(targets)


async def test_an_undo_reports_unknown_for_a_gateway_404_and_works_after_it(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")[:2]
    async with desk.client(answer=YES) as client:
        operation = (await call(client, "delete_message", message_id=targets))["operation_id"]
    for name in MESSAGES:
        desk.emulator.faults.inject("gateway", operation=name, times=None)
    in_the_way = await undone(desk, operation)
    assert (in_the_way.status, in_the_way.outcomes) == ("unknown", dict.fromkeys(targets, "unknown"))
    desk.emulator.faults.clear()
    assert (await undone(desk, operation)).outcomes == dict.fromkeys(targets, "restored")


@pytest.mark.parametrize("code", ["AGW-404", "CMN-120"])
async def test_a_part_of_a_207_with_a_code_of_the_gateway_is_unknown(desk: Desk, era: Era, code: str) -> None:
    odd, there = targets = desk.ids(availability="Alive")[:2]
    async with desk.client(era, answer=YES) as client:
        operation = (await call(client, "delete_message", message_id=targets))["operation_id"]

        def in_parts(request: httpx.Request) -> httpx.Response | None:
            if request.method != "GET" or odd not in request.url.path:
                return None
            parts: list[dict[str, Any]] = [
                {"resourceId": odd, "status": 404, "body": {"errorCode": code, "message": "no", "errors": []}},
                {"resourceId": there, "status": 200, "body": {"id": int(there), "availability": "Deleted"}},
            ]
            return httpx.Response(207, json=parts, request=request)

        desk.faults.before(in_parts)
        read = await call(client, "read_message", message_id=targets)
        assert read["failed"].keys() == {odd}
        assert "not_found" not in read
    assert (await undone(desk, operation)).outcomes == {odd: "unknown", there: "restored"}


async def undone(desk: Desk, operation: str) -> ChangeResult:
    async with desk.guard() as guard:
        return await undo(guard, operation)
