"""`rc-mcp serve --http` at SIGTERM or a disconnect: a delete in progress ends, and the journal has its result."""

import json
import os
import re
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from anyio.abc import Process
from mcp import Client, MCPError
from starlette.types import Message, Receive, Scope, Send

from rc_mcp import time_limits
from rc_mcp.cli.emulator import login_to
from rc_mcp.cli.http_server import HttpServer
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.service.serving import address, bound_sockets, serving
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal, Operation
from rc_mcp.http_gates import Door
from tests.desk import Era, call
from tests.protocol.wire import MODERN, meta, request

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal that it could catch"),
]

PATIENCE_S = 60


@dataclass
class Slow:
    """A server in another process, and an emulator that holds back its answer to a DELETE."""

    emulator: Emulator
    state_dir: Path
    process: Process
    address: str = ""
    log: str = ""
    deleted: anyio.Event = field(default_factory=anyio.Event)
    """RingCentral carried out the DELETE, and has not answered it."""
    may_answer: anyio.Event = field(default_factory=anyio.Event)
    ended: anyio.Event = field(default_factory=anyio.Event)
    """The process has ended, and the log is complete."""

    @property
    def message_id(self) -> str:
        return next(str(m["id"]) for m in self.emulator.store.messages() if m["type"] == "SMS")

    def operation(self, plan: str) -> Operation:
        found = Journal(Folder(self.state_dir)).operation(plan)
        assert found is not None
        return found

    async def ends_during_delete(self) -> None:
        """Send SIGTERM once the DELETE was sent, and release its answer once the server refuses connections."""
        await self.deleted.wait()
        self.process.terminate()
        async with httpx.AsyncClient() as client:
            with suppress(httpx.ConnectError):
                while True:
                    await client.get(self.address, headers={"Connection": "close"})
        self.may_answer.set()

    async def exit_code(self) -> int:
        await self.ended.wait()
        return await self.process.wait()


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncGenerator[Slow]:
    command = [sys.executable, "-m", "rc_mcp", "serve", "--http", "--port", "0"]
    with Emulator(rate_limits=False) as emulator, bound_sockets("127.0.0.1", 0) as (bound,):

        async def late(scope: Scope, receive: Receive, send: Send) -> None:
            async def held(message: Message) -> None:
                if scope["method"] == "DELETE":
                    running.deleted.set()
                    await running.may_answer.wait()
                await send(message)

            await emulator.app.platform(scope, receive, held)

        variables = {**login_to(emulator), "RC_SERVER_URL": address(bound), "RC_MCP_STATE_DIR": str(tmp_path)}
        with anyio.fail_after(PATIENCE_S):
            async with serving({late: bound}), anyio.create_task_group() as tasks:
                process = await anyio.open_process(command, env=os.environ | variables, stdout=None)
                running = Slow(emulator, tmp_path, process)
                started = anyio.Event()

                async def read_log() -> None:
                    assert process.stderr is not None
                    async for chunk in process.stderr:
                        running.log += chunk.decode()
                        if found := re.search(r"running on (http://[^\s/]+)/mcp", running.log):
                            running.address = f"{found[1]}/mcp"
                            started.set()
                    running.ended.set()

                async with process:
                    tasks.start_soon(read_log)
                    await started.wait()
                    try:
                        yield running
                    finally:
                        running.may_answer.set()
                        if process.returncode is None:
                            process.terminate()
                        await running.ended.wait()


async def delete_planned(slow: Slow, client: Client) -> dict[str, Any]:
    """Make a plan, and return the arguments of the call that carries it out."""
    arguments = {"message_id": [slow.message_id]}
    return {**arguments, "plan_id": (await call(client, "delete_message", **arguments))["plan_id"]}


async def test_a_delete_in_progress_at_sigterm_is_answered_before_the_process_ends(slow: Slow, era: Era) -> None:
    arguments: dict[str, Any] = {}
    answer: dict[str, Any] = {}
    with suppress(BaseExceptionGroup, httpx.HTTPError, MCPError):  # errors of a client whose server has ended
        async with Client(slow.address, mode=era) as client, anyio.create_task_group() as tasks:
            arguments = await delete_planned(slow, client)
            tasks.start_soon(slow.ends_during_delete)
            answer = await call(client, "delete_message", **arguments)
    assert answer["outcomes"] == {slow.message_id: "deleted"}
    assert await slow.exit_code() == 0
    assert (slow.operation(arguments["plan_id"]).done or {})["status"] == "done"
    assert "Traceback" not in slow.log
    assert "ERROR" not in slow.log


