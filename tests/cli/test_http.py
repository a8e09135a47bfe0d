"""`rc-mcp serve --http`: access control, which fails closed beyond this machine."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import anyio
import httpx2 as httpx
import pytest
from anyio import to_thread
from click.testing import CliRunner
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from rc_mcp import time_limits
from rc_mcp.cli import main
from rc_mcp.cli.http import (
    ENDING,
    HEALTHY,
    HOME,
    NO_TOKEN_REQUIRED,
    PATH,
    TOKEN_REQUIRED,
    application,
)
from rc_mcp.http_gates import HOST_REFUSED, Door
from rc_mcp.http_token import NO_TOKEN, WRONG_TOKEN
from tests.desk import Desk, Era, call

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-24-characters-or-more"
RC_MCP = [sys.executable, "-m", "rc_mcp", "serve", "--http", "--port", "0"]
DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture(autouse=True)
def separate_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("RC_MCP_HTTP_TOKEN", raising=False)


@dataclass
class Served:
    """The demo over HTTP: its local address, and its output before it listened."""

    process: subprocess.Popen[str]
    address: str = ""
    said: str = ""


@contextmanager
def http_server(*options: str, token: str = "", demo: bool = True, **variables: str) -> Generator[Served]:
    environment = {**os.environ, "RC_MCP_HTTP_TOKEN": token, **variables}
    command = [*RC_MCP, *(["--demo"] if demo else []), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        served = Served(process)
        try:
            for line in process.stderr:
                served.said += line
                if running := re.search(r"running on http://\S+:(\d+)", line):
                    served.address = f"http://127.0.0.1:{running[1]}/mcp"
                    yield served
                    break
        finally:
            process.terminate()
            process.communicate(timeout=20)


def answer(address: str, **headers: str) -> int:
    """Return the status of a request without a session: a refusal, or 400 from the server if accepted."""
    accept = {"Accept": "application/json, text/event-stream"}
    return httpx.post(address, json=PING, headers={**accept, **headers}, timeout=20).status_code


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run the command in this process and return its refusal; it must not serve."""
    served = RuntimeError("it served")
    monkeypatch.setattr("rc_mcp.cli.http.serve_http", Mock(side_effect=served))

    def run(*options: str) -> str:
        ended = CliRunner().invoke(main, ["serve", "--demo", "--http", *options])
        assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
        return ended.stderr

    return run


