"""`rc-mcp login` and `rc-mcp logout`, with a scripted browser."""

import os
import re
import socket
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2 as httpx
import pytest
from mcp import Client, StdioServerParameters

from rc_mcp.cli.demo.screen import rows
from rc_mcp.cli.login import LOGGED_OUT, NOBODY, NOT_LOGGED_IN, NOT_REVOKED
from rc_mcp.emulator import Emulator
from rc_mcp.server import build_server
from rc_mcp.settings import load_settings
from tests.cli.test_doctor import doctor
from tests.desk import call

pytestmark = pytest.mark.anyio

RC_MCP = [sys.executable, "-m", "rc_mcp"]


@dataclass
class Terminal:
    """The commands of a user who only has a client id."""

    emulator: Emulator
    state_dir: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RC_SERVER_URL": self.emulator.server_url,
            "RC_APP_CLIENT_ID": self.emulator.client_id,
            "RC_MCP_STATE_DIR": str(self.state_dir),
            **self.variables,
        }

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command, and return its exit code and output."""
        ended = await anyio.run_process([*RC_MCP, *arguments], check=False, env=self.environment())
        return ended.returncode, (ended.stdout + ended.stderr).decode()

    @asynccontextmanager
    async def login(self, *options: str) -> AsyncGenerator["Waiting"]:
        """Start `rc-mcp login`, and yield it once it has printed its address."""
        command = [*RC_MCP, "login", "--port", "0", "--no-browser", *options]
        with anyio.fail_after(60):
            async with await anyio.open_process(command, env=self.environment()) as process:
                assert process.stdout is not None
                said = ""
                while "response_type" not in said or not said.endswith("\n"):
                    said += (await process.stdout.receive()).decode()
                yield Waiting(process, said)

    def kept(self) -> str:
        return "".join(file.read_text() for file in self.state_dir.glob("logins/*.json"))


@dataclass
class Waiting:
    """A login that waits for its user."""

    process: anyio.abc.Process
    said: str

    @property
    def address(self) -> str:
        return re.findall(r"^http\S+$", self.said, re.MULTILINE)[0]

    @property
    def listener(self) -> str:
        return parse_qs(urlsplit(self.address).query)["redirect_uri"][0]

    async def ends(self) -> int:
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            self.said += b"".join([part async for part in stream]).decode()
        return await self.process.wait()


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncGenerator[Terminal]:
    with Emulator(rate_limits=False) as emulator:
        async with emulator.serve():
            yield Terminal(emulator, tmp_path / "state")


async def in_the_browser(terminal: Terminal, address: str, **pressed: str) -> httpx.Response:
    """Open the page, submit its form, and follow the redirect."""
    user = terminal.emulator.users[0]
    async with httpx.AsyncClient(follow_redirects=True, headers={"Accept": "text/html"}) as browser:
        page = await browser.get(address)
        hidden = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
        form = {name: unescape(value) for name, value in hidden}
        login = pressed or {"username": user.username, "password": user.password}
        return await browser.post(f"{terminal.emulator.server_url}/restapi/oauth/authorize", data={**form, **login})


async def test_a_user_logs_in_uses_the_server_and_logs_out(terminal: Terminal) -> None:
    async with terminal.login() as waiting:
        page = await in_the_browser(terminal, waiting.address)
        assert page.status_code == 200
        assert not re.search(r"(src|href)=", page.text)
        assert await waiting.ends() == 0
    (file,) = (terminal.state_dir / "logins").glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    server = StdioServerParameters(command=RC_MCP[0], args=[*RC_MCP[1:], "serve"], env=terminal.environment())
    with anyio.fail_after(60):
        async with Client(server) as client:
            assert (await call(client, "list_messages", date_from="30d"))["messages"]

    code, said = await terminal.run("doctor")
    assert (code, "rc-mcp login" in said) == (0, True), said

    tokens = re.findall(r'"(?:access|refresh)_token":"([^"]+)"', terminal.kept())
    assert len(tokens) == 2
    assert await terminal.run("logout") == (0, f"{LOGGED_OUT}\n")
    assert terminal.kept() == ""
    async with httpx.AsyncClient() as http:
        url = f"{terminal.emulator.server_url}/restapi/v1.0/account/~/extension/~/message-store"
        assert (await http.get(url, headers={"Authorization": f"Bearer {tokens[0]}"})).status_code == 401
    assert await terminal.run("logout") == (0, f"{NOT_LOGGED_IN}\n")
    assert not [token for token in tokens if token in waiting.said + said]


async def test_an_app_with_a_secret_can_log_in_too(terminal: Terminal) -> None:
    terminal.variables["RC_APP_CLIENT_SECRET"] = terminal.emulator.client_secret
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        assert await waiting.ends() == 0
    assert terminal.emulator.client_secret not in waiting.said + terminal.kept()


async def test_requests_without_the_state_are_refused_and_do_not_end_the_wait(terminal: Terminal) -> None:
    async with terminal.login() as waiting:
        host, port = urlsplit(waiting.listener).hostname, urlsplit(waiting.listener).port
        assert host == "127.0.0.1"
        silent = await anyio.connect_tcp(host, port or 0)
        async with silent, httpx.AsyncClient() as intruder:
            for query in ("?code=x", "?code=x&state=guessed", "?error=access_denied&state=", "?code=x&state=ü"):
                assert (await intruder.get(waiting.listener + query)).status_code == 400
            assert (await intruder.get(waiting.listener.replace("/callback", "/favicon.ico"))).status_code == 404
            assert (await intruder.post(waiting.listener, data={"code": "x"})).status_code == 404
            async with await anyio.connect_tcp(host, port or 0) as odd:
                await odd.send(b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await odd.receive()).startswith(b"HTTP/1.1 404 ")
            await in_the_browser(terminal, waiting.address)
            assert await waiting.ends() == 0


async def test_a_user_who_cancels_is_not_logged_in(terminal: Terminal) -> None:
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address, cancel="1")
        assert await waiting.ends() == 1
    assert "access_denied" in waiting.said
    assert terminal.kept() == ""


async def test_a_login_with_a_refused_code_fails_without_showing_the_code(terminal: Terminal) -> None:
    async with terminal.login() as waiting:
        state = parse_qs(urlsplit(waiting.address).query)["state"][0]
        async with httpx.AsyncClient() as browser:
            await browser.get(waiting.listener, params={"code": "canary-code", "state": state})
        assert await waiting.ends() == 1
    assert "OAU-106" in waiting.said
    assert "canary-code" not in waiting.said
    assert "Traceback" not in waiting.said


async def test_a_login_times_out_with_an_error(terminal: Terminal) -> None:
    async with terminal.login("--timeout", "1") as waiting:
        assert await waiting.ends() == 1
    assert " 1 s " in waiting.said
    assert "rc-mcp login" in waiting.said


async def test_a_port_in_use_is_an_error(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = await terminal.run("login", "--no-browser", "--port", str(taken.getsockname()[1]))
    assert (code, "--port" in said, len(said.splitlines())) == (1, True, 1)


async def test_the_browser_is_opened_at_the_address(terminal: Terminal, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    script = tmp_path / "browser.py"
    script.write_text(f"import sys, pathlib; pathlib.Path({str(opened)!r}).write_text(sys.argv[1])")
    terminal.variables["BROWSER"] = f"{sys.executable} {script} %s"
    code, said = await terminal.run("login", "--port", "0", "--timeout", "3")
    assert (code, opened.read_text() in said) == (1, True)


async def test_a_login_without_an_app_names_the_variable(terminal: Terminal) -> None:
    terminal.variables["RC_APP_CLIENT_ID"] = ""
    code, said = await terminal.run("login")
    assert (code, "RC_APP_CLIENT_ID" in said, len(said.splitlines())) == (2, True, 1)


async def test_a_revocation_that_fails_does_not_keep_the_tokens(terminal: Terminal) -> None:
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        await waiting.ends()
    tokens = re.findall(r'"(?:access|refresh)_token":"([^"]+)"', terminal.kept())
    terminal.variables["RC_APP_CLIENT_SECRET"] = "canary-wrong-secret"
    code, said = await terminal.run("logout")
    assert (code, terminal.kept()) == (0, "")
    assert NOT_REVOKED in said
    assert not [secret for secret in [*tokens, "canary-wrong-secret"] if secret in said]


async def test_an_unusable_proxy_is_an_error_of_login_and_logout(terminal: Terminal) -> None:
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        await waiting.ends()
    terminal.variables |= {"ALL_PROXY": "socks9://canary@proxy.test", "NO_PROXY": "", "no_proxy": ""}
    code, said = await terminal.run("logout")
    assert (code, terminal.kept()) == (0, "")
    assert "ALL_PROXY" in said
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        assert await waiting.ends() == 1
    assert "ALL_PROXY" in waiting.said
    assert not [text for text in (said, waiting.said) if "Traceback" in text or "canary" in text]


async def test_logout_without_an_app_says_that_nobody_is_logged_in_or_that_the_app_is_missing(
    terminal: Terminal,
) -> None:
    terminal.variables["RC_APP_CLIENT_ID"] = ""
    assert await terminal.run("logout") == (0, f"{NOBODY}\n")
    del terminal.variables["RC_APP_CLIENT_ID"]
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        await waiting.ends()
    terminal.variables["RC_APP_CLIENT_ID"] = ""
    kept = terminal.kept()
    code, said = await terminal.run("logout")
    assert (code, terminal.kept()) == (2, kept)
    assert "RC_APP_CLIENT_ID" in said


async def test_login_and_logout_over_plain_http_use_no_proxy(terminal: Terminal) -> None:
    terminal.variables |= {"ALL_PROXY": "http://proxy.test", "NO_PROXY": "", "no_proxy": ""}
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        assert await waiting.ends() == 0
    assert await terminal.run("logout") == (0, f"{LOGGED_OUT}\n")


async def test_doctor_does_not_blame_the_network_for_a_login_that_cannot_be_read(terminal: Terminal) -> None:
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        await waiting.ends()
    (lock,) = (terminal.state_dir / "logins").glob("*.lock")
    lock.unlink()
    lock.mkdir()
    code, said = await terminal.run("doctor")
    assert code == 1
    assert "fault login: " in said
    assert "rc-mcp login" in said
    assert "network" not in said


async def test_doctor_names_the_credentials_in_use_and_the_remedy_for_an_ended_login(terminal: Terminal) -> None:
    code, said = await doctor(terminal.emulator, terminal.state_dir)
    assert (code, re.search(r"^ok    credentials: .*RC_USER_JWT", said, re.MULTILINE) is not None) == (0, True)
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        await waiting.ends()
    terminal.emulator.sessions.end_all()
    code, said = await terminal.run("doctor")
    assert code == 1
    assert "rc-mcp login" in said.partition("fault login: ")[2]


async def test_plans_of_a_user_outlive_their_tokens_and_are_invalid_for_other_users(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with terminal.login() as waiting:
        await in_the_browser(terminal, waiting.address)
        await waiting.ends()
    for name, value in terminal.environment().items():
        if name.startswith("RC_"):
            monkeypatch.setenv(name, value)
    async with Client(build_server(load_settings())) as client:
        message = rows((await call(client, "list_messages", date_from="30d"))["messages"])[0]["id"]
        plan = (await call(client, "delete_message", message_id=message))["plan_id"]
    before = terminal.kept()
    (file,) = (terminal.state_dir / "logins").glob("*.json")
    file.write_text(re.sub(r'"good_until":[^,}]+', '"good_until":0', before))
    async with Client(build_server(load_settings())) as client:
        answer = await call(client, "delete_message", message_id=message, plan_id=plan)
        assert answer["status"] == "done"
    assert terminal.kept() != before
    file.write_text(terminal.kept().replace(f'"{terminal.emulator.extension_id}"', '"other"'))
    async with Client(build_server(load_settings())) as client:
        answer = await call(client, "delete_message", message_id=message, plan_id=plan)
        assert answer["status"] == "refused"
