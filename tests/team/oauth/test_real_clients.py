"""Real clients log in, and a real browser shows the pages: `make team-clients`.

The official conformance suite, the MCP Inspector and fastmcp's client are programs that are not ours. Each prints or
opens the address to log in at; Chromium opens it, agrees, and logs in at the emulated RingCentral.
"""

import os
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc
import pytest
from mcp.types import TextContent
from playwright.async_api import Browser as Chromium

from bench.frameworks.environments import python_command
from tests.inbox.chromium.visits import Visit, running_chromium, visiting
from tests.installed import node_environment, node_of
from tests.team.oauth.desktop import CALLBACK, Desktop
from tests.team.oauth.documents import Documents
from tests.team.oauth.site import Site, parameters_of

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.long]

HERE, TESTS = Path(__file__).parent, Path(__file__).parents[2]
NEEDS_NODE = 22
LASTS_S = 60


@pytest.fixture(scope="module")
async def chromium() -> AsyncGenerator[Chromium]:
    """One Chromium for all tests here."""
    async with running_chromium() as browser:
        yield browser


@pytest.fixture
async def visit(chromium: Chromium) -> AsyncGenerator[Visit]:
    """A window of its own."""
    async with visiting(chromium) as visit:
        yield visit


@dataclass
class Program:
    """A client that is running, and what it wrote."""

    process: anyio.abc.Process
    said: str = ""

    async def says(self, pattern: str) -> str:
        """Wait until the program wrote this; return the first group."""
        assert self.process.stdout
        while not (found := re.search(pattern, self.said)):
            self.said += (await self.process.stdout.receive()).decode()
        return found[1]


@asynccontextmanager
async def running(*command: str, **variables: str) -> AsyncGenerator[Program]:
    """Run a client to its end."""
    environment = {**os.environ, **variables}
    with anyio.fail_after(LASTS_S):
        async with await anyio.open_process(command, env=environment, stderr=-2) as process:
            program = Program(process)
            try:
                yield program
                with pytest.raises(anyio.EndOfStream):
                    await program.says("(will not come)")
            except anyio.EndOfStream:
                raise AssertionError(program.said) from None
        assert process.returncode == 0, program.said


async def log_in(visit: Visit, site: Site, address: str, *, then: str) -> dict[str, str]:
    """Agree and log in as a person does; return what is sent to the address that begins so."""
    await visit.page.goto(address)
    await visit.page.get_by_role("button", name="Continue to RingCentral").click()
    user = site.user()
    await visit.page.get_by_label("Username").fill(user.username)
    await visit.page.get_by_label("Password").fill(user.password)
    async with visit.page.expect_request(lambda request: request.url.startswith(then)) as sent:
        await visit.page.get_by_role("button", name="Log in").click()
    return parameters_of((await sent.value).url)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def an_address(site: Site) -> str:
    return rf"({re.escape(site.url)}/authorize\?[^\s\"']+)\s"


@dataclass
class ByChromium:
    """The browser that the SDK's client opens."""

    visit: Visit
    site: Site

    async def log_in(self, address: str) -> dict[str, str]:
        self.visit.expects("ERR_CONNECTION_REFUSED|chrome-error")  # nothing listens for its answer
        return await log_in(self.visit, self.site, address, then=CALLBACK)


@pytest.mark.parametrize("kind", ["document", "registration"])
async def test_the_sdk_s_client_logs_in(site: Site, documents: Documents, visit: Visit, kind: str) -> None:
    url = documents.publish("sdk", redirect_uris=["http://127.0.0.1/callback"])
    desktop = Desktop(site, ByChromium(visit, site), url if kind == "document" else None)
    async with desktop.connected() as client:
        result = await client.call_tool("whoami", {})

    assert isinstance(result.content[0], TextContent)
    assert result.content[0].text == site.person().id


@pytest.mark.parametrize("kind", ["document", "registration"])
async def test_fastmcp_logs_in(site: Site, documents: Documents, visit: Visit, tmp_path: Path, kind: str) -> None:
    command = python_command(HERE / "programs/fastmcp_client.py", "fastmcp")
    url = documents.publish("fastmcp", redirect_uris=["http://localhost/callback"])
    command += [site.resource, *([url] if kind == "document" else [])]
    async with running(*command, BROWSER="echo %s", HOME=str(tmp_path), COLUMNS="5000") as program:
        address = await program.says(an_address(site))
        assert (parameters_of(address)["client_id"] == url) == (kind == "document")
        visit.expects("gofastmcp.com")  # its last page loads a picture from there
        await log_in(visit, site, address, then="http://localhost:")
        assert await program.says(r"whoami: (\w+)") == site.person().id


@pytest.mark.parametrize("kind", ["document", "registration"])
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_inspector_logs_in(
    site: Site, documents: Documents, visit: Visit, tmp_path: Path, kind: str, era: str
) -> None:
    folder = node_environment(TESTS / "suites")
    entry = folder / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    node = node_of(node_environment(TESTS / "conformance"), NEEDS_NODE)
    callback = f"http://127.0.0.1:{free_port()}/oauth/callback"
    url = documents.publish("inspector", redirect_uris=[callback])
    command = [node, str(entry), "--cli", site.resource, "--transport", "http", "--protocol-era", era]
    command += ["--callback-url", callback, *(["--client-metadata-url", url] if kind == "document" else [])]
    command += ["--method", "tools/call", "--tool-name", "whoami", "--format", "json"]
    async with running(*command, HOME=str(tmp_path), MCP_AUTO_OPEN_ENABLED="true") as program:
        address = await program.says(an_address(site))
        assert (parameters_of(address)["client_id"] == url) == (kind == "document")
        await log_in(visit, site, address, then=callback)
        assert await program.says(rf"({site.person().id})")


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
async def test_the_official_suite_finds_no_fault(site: Site, visit: Visit, revision: str) -> None:
    folder, port = node_environment(TESTS / "conformance"), free_port()
    entry = folder / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    callback = f"http://127.0.0.1:{port}/callback"
    async with site.client(callback) as client:
        command = [node_of(folder, NEEDS_NODE), str(entry), "authorization", "--url", site.url, "--port", str(port)]
        command += ["--client-id", client.client_id, "--resource", site.resource, "--spec-version", revision]
        async with running(*command) as program:
            await log_in(visit, site, await program.says(an_address(site)), then=callback)
    print(program.said.partition("=== SUMMARY ===")[2])  # noqa: T201  shown by `make team-clients`
