"""Clients that answer the server's question twice, wrongly, late or never: nothing is deleted without approval."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.cli.demo.screen import rows
from rc_mcp.guard.refusals import NOTHING_DONE
from tests.protocol.wire import Json, Wire, meta, request, stdio

pytestmark = pytest.mark.anyio

YES: Json = {"action": "accept", "content": {"confirm": True}}
NO_ANSWERS: list[Json] = [
    {},
    {"action": "maybe"},
    {"action": "accept"},
    {"action": "accept", "content": {"confirm": "yes please"}},
]


@asynccontextmanager
async def asking(folder: Path) -> AsyncGenerator[tuple[Wire, list[str]]]:
    """A client of 2025-11-25 that can be asked, and the ids of ten messages."""
    async with stdio(folder) as wire:
        await wire.initialize(elicitation={})
        listed = await tool(wire, "list_messages", date_from="30d", per_page=10)
        yield wire, [row["id"] for row in rows(listed["messages"])]


async def tool(wire: Wire, name: str, **arguments: Any) -> Json:
    return (await wire.answer_to(request("tool", "tools/call", name=name, arguments=arguments)))["result"][
        "structuredContent"
    ]


async def asked(wire: Wire, id_: str, message_id: str) -> Any:
    """Asks to delete this message; the id of the question that comes back."""
    await wire.send(request(id_, "tools/call", name="delete_message", arguments={"message_id": [message_id]}))
    question = await wire.receive()
    assert question["method"] == "elicitation/create"
    return question["id"]


def answer(id_: Any, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": id_, "result": result}


async def is_there(wire: Wire, message_id: str) -> bool:
    [message] = (await tool(wire, "read_message", message_id=[message_id]))["messages"]
    return message.get("availability", "Alive") == "Alive"


async def test_an_approval_that_arrives_three_times_deletes_once(tmp_path: Path) -> None:
    async with asking(tmp_path) as (wire, ids):
        question = await asked(wire, "delete", ids[0])
        await wire.send(*[answer(question, YES)] * 3)
        done = await wire.receive()
        assert (done["id"], done["result"]["structuredContent"]["outcomes"]) == ("delete", {ids[0]: "deleted"})
        assert not await is_there(wire, ids[0])
        assert await is_there(wire, ids[1])


async def test_an_approval_of_another_question_is_not_an_answer(tmp_path: Path) -> None:
    async with asking(tmp_path) as (wire, ids):
        question = await asked(wire, "delete", ids[0])
        await wire.send(answer("nobody", YES), answer(10**9, YES))
        assert await is_there(wire, ids[0])
        await wire.send(answer(question, {"action": "decline"}))
        assert (await wire.receive())["result"]["structuredContent"]["status"] == "declined"
        await wire.send(answer(question, YES))
        assert await is_there(wire, ids[0])


async def test_an_invalid_answer_counts_as_a_refusal(tmp_path: Path) -> None:
    async with asking(tmp_path) as (wire, ids):
        for nonsense in NO_ANSWERS:
            await wire.send(answer(await asked(wire, "delete", ids[0]), nonsense))
            assert NOTHING_DONE in str(await wire.receive())
            assert await is_there(wire, ids[0])


async def test_an_error_for_an_answer_counts_as_a_no(tmp_path: Path) -> None:
    async with asking(tmp_path) as (wire, ids):
        question = await asked(wire, "delete", ids[0])
        await wire.send({"jsonrpc": "2.0", "id": question, "error": {"code": -32603, "message": "no"}})
        assert (await wire.receive())["id"] == "delete"
        assert await is_there(wire, ids[0])


async def test_a_late_approval_does_not_carry_out_a_cancelled_call(tmp_path: Path) -> None:
    async with asking(tmp_path) as (wire, ids):
        question = await asked(wire, "delete", ids[0])
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "delete"}}
        await wire.send(cancel, answer(question, YES))
        assert await is_there(wire, ids[0])


async def test_questions_that_are_never_answered_hold_up_neither_calls_nor_the_end(tmp_path: Path) -> None:
    async with asking(tmp_path) as (wire, ids):
        questions = [await asked(wire, f"delete-{n}", ids[0]) for n in range(20)]
        assert len(set(questions)) == 20
        assert await is_there(wire, ids[0])


async def test_a_modern_approval_replayed_at_the_same_moment_deletes_once(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        can_ask = meta(elicitation={"form": {}})
        listing = request(0, "tools/call", name="list_messages", arguments={"date_from": "30d"}, _meta=can_ask)
        message = rows((await wire.answer_to(listing))["result"]["structuredContent"]["messages"])[0]["id"]
        arguments = {"message_id": [message]}
        first = request(1, "tools/call", name="delete_message", arguments=arguments, _meta=can_ask)
        asked_for = (await wire.answer_to(first))["result"]
        answers = dict.fromkeys(asked_for["inputRequests"], YES)
        again = first["params"] | {"inputResponses": answers, "requestState": asked_for["requestState"]}
        await wire.send(*(request(n, "tools/call", **again) for n in range(2, 7)))
        results = [(await wire.receive())["result"] for _ in range(5)]
        statuses = [r["structuredContent"]["status"] if r["resultType"] == "complete" else "asked" for r in results]
        # A call after the plan was used is refused, or is a call like any other: a new question, or nothing to do.
        assert statuses.count("done") == 1
        assert set(statuses) <= {"done", "refused", "asked", "nothing_to_do"}
        for forged in ({"requestState": "x"}, {"requestState": again["requestState"][:-4] + "AAAA"}):
            refused = await wire.answer_to(request("forged", "tools/call", **again | forged))
            assert refused["error"]["code"] == -32602
