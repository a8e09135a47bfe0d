"""Hostile and broken clients over HTTP: each is refused in HTTP's own words, and the next one is served."""

import json
from collections.abc import AsyncGenerator, Generator

import anyio
import httpx2 as httpx
import pytest
from mcp import Client

from rc_mcp.cli.demo.screen import rows
from tests.desk import Era
from tests.desk import call as call_tool
from tests.protocol.wire import LEGACY, MODERN, PATIENCE_S, Json, call, meta, request
from tests.serving import RC_MCP, Served, served

pytestmark = pytest.mark.anyio

ACCEPT = "application/json, text/event-stream"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """One server for all of these tests: it must serve each, whatever came before."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RC_MCP_STATE_DIR", str(tmp_path_factory.mktemp("state")))
    with served(*RC_MCP, "serve", "--demo", "--http", "--port", "0") as running:
        yield running
    patch.undo()
    assert "Traceback" not in "".join(running.log)


@pytest.fixture
async def web(server: Served) -> AsyncGenerator[httpx.AsyncClient]:
    """A plain HTTP client. The server must still work when it leaves."""
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        yield client
        answer = await post(client, server, call("alive", "list_messages", per_page=1))
        assert answer.status_code == 200
        assert '"isError":false' in answer.text


async def post(client: httpx.AsyncClient, server: Served, body: Json | bytes, **headers: str) -> httpx.Response:
    """A request with the headers of a well-behaved client of 2026-07-28, but for those given."""
    sent = {"Accept": ACCEPT, "Content-Type": "application/json", "MCP-Protocol-Version": MODERN}
    if not isinstance(body, bytes):
        sent |= {"Mcp-Method": body["method"]}
        sent |= {"Mcp-Name": body["params"]["name"]} if "name" in body["params"] else {}
        body = json.dumps(body).encode()
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(server.address, content=body, headers=sent)


LISTING = call(1, "list_messages", per_page=1)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 400),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 400),
        ({"Accept": "text/html"}, 406),
        ({"MCP_Protocol_Version": "1999-01-01"}, 400),
        ({"Mcp_Method": "tools/list"}, 400),
        ({"Mcp_Name": "delete_message"}, 400),
    ],
)
async def test_a_wrong_header_is_refused(
    headers: dict[str, str], status: int, web: httpx.AsyncClient, server: Served
) -> None:
    assert (await post(web, server, LISTING, **headers)).status_code == status


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"17", b"\xff", b"[" * 100_000, b'{"jsonrpc":"2.0"}', b'[{"jsonrpc":"2.0"}]']
)
async def test_a_body_that_is_not_a_message_is_a_bad_request(
    body: bytes, web: httpx.AsyncClient, server: Served
) -> None:
    assert (await post(web, server, body)).status_code == 400


async def test_a_body_over_the_limit_is_refused_unread(web: httpx.AsyncClient, server: Served) -> None:
    big = call(1, "list_messages", phone_number="1" * 5_000_000)
    assert (await post(web, server, big)).status_code == 413


async def test_other_methods_and_paths_are_not_there(web: httpx.AsyncClient, server: Served) -> None:
    for method in ("PUT", "PATCH", "TRACE"):
        assert (await web.request(method, server.address)).status_code == 405
    assert (await web.get(server.address.removesuffix("mcp") + "other")).status_code == 404
    assert (await web.get(server.address + "/../../etc/passwd")).status_code == 404


async def test_a_session_that_never_was_is_not_found(web: httpx.AsyncClient, server: Served) -> None:
    listing = request(1, "tools/list")
    for session in ("x", "0" * 10_000):
        answer = await post(web, server, listing, Mcp_Session_Id=session, MCP_Protocol_Version=LEGACY)
        assert answer.status_code in {400, 404}
    answer = await web.get(server.address, headers={"Accept": "text/event-stream", "Mcp-Session-Id": "x"})
    assert answer.status_code in {400, 404}


async def test_an_older_client_without_a_handshake_is_refused(web: httpx.AsyncClient, server: Served) -> None:
    answer = await post(web, server, request(1, "tools/list"), MCP_Protocol_Version=LEGACY)
    assert answer.status_code == 400


async def test_a_client_that_leaves_in_the_middle_of_a_call_does_not_affect_others(
    web: httpx.AsyncClient, server: Served
) -> None:
    for _ in range(20):
        with anyio.move_on_after(0.01):
            await post(web, server, call(1, "sync_messages", date_from="30d"))


async def test_many_sessions_at_once_do_not_get_in_each_others_way(era: Era, server: Served) -> None:
    async def work() -> None:
        async with Client(server.address, mode=era) as client:
            for _ in range(5):
                assert (await call_tool(client, "list_messages", per_page=1))["page"]["per_page"] == 1

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(16):
                tasks.start_soon(work)


async def test_a_session_cannot_answer_a_question_of_another(web: httpx.AsyncClient, server: Served) -> None:
    can_ask = meta(elicitation={"form": {}})
    listing = request(0, "tools/call", name="list_messages", arguments={"date_from": "30d"}, _meta=can_ask)
    listed = rows(message(await post(web, server, listing))["result"]["structuredContent"]["messages"])
    arguments = {"message_id": [listed[0]["id"]]}
    first = request(1, "tools/call", name="delete_message", arguments=arguments, _meta=can_ask)
    asked = message(await post(web, server, first))["result"]
    yes = {question: {"action": "accept", "content": {"confirm": True}} for question in asked["inputRequests"]}
    other = {"message_id": [listed[1]["id"]]}
    stolen = first["params"] | {"arguments": other, "inputResponses": yes, "requestState": asked["requestState"]}
    answer = message(await post(web, server, request(2, "tools/call", **stolen)))
    assert answer["error"]["code"] == -32602


def message(answer: httpx.Response) -> Json:
    """The JSON-RPC message in an answer, which is JSON or a stream of events."""
    if answer.headers["Content-Type"].startswith("application/json"):
        return answer.json()
    return json.loads(answer.text.rpartition("data: ")[2])