@pytest.mark.parametrize(
    "given",
    [
        ["--port", "8000"],  # the default, but asked for
        ["--host", "127.0.0.1"],
        ["--allow-host", "example.com"],
        ["--unauthenticated"],
        ["--port=0", "--allow-host=a.example", "--allow-host=b.example"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("command", [["serve"], []], ids=["serve", "no command"])
def test_an_option_of_http_without_it_is_refused_by_name(
    command: list[str], given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rc_mcp.cli.serve.RingCentralServer.run", Mock(side_effect=RuntimeError("it served")))
    ended = CliRunner().invoke(main, [*command, *given, "--demo"])
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    options = [word.partition("=")[0] for word in given if word.startswith("--")]
    assert [name for name in [*options, "--http"] if name not in ended.stderr] == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104
def test_beyond_this_machine_it_does_not_start_without_a_token(host: str, refused: Callable[..., str]) -> None:
    said = refused("--host", host)
    assert "RC_MCP_HTTP_TOKEN" in said
    assert "--unauthenticated" in said


@pytest.mark.parametrize("name", ["*", "example.com:8000", "https://example.com", "", "a*", "-x"])
def test_only_a_plain_name_can_be_allowed(name: str, refused: Callable[..., str]) -> None:
    assert "--allow-host" in refused("--allow-host", name)


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = CliRunner().invoke(main, ["serve", "--http", "--demo", "--port", str(port)])
    assert ended.exit_code == 1
    assert f" {port}: " in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_with_a_token_every_request_must_send_it() -> None:
    with http_server("--host", "0.0.0.0", token=TOKEN) as served:  # noqa: S104
        assert answer(served.address) == 401
        assert answer(served.address, Authorization=f"Bearer {TOKEN}x") == 401
        assert answer(served.address, Authorization=f"Basic {TOKEN}") == 401
        assert answer(served.address, Authorization=TOKEN) == 401
        odd = httpx.Headers([(b"Authorization", b"\xff x")])
        assert httpx.post(served.address, json=PING, headers=odd, timeout=20).status_code == 401
        assert answer(served.address.removesuffix("/mcp") + "/other") == 401
        assert answer(served.address, Authorization=f"Bearer {TOKEN}") == 400
        assert answer(served.address, Authorization=f"bearer  {TOKEN}") == 400


@pytest.fixture
def guarded(desk: Desk) -> httpx.AsyncClient:
    """Return a client of the application, which requires a token; the ASGI scope names its address."""
    app, _ = application(desk.server(), ["x"], SecretStr(TOKEN))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=("192.0.2.7", 5)), base_url="http://x")


async def test_a_wrong_token_is_called_wrong_and_logged_with_the_address_but_not_shown(
    guarded: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "SAY_AGAIN_S", 0)
    for authorization in ("Bearer wrong-canary", f"Bearer {TOKEN}canary", "bearer canary"):
        answered = await guarded.post(PATH, json=PING, headers={"Authorization": authorization})
        assert (answered.status_code, answered.text) == (401, WRONG_TOKEN)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert all("192.0.2.7" in record.getMessage() for record in caplog.records)
    assert "canary" not in caplog.text


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic canary"}, {"Authorization": "Bearer "}])
async def test_a_request_without_a_token_is_told_so_and_logged_with_the_address(
    guarded: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    answered = await guarded.post(PATH, json=PING, headers=headers)
    assert (answered.status_code, answered.text) == (401, NO_TOKEN)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "192.0.2.7" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer canary"}])
async def test_many_refused_requests_are_one_line_and_the_next_one_counts_them(
    guarded: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    for limit_s, requests in ((3600, 20), (0, 1)):
        monkeypatch.setattr(time_limits, "SAY_AGAIN_S", limit_s)
        for _ in range(requests):
            assert (await guarded.post(PATH, headers=headers)).status_code == 401
    assert [" 19 more" in record.getMessage() for record in caplog.records] == [False, True]


async def test_requests_without_a_token_do_not_hide_a_wrong_token_in_the_log(
    guarded: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for headers in ({}, {}, {"Authorization": "Bearer canary"}):
        assert (await guarded.post(PATH, headers=headers)).status_code == 401
    assert len({record.getMessage() for record in caplog.records}) == len(caplog.records) == 2


async def test_an_address_that_a_proxy_made_up_does_not_reach_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = application(desk.server(), ["x"], SecretStr(TOKEN))
    transport = httpx.ASGITransport(app=app, client=("delete everything", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.post(PATH, json=PING, headers={"Authorization": "Bearer canary"})
    assert len(caplog.records) == 1
    assert "everything" not in caplog.text


def test_on_this_machine_a_token_is_required_too() -> None:
    with http_server(token=TOKEN) as served:
        assert answer(served.address) == 401


async def test_a_client_with_the_token_works(era: Era) -> None:
    with anyio.fail_after(60), http_server("--host", "0.0.0.0", token=TOKEN) as served:  # noqa: S104
        http = httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"})
        async with http, Client(streamable_http_client(served.address, http_client=http), mode=era) as client:
            assert (await call(client, "list_messages"))["messages"]


@pytest.mark.parametrize("options", [(), ("--host", "0.0.0.0", "--unauthenticated")])  # noqa: S104
def test_it_only_answers_under_allowed_names(options: tuple[str, ...]) -> None:
    asked: list[tuple[dict[str, str], int]] = [
        ({"Host": "evil.example:8000"}, 421),
        ({"Host": "box.example.evil.example"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:80.evil.example"}, 421),
        ({"Host": "127.0.0.1:8000@evil.example"}, 421),
        ({"Host": "evil.example@127.0.0.1:8000"}, 421),
        ({"Host": "localhost:"}, 421),
        ({"Host": "localhost:http"}, 421),
        ({"Host": "localhost:0"}, 421),
        ({"Host": "localhost:080"}, 421),
        ({"Host": "localhost:65536"}, 421),
        ({"Host": "localhost:8000:8000"}, 421),
        ({"Host": "localhost:8000/"}, 421),
        ({"Host": "localhost."}, 421),
        ({"Host": "LOCALHOST:8000"}, 421),
        ({"Host": "127.1"}, 421),
        ({"Host": "0x7f000001"}, 421),
        ({"Host": "2130706433"}, 421),
        ({"Host": "::1"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Host": "[::1]evil.example"}, 421),
        ({"Host": "[::1]:8000.evil.example"}, 421),
        ({"Host": "[0:0:0:0:0:0:0:1]"}, 421),
        ({"Host": "[::ffff:127.0.0.1]"}, 421),
        ({"Host": "box-example"}, 421),
        ({"Origin": "http://localhost:80.evil.example"}, 403),
        ({"Origin": "http://localhost:8000@evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:x"}, 403),
        ({"Origin": "http://localhost:8000/"}, 403),
        ({"Origin": "http://localhost."}, 403),
        ({"Origin": "HTTP://localhost"}, 403),
        ({"Origin": "file://localhost"}, 403),
        ({"Origin": "localhost"}, 403),
        ({"Origin": ""}, 403),
        ({"Host": "[::1]:8000", "Origin": "http://[::1]:8000"}, 400),
        ({"Host": "127.0.0.1:65535"}, 400),
        ({"Host": "box.example"}, 400),
        ({"Host": "box.example:8000", "Origin": "https://box.example"}, 400),
        ({"Host": "localhost:8000"}, 400),
    ]
    with http_server("--allow-host", "Box.Example", *options) as served:
        assert [(headers, answer(served.address, **headers)) for headers, _ in asked] == asked


def test_the_refusal_of_a_host_name_names_the_option_that_allows_it() -> None:
    with http_server() as served:
        refusal = httpx.post(served.address, json=PING, headers={"Host": "box.example"}, timeout=20)
    assert (refusal.status_code, refusal.text) == (421, f"{HOST_REFUSED}\n")
    assert "--allow-host" in HOST_REFUSED


def test_a_second_origin_is_checked_too() -> None:
    accept = ("Accept", "application/json, text/event-stream")
    both = httpx.Headers([accept, ("Origin", "http://localhost"), ("Origin", "http://evil.example")])
    with http_server() as served:
        assert httpx.post(served.address, json=PING, headers=both, timeout=20).status_code == 403


def test_unauthenticated_access_needs_an_option_and_logs_a_warning() -> None:
    with http_server("--host", "0.0.0.0", "--unauthenticated") as served:  # noqa: S104
        assert answer(served.address) == 400
        assert [line for line in served.said.splitlines() if line.startswith("rc-mcp: ") and " 0.0.0.0 " in line]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")
async def test_it_ends_at_once_at_sigterm_although_a_client_is_connected(era: Era) -> None:
    with anyio.fail_after(60), http_server() as served:
        with suppress(BaseExceptionGroup, httpx.HTTPError, MCPError):  # errors of the client
            async with Client(served.address, mode=era) as client:
                await call(client, "list_messages")
                served.process.terminate()
                _, served.said = await to_thread.run_sync(partial(served.process.communicate, timeout=20))
        assert "Application shutdown complete." in served.said
        assert "Cancel" not in served.said  # uvicorn's message after its time limit


@pytest.mark.parametrize(("token", "who"), [("", NO_TOKEN_REQUIRED), (TOKEN, TOKEN_REQUIRED)])
def test_the_line_at_the_start_says_the_whole_address_and_what_is_served_to_whom(token: str, who: str) -> None:
    with http_server("--access", "triage", token=token) as served:
        [line] = [line for line in served.said.splitlines() if served.address in line]
    assert "demo" in line
    assert "access triage" in line
    assert who in line
    assert TOKEN not in served.said


def test_the_line_of_an_account_names_its_server_and_no_demo() -> None:
    login = {"RC_ACCESS_TOKEN": "x", "RC_SERVER_URL": "https://platform.example.com", "RC_MCP_ACCESS": "read"}
    with http_server(demo=False, **login) as served:
        [line] = [line for line in served.said.splitlines() if served.address in line]
    assert login["RC_SERVER_URL"] in line
    assert "demo" not in line


def test_the_line_at_the_start_names_the_rules_for_deletes_that_are_not_the_default(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("dry_run = true\n")
    with http_server(RC_MCP_POLICY=str(rules), RC_MCP_APPROVAL="human") as served:
        [line] = [line for line in served.said.splitlines() if served.address in line]
    assert all(said in line for said in (f"policy {rules}", "dry run", "approval human"))
    with http_server() as served:
        [line] = [line for line in served.said.splitlines() if served.address in line]
    assert not any(said in line for said in ("policy", "dry run", "approval"))


@pytest.mark.parametrize("token", ["", TOKEN])
def test_the_first_page_and_the_health_page_need_no_token(token: str) -> None:
    with http_server(token=token) as served:
        base = served.address.removesuffix(PATH)
        pages = {path: httpx.get(base + path, timeout=20) for path in ("/", "/health")}
        assert {path: (page.status_code, page.text) for path, page in pages.items()} == {
            "/": (200, HOME),
            "/health": (200, HEALTHY),
        }
        for page in pages.values():
            assert page.headers["content-type"].startswith("text/plain")
            assert page.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in page.headers
            head = httpx.head(page.url, timeout=20)
            assert (head.status_code, head.content) == (200, b"")
            assert httpx.post(page.url, timeout=20).status_code == (401 if token else 404)
        assert httpx.get(f"{base}/health/x", timeout=20).status_code == (401 if token else 404)
    assert PATH in HOME


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/other", "/mcp/x", "/MCP", "/sse", "/.well-known/oauth-protected-resource"])
async def test_a_wrong_address_is_answered_with_the_right_one(
    guarded: httpx.AsyncClient, method: str, path: str
) -> None:
    for headers, status, text in (({}, 401, NO_TOKEN), ({"Authorization": f"Bearer {TOKEN}"}, 404, HOME)):
        answered = await guarded.request(method, path, json=PING, headers=headers)
        assert (answered.status_code, answered.text) == (status, text)


@pytest.mark.parametrize("path", ["/", "/health"])
async def test_an_mcp_client_with_the_address_of_a_page_is_told_the_right_one(
    guarded: httpx.AsyncClient, path: str
) -> None:
    answered = await guarded.post(path, json=PING, headers={**SSE, "Authorization": f"Bearer {TOKEN}"})
    assert (answered.status_code, answered.text) == (404, HOME)


def test_the_health_check_of_the_container_succeeds_only_while_the_server_runs() -> None:
    [check] = re.findall(r"HEALTHCHECK .*?CMD (\[.*?\])\n", DOCKERFILE.read_text("utf-8"), re.DOTALL)

    def exit_code(port: int | None) -> int:
        command = [sys.executable, *json.loads(check.replace("8000", str(port)))[1:]]
        environment = {**os.environ, "http_proxy": "http://127.0.0.1:9"}
        return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60, check=False, env=environment).returncode

    with http_server() as served:
        port = httpx.URL(served.address).port
        assert exit_code(port) == 0
    assert exit_code(port) == 1


def test_only_the_health_page_answers_under_a_name_that_is_not_allowed() -> None:
    asked = {"Host": "10.0.0.7:8000"}, {"Host": "evil.example"}, {"Origin": "http://evil.example"}
    with http_server() as served:
        base = served.address.removesuffix(PATH)
        for headers in asked:
            assert httpx.get(f"{base}/health", headers=headers, timeout=20).text == HEALTHY
            assert httpx.get(f"{base}/", headers=headers, timeout=20).status_code in {403, 421}


@pytest.fixture
async def in_process(desk: Desk) -> AsyncGenerator[tuple[httpx.AsyncClient, Door, Mapping[str, object]]]:
    """The application without sockets: a client, the gate, and the sessions by id."""
    server = desk.server()
    app, door = application(server, ["localhost"], None)
    sessions = server.session_manager._server_instances  # pyright: ignore[reportPrivateUsage]
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")
    async with server.session_manager.run(), http as client:
        yield client, door, sessions


InProcess = tuple[httpx.AsyncClient, Door, Mapping[str, object]]
SSE = {"Accept": "application/json, text/event-stream"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PUT"])
@pytest.mark.parametrize("version", [None, "2025-06-18", "2026-07-28"])
async def test_a_request_that_opens_no_session_leaves_none_behind(
    in_process: InProcess, method: str, version: str | None
) -> None:
    client, _, sessions = in_process
    headers = {**SSE, **({"MCP-Protocol-Version": version} if version else {})}
    for _ in range(3):
        refused = await client.request(method, PATH, headers=headers)
        assert refused.status_code in {400, 405, 406}
    assert dict(sessions) == {}


async def test_a_session_is_counted_once_it_is_initialized_and_not_after_its_end(in_process: InProcess) -> None:
    client, _, sessions = in_process
    initialize = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
    }  # fmt: skip
    opened = await client.post(PATH, json=initialize, headers=SSE)
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    assert [*sessions] == [*session.values()]
    assert (await client.delete(PATH, headers={**SSE, **session})).status_code == 200
    assert dict(sessions) == {}


async def test_the_health_page_says_when_the_server_ends(in_process: InProcess) -> None:
    client, door, _ = in_process
    assert (await client.get("/health")).status_code == 200
    door.refuse_new()
    answer = await client.get("/health")
    assert (answer.status_code, answer.text) == (503, ENDING)
    assert (await client.post(PATH, json=PING, headers=SSE)).status_code == 503


async def test_a_browser_is_told_that_there_is_no_web_page_and_a_client_is_not(in_process: InProcess) -> None:
    client, _, sessions = in_process
    browsed = await client.get(PATH, headers=BROWSER)
    assert (browsed.status_code, browsed.text) == (406, HOME)
    for headers in (SSE, {"Accept": "text/event-stream"}, {"Accept": "*/*"}):
        assert (await client.get(PATH, headers=headers)).text != HOME
    assert (await client.get(f"{PATH}/")).status_code == 307
    assert dict(sessions) == {}