async def test_a_delete_ends_before_the_process_although_its_client_disconnected(slow: Slow) -> None:
    """In 2025-11-25 a lost connection does not end a call: the client may reconnect for its answer."""
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
    hello = request(
        0, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "leaves", "version": "1"}
    )
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_S) as web:
        welcome = await web.post(slow.address, json=hello)
        web.headers["Mcp-Session-Id"] = welcome.headers["Mcp-Session-Id"]
        await web.post(slow.address, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        arguments: dict[str, Any] = {"message_id": [slow.message_id]}
        planned = await web.post(
            slow.address, json=request(1, "tools/call", name="delete_message", arguments=arguments)
        )
        answered = json.loads(planned.text.partition("data: ")[2].partition("\r\n")[0])
        arguments["plan_id"] = answered["result"]["structuredContent"]["plan_id"]
        async with web.stream(
            "POST", slow.address, json=request(2, "tools/call", name="delete_message", arguments=arguments)
        ):
            await slow.deleted.wait()
    await slow.ends_during_delete()
    assert await slow.exit_code() == 0
    assert (slow.operation(arguments["plan_id"]).done or {})["status"] == "done"


async def test_a_subscription_ends_with_a_response_at_sigterm(slow: Slow) -> None:
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "subscriptions/listen",
    }
    listen = request(7, "subscriptions/listen", notifications={"toolsListChanged": True}, _meta=meta())
    async with (
        httpx.AsyncClient(headers=headers, timeout=PATIENCE_S) as web,
        web.stream("POST", slow.address, json=listen) as stream,
    ):
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: message"
        slow.process.terminate()
        rest = "\n".join([line async for line in lines])
    assert json.loads(rest.rpartition("data: ")[2])["id"] == 7
    assert await slow.exit_code() == 0


async def test_a_cancelled_delete_is_resolved_while_the_server_runs(slow: Slow, era: Era) -> None:
    """The next periodic check would only come after half a minute."""
    async with Client(slow.address, mode=era) as client:
        arguments = await delete_planned(slow, client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.call_tool("delete_message", arguments))
            await slow.deleted.wait()
            assert slow.operation(arguments["plan_id"]).in_doubt == [slow.message_id]
            tasks.cancel_scope.cancel()
        with anyio.fail_after(15):
            while slow.operation(arguments["plan_id"]).done is None:  # noqa: ASYNC110  a row wakes nothing
                await anyio.sleep(0.01)
    assert slow.operation(arguments["plan_id"]).outcomes == {slow.message_id: "deleted"}


@asynccontextmanager
async def in_this_process(app: Callable[[Scope, Receive, Send], Any], calls: list[str]) -> AsyncGenerator[HttpServer]:
    """Run our server around an application, on a free port; it must end when asked."""
    door = Door(app, calls=lambda: len(calls), stop_listening=lambda: None)
    server = HttpServer(door, door, path="/", about="a test")
    with bound_sockets("127.0.0.1", 0) as (bound,):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [bound])
            while not server.started:  # noqa: ASYNC110  uvicorn wakes nothing
                await anyio.sleep(0.01)
            yield server
            server.should_exit = True


async def test_a_call_that_does_not_end_does_not_block_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "CALLS_END_S", 0.1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    with anyio.fail_after(PATIENCE_S):
        async with in_this_process(app, calls=["one that never ends"]):
            pass


async def test_a_request_on_an_open_connection_is_refused_while_calls_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
        else:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    calls = ["one in progress"]
    with anyio.fail_after(PATIENCE_S):
        async with in_this_process(app, calls) as server, httpx.AsyncClient() as client:
            where = server.servers[0].sockets[0].getsockname()
            url = f"http://{where[0]}:{where[1]}"
            assert (await client.post(url)).status_code == 204
            server.should_exit = True
            while (answer := await client.post(url)).status_code == 204:
                pass
            calls.clear()
    assert answer.status_code == 503
    assert answer.text
