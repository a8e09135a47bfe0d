"""`rc-mcp serve` as hosts start it: a separate process, over stdio and HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import anyio
import httpx2 as httpx
import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from rc_mcp.access import Level
from rc_mcp.cli import main
from rc_mcp.cli.demo.screen import rows
from rc_mcp.cli.demo.server import UNWATCHED, WATCH, demo_server
from rc_mcp.guard.guard import OTHER_DEMOS
from rc_mcp.tools import SEARCH, tools_for
from tests.conftest import MIRROR
from tests.desk import Era, call, refused
from tests.serving import RC_MCP, http_server, served

pytestmark = pytest.mark.anyio
META: dict[str, object] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def offered(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


def names_in_the_demo(access: Level) -> list[str]:
    return [tool.name for tool in tools_for(access, with_search=True)]


async def test_the_demo_works_over_stdio(era: Era, tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=RC_MCP[0], args=[*RC_MCP[1:], "serve", "--demo"], env={"RC_MCP_STATE_DIR": str(tmp_path)}
    )
    with anyio.fail_after(60):
        async with Client(server, mode=era) as client:
            assert await offered(client) == names_in_the_demo("admin")
            assert (await call(client, "list_messages"))["messages"]
            assert "sender" in await refused(client, "list_messages", sender="x")


@pytest.mark.parametrize("options", [["--demo"], ["--demo", "--http", "--port", "0"]])
def test_a_server_makes_its_state_folder_when_it_starts_so_that_stop_can_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    state_dir = tmp_path / "of" / "state"
    for name in ("http.serve_http", "serve._serve_stdio"):
        monkeypatch.setattr(f"rc_mcp.cli.{name}", Mock())
    ended = CliRunner().invoke(main, ["serve", *options], env={"RC_MCP_STATE_DIR": str(state_dir)})
    assert ended.exit_code == 0, ended.output
    assert (state_dir.is_dir(), list(state_dir.iterdir())) == (True, [])


async def test_the_demo_has_no_rate_limits(tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=RC_MCP[0], args=[*RC_MCP[1:], "serve", "--demo"], env={"RC_MCP_STATE_DIR": str(tmp_path)}
    )
    with anyio.fail_after(60):
        async with Client(server) as client:
            for _ in range(70):  # more than RingCentral allows in a minute
                await call(client, "list_messages", per_page=1)


async def test_the_demo_says_on_stderr_and_to_the_model_where_its_mailbox_can_be_watched(
    era: Era, tmp_path: Path
) -> None:
    server = StdioServerParameters(
        command=RC_MCP[0], args=[*RC_MCP[1:], "serve", "--demo"], env={"RC_MCP_STATE_DIR": str(tmp_path)}
    )
    log = tmp_path / "stderr"
    with anyio.fail_after(60), log.open("w+") as stderr:
        async with Client(stdio_client(server, errlog=stderr), mode=era) as client, httpx.AsyncClient() as browser:
            [address] = re.findall(f"{WATCH} (http://127.0.0.1:[0-9]+/)", log.read_text())
            assert (client.instructions or "").endswith(f"{WATCH} {address}\n")
            message = rows((await call(client, "list_messages", read_status="Unread"))["messages"])[0]["id"]
            assert "<dd>Unread</dd>" in re.sub("</?bdi>", "", (await browser.get(f"{address}messages/{message}")).text)
            await call(client, "update_message", message_id=message, read_status="Read")
            assert "<dd>Read</dd>" in re.sub("</?bdi>", "", (await browser.get(f"{address}messages/{message}")).text)
            assert f"/messages/{message}" in (await browser.get(address)).text
        with pytest.raises(httpx.ConnectError):
            await httpx.AsyncClient().get(address)


async def test_the_demo_starts_where_no_page_can_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path))
    monkeypatch.setattr("socket.create_server", Mock(side_effect=PermissionError("not here")))
    with demo_server(None) as (server, _):
        async with Client(server) as client:
            assert (client.instructions or "").endswith(f"{UNWATCHED}\n")
            assert (await call(client, "list_messages"))["messages"]
    assert capsys.readouterr().err == f"rc-mcp: {UNWATCHED}\n"


async def test_the_demo_over_http_can_be_watched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path))
    with served(*RC_MCP, "serve", "--http", "--port", "0", "--demo") as server, anyio.fail_after(60):
        [address] = re.findall(f"{WATCH} (http://127.0.0.1:[0-9]+/)", "".join(server.log))
        async with httpx.AsyncClient() as browser:
            assert "/messages/" in (await browser.get(address)).text
            assert (await browser.get(f"{address}restapi/v1.0")).status_code == 404


async def test_a_plan_of_another_demo_process_is_refused_as_such(era: Era, tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=RC_MCP[0], args=[*RC_MCP[1:], "serve", "--demo"], env={"RC_MCP_STATE_DIR": str(tmp_path)}
    )
    answers: list[dict[str, str]] = []
    with anyio.fail_after(60):
        for _ in range(2):  # a process for each call
            async with Client(server, mode=era) as client:
                message = rows((await call(client, "list_messages"))["messages"])[0]["id"]
                plan_id = answers[0]["plan_id"] if answers else None
                answers.append(await call(client, "delete_message", message_id=message, plan_id=plan_id))
    assert [answer["status"] for answer in answers] == ["confirmation_required", "refused"]
    assert OTHER_DEMOS in answers[1]["said"]


async def test_rc_mcp_without_a_command_serves_stdio(tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=RC_MCP[0], args=[*RC_MCP[1:], "--demo", "--access", "read"], env={"RC_MCP_STATE_DIR": str(tmp_path)}
    )
    with anyio.fail_after(60):
        async with Client(server) as client:
            assert await offered(client) == names_in_the_demo("read")


async def test_the_demo_works_over_http(era: Era, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR)
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path))
    with anyio.fail_after(60), http_server("--demo") as address:
        async with Client(address, mode=era) as client:
            assert await offered(client) == names_in_the_demo("admin")
            message = rows((await call(client, "list_messages"))["messages"])[0]["id"]
            answer = await call(client, "delete_message", message_id=message)
            assert answer["status"] == "confirmation_required"
            assert "sender" in await refused(client, "list_messages", sender="x")


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGINT to send")
def test_ctrl_c_ends_it_although_the_host_keeps_stdin_open(tmp_path: Path) -> None:
    asked: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    with subprocess.Popen(
        [*RC_MCP, "serve", "--demo"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RC_MCP_STATE_DIR": str(tmp_path)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(asked)}\n".encode())
        process.stdin.flush()
        assert b'"tools"' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == -signal.SIGINT


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "RC_USER_JWT"),
        ({"RC_USER_JWT": "x"}, "RC_APP_CLIENT_ID"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MCP_ACCESS": "all"}, "RC_MCP_ACCESS"),
        ({"RC_ACCESS_TOKEN": "x", "RC_SERVER_URL": "http://platform.ringcentral.com"}, "RC_SERVER_URL"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MEDIA_URL": "ftp://x"}, "RC_MEDIA_URL"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MCP_EXTENSIONS": "one"}, "RC_MCP_EXTENSIONS"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MCP_ACCOUNTS": ","}, "RC_MCP_ACCOUNTS"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MCP_APPROVAL": "never"}, "RC_MCP_APPROVAL"),
        ({"RC_APP_CLIENT_ID": "x", "RC_USER_JWT": "${RC_USER_JWT}"}, "RC_USER_JWT"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MCP_POLICY": "policy.toml"}, "RC_MCP_POLICY"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MCP_CONTACTS": "contacts.vcf"}, "RC_MCP_CONTACTS"),
        ({"RC_ACCESS_TOKEN": "x", "RC_MCP_HTTP_TOKEN": "easy"}, "RC_MCP_HTTP_TOKEN"),
    ],
)
def test_wrong_configuration_is_one_line_that_names_the_variable(
    variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = subprocess.run(
        [*RC_MCP, "serve"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert named in ended.stderr


@pytest.mark.parametrize("demo", [[], ["--demo"]], ids=["account", "demo"])
def test_a_server_with_a_broken_policy_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: list[str]
) -> None:
    (tmp_path / "policy.toml").write_text("[limits]\nmax_per_day = 'many'\n")
    monkeypatch.setenv("RC_ACCESS_TOKEN", "x")
    monkeypatch.setenv("RC_MCP_POLICY", "policy.toml")
    ended = subprocess.run(
        [*RC_MCP, "serve", *demo], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    at = f"RC_MCP_POLICY: {tmp_path / 'policy.toml'}: line 2"
    assert f"{at}: max_per_day " in line


def test_a_dotenv_file_in_the_working_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RC_MCP_ACCESS=everything\n")
    ended = subprocess.run(
        [*RC_MCP], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert (ended.returncode, "RC_MCP_ACCESS" in ended.stderr) == (2, True)


@pytest.mark.parametrize("module", ["rc_mcp.cli", "rc_mcp.server"])
def test_the_server_starts_without_the_libraries_for_documents(module: str) -> None:
    libraries = {"PIL", "pypdfium2", "rapidocr", "onnxruntime", "numpy", "cv2"}
    program = f"import sys, {module}; print(*{libraries} & {{*sys.modules}})"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == []


def test_a_server_of_a_real_mailbox_starts_without_the_emulator_and_before_it_reads_prompts() -> None:
    program = (
        "import sys; from rc_mcp.cli import serve; from rc_mcp.server import build_server;"
        "from rc_mcp.settings import load_settings; build_server(load_settings(RC_ACCESS_TOKEN='x'));"
        "print(*{'rc_mcp.emulator', 'rc_mcp.cli.http', 'frontmatter', 'yaml'} & {*sys.modules})"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == []


async def test_the_demo_searches_a_copy_that_goes_with_it_unless_the_user_wants_none(
    tmp_path: Path,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {"RC_MCP_STATE_DIR": str(tmp_path / "state"), "TMPDIR": str(temporary), "TEMP": str(temporary)}
    for variables, is_offered in (({}, True), ({"RC_MCP_MIRROR": "off"}, False)):
        server = StdioServerParameters(command=RC_MCP[0], args=[*RC_MCP[1:], "serve", "--demo"], env=env | variables)
        with anyio.fail_after(60):
            async with Client(server) as client:
                assert (SEARCH in await offered(client)) == is_offered
                while is_offered and not (await call(client, SEARCH, query="referral"))["total"]:
                    pass  # it is being filled
    assert not list((tmp_path / "state").glob("mirror*"))
    assert not any(temporary.iterdir())
