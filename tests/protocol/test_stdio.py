"""Hostile and broken clients over stdio: whatever they send, the server goes on, and stdout carries only protocol."""

import json
from pathlib import Path

import anyio
import pytest

from tests.protocol.wire import LEGACY, MODERN, Json, Wire, call, memory_mb, meta, request, stdio

pytestmark = pytest.mark.anyio

INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, UNSUPPORTED_VERSION = -32600, -32601, -32602, -32022

NOT_MESSAGES = {
    "half a message": b'{"jsonrpc": "2.0", "id": 1, "meth\n',
    "an empty line": b"\n",
    "a number": b"17\n",
    "null": b"null\n",
    "a string": b'"tools/list"\n',
    "NUL bytes": b"\0\0\0\n",
    "no UTF-8": b"\xff\xfe\x00\n",
    "a hundred thousand brackets": b"[" * 100_000 + b"\n",
    "five thousand levels": b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"\n",
    "ten megabytes": b"x" * 10_000_000 + b"\n",
    "a batch": json.dumps([request(1, "tools/list", _meta=meta()), request(2, "ping")]).encode() + b"\n",
    "an empty batch": b"[]\n",
    "an older JSON-RPC": json.dumps({"jsonrpc": "1.0", "id": 1, "method": "tools/list"}).encode() + b"\n",
    "no JSON-RPC": json.dumps({"id": 1, "method": "tools/list"}).encode() + b"\n",
    "an id that is an object": json.dumps(request({}, "tools/list", _meta=meta())).encode() + b"\n",
    "half a surrogate pair": b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}\n',
    "an answer to nothing": json.dumps({"jsonrpc": "2.0", "id": 77, "result": {}}).encode() + b"\n",
    "an error about nothing": json.dumps({"jsonrpc": "2.0", "id": 77, "error": {"code": 1, "message": "x"}}).encode()
    + b"\n",
    "an unknown notification": b'{"jsonrpc":"2.0","method":"notifications/hack"}\n',
    "a cancellation of nothing": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}\n',
    "a cancellation without an id": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}\n',
}


async def test_input_that_is_not_a_message_is_ignored(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        for line in NOT_MESSAGES.values():
            await wire.send(line)
            await wire.alive()


FAR_VERSION = meta() | {"io.modelcontextprotocol/protocolVersion": "1999-01-01"}
REFUSED: list[tuple[Json, int]] = [
    (request(1, "tools/destroy", _meta=meta()), METHOD_NOT_FOUND),
    (request(1, "ping", _meta=meta()), METHOD_NOT_FOUND),
    (request(1, "tools/list"), INVALID_PARAMS),
    (request(1, "tools/list", _meta="x"), INVALID_PARAMS),
    (request(1, "tools/list", _meta={}), INVALID_PARAMS),
    (request(1, "tools/list", _meta=FAR_VERSION), UNSUPPORTED_VERSION),
    (request(1, "initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={}), UNSUPPORTED_VERSION),
    (request(1, "tools/call", name=7, _meta=meta()), INVALID_PARAMS),
    (request(1, "tools/call", name="no such tool\n" * 1000, _meta=meta()), INVALID_PARAMS),
    (request(1, "tools/call", name="list_messages", arguments=[], _meta=meta()), INVALID_PARAMS),
    (request(1, "prompts/get", name="no such prompt", _meta=meta()), INVALID_PARAMS),
    (request(1, "resources/read", uri="ringcentral://account/~/../../etc/passwd", _meta=meta()), INVALID_PARAMS),
    (request(1, "resources/read", uri="file:///etc/passwd", _meta=meta()), INVALID_PARAMS),
]


async def test_a_wrong_request_is_refused_with_the_protocols_own_code(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        await wire.alive()
        for message, code in REFUSED:
            error = (await wire.answer_to(message))["error"]
            assert error["code"] == code, message
            assert len(error["message"]) < 500
        await wire.alive()


async def test_any_id_comes_back_as_it_was(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        for id_ in (0, -1, 2**63, 10**400, "", "x" * 100_000, "\n\u2028\u202e"):
            answer = await wire.answer_to(call(id_, "list_messages", per_page=1))
            assert answer["result"]["isError"] is False


@pytest.mark.parametrize(("asked", "given"), [("1999-01-01", LEGACY), (MODERN, LEGACY), ("2024-11-05", "2024-11-05")])
async def test_an_older_client_gets_a_version_that_the_server_has(asked: str, given: str, tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        answer = await wire.initialize(asked)
        assert answer["result"]["protocolVersion"] == given


async def test_an_older_client_that_does_not_introduce_itself_gets_nothing_done(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        answer = await wire.answer_to(request(1, "tools/call", name="list_messages", arguments={}))
        assert answer["error"]["code"] == INVALID_PARAMS


async def test_two_requests_with_one_id_are_both_answered(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        await wire.send(call(7, "list_messages", per_page=1), call(7, "read_message_store_configuration"))
        answers = [await wire.receive(), await wire.receive()]
        assert [answer["id"] for answer in answers] == [7, 7]
        assert {"messages", "retention_period"} <= {key for a in answers for key in a["result"]["structuredContent"]}
        await wire.alive()


async def test_stdin_that_closes_in_the_middle_of_everything_ends_the_server_well(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        await wire.alive()
        await wire.send(*(call(n, "sync_messages", date_from="30d") for n in range(50)), b'{"jsonrpc": "2.0", "id"')


async def test_stdin_that_closes_at_once_ends_the_server_well(tmp_path: Path) -> None:
    async with stdio(tmp_path):
        pass


async def test_a_cancelled_call_does_not_affect_the_others(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        for n in range(20):
            cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": f"cancelled-{n}"}}
            await wire.send(call(f"cancelled-{n}", "sync_messages", date_from="30d"), cancel)
        await wire.alive()


async def test_two_thousand_calls_at_once_are_all_answered(tmp_path: Path) -> None:
    async with stdio(tmp_path) as wire:
        await flood(wire, range(2_000))


async def test_ten_thousand_quick_calls_leave_nothing_behind(tmp_path: Path) -> None:
    async with stdio(tmp_path, patience_s=300) as wire:
        for start in range(0, 2_000, 50):
            await flood(wire, range(start, start + 50))
        before_mb = memory_mb(wire.process.pid)
        for start in range(2_000, 10_000, 50):
            await flood(wire, range(start, start + 50))
        # The emulator in it keeps a log of the last 10,000 requests, at about 600 bytes each.
        assert memory_mb(wire.process.pid) - before_mb < 8


async def flood(wire: Wire, ids: range) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wire.send, *(call(n, "read_message_store_configuration") for n in ids))
        missing = set(ids)
        while missing:
            answer = await wire.receive()
            assert answer["result"]["isError"] is False
            missing.remove(answer["id"])
