"""The command lines of four hosts, unmodified, log in to a team's server, without a network: `make hosts`.

Each is on a terminal, as its user has it. The user opens the address that it prints, agrees and logs in at the emulated
RingCentral; then the browser opens the address where the host waits, or the user pastes that address, as over SSH.
"""

import re
import shlex
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from anyio import from_thread, to_thread

from rc_mcp.team.oauth import grants
from rc_mcp.team.oauth.redirects import with_parameters
from tests.desk import Clock
from tests.hosts.machine import Command, Machine, new_machine
from tests.hosts.network import network_with_server
from tests.hosts.programs import claude, codex, codex_status, gemini, opencode
from tests.team.oauth.documents import Documents
from tests.team.oauth.site import Site, parameters_of

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.long]

CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"
CODEX = "https://chatgpt.com/oauth/codex/client.json"
ON_THIS_COMPUTER = ["http://localhost/callback", "http://127.0.0.1/callback"]
REGISTERED = "[0-9a-f-]{36}"
IS_CONNECTED = "messages.* Connected"
OPEN = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()"
"""What a browser does with the address where a host waits. It fails unless the host answers 200."""
AN_HOUR = timedelta(hours=1, minutes=1)
EXPIRES = re.compile(r'("expires_?at": ?)[\d.]+', re.IGNORECASE)
"""When the access token expires, in a host's own file."""


def trusting_gemini(machine: Machine, *arguments: str) -> Command:
    """Return Gemini as its user has it in a folder that it trusts: elsewhere it connects to no server."""
    command = gemini(machine, *arguments)
    return replace(command, environment={**command.environment, "GEMINI_CLI_TRUST_WORKSPACE": "true"})


PROGRAMS = {"claude": claude, "codex": codex, "gemini": trusting_gemini, "opencode": opencode}


@dataclass(frozen=True)
class Host:
    """How the user of a host adds a server and logs in: lines of a shell, and patterns of what the host then says."""

    title: str
    add: str
    added: str
    log_in: str
    """Empty if adding the server begins the login."""
    status: Callable[[Machine], Command]
    connected: str
    client: tuple[str, str]
    """Patterns of its client id and its name."""
    last_line: str | None = None
    """Of `status`, if the program does not end by itself."""
    asks: str = ""
    """A question before the login, to which its user answers y."""
    takes_a_paste: bool = False
    """Whether its user pastes the address where it waits, instead of opening it in a browser."""
    log_out: str = ""
    """Empty if it cannot."""
    revokes: bool = False
    """Whether logging out ends the grant at the server too."""


IN_CLAUDE_CODE = Host(
    title="Claude Code",
    add="claude mcp add --transport http messages {url}",
    added="Added HTTP MCP server messages",
    log_in="claude mcp login messages --no-browser",
    status=lambda machine: claude(machine, "mcp", "list"),
    connected=IS_CONNECTED,
    client=(CLAUDE_CODE, "Claude Code"),
    log_out="claude mcp logout messages",
    revokes=True,
)
IN_CODEX = Host(
    title="Codex",
    add="codex mcp add messages --url {url}",
    added="Added global MCP server 'messages'",
    log_in="",
    status=codex_status,
    connected='"whoami":',
    last_line='"id":2',
    client=(CODEX, "Codex"),
    # On a machine without a keyring it forgets nothing, unless it is told to use its file.
    log_out="codex mcp logout messages -c 'mcp_oauth_credentials_store=\"file\"'",
)
IN_GEMINI = Host(
    title="Gemini CLI",
    add="gemini mcp add --scope user --transport http messages {url}",
    added='MCP server "messages" added',
    log_in="gemini --prompt '/mcp auth messages'",
    asks=r"\[Y/n\]",
    status=lambda machine: trusting_gemini(machine, "mcp", "list"),
    connected=IS_CONNECTED,
    client=(REGISTERED, "Gemini CLI MCP Client"),
)
IN_OPENCODE = Host(
    title="opencode",
    add="opencode mcp add messages --url {url}",
    added='MCP server "messages" added',
    log_in="opencode mcp auth messages",
    status=lambda machine: opencode(machine, "mcp", "list"),
    connected="messages .*connected",
    client=(REGISTERED, "OpenCode"),
    log_out="opencode mcp logout messages",
)
HOSTS = [
    IN_CLAUDE_CODE,
    replace(IN_CLAUDE_CODE, title="Claude Code over SSH", takes_a_paste=True),
    IN_CODEX,
    replace(
        IN_CODEX,
        title="Codex over SSH, which registers",
        log_in="codex mcp login messages --no-browser --oauth-client-registration dcr",
        takes_a_paste=True,
        client=(REGISTERED, "Codex"),
    ),
    IN_GEMINI,
    IN_OPENCODE,
]


@dataclass
class Computer:
    """A person's machine with a host on it, which reaches the site."""

    machine: Machine
    site: Site
    host: Host

    def add_server(self) -> None:
        said = self.machine.says(self._command(self.host.add), self.host.added)
        assert re.search(self.host.added, said), said

    def log_in(self) -> None:
        """Log in as a person does. Runs in a thread; the person's browser is in the event loop."""
        if self.host.log_in:
            self.add_server()
        with self.machine.on_a_terminal(self._command(self.host.log_in or self.host.add)) as terminal:
            if self.host.asks:
                terminal.says(self.host.asks)
                terminal.type("y")
            shown = terminal.says(rf"{re.escape(self.site.url)}/authorize\?[^\s\x07\x1b]+(?=[\s\x07\x1b])")
            address = from_thread.run(self._answered, shown)
            if self.host.takes_a_paste:
                terminal.type(address)
            else:
                failed = self.machine.says(Command((sys.executable, "-c", OPEN, address)))
                assert not failed
            terminal.rest()

    def is_connected(self) -> bool:
        said = self.machine.says(self.host.status(self.machine), self.host.last_line)
        return re.search(self.host.connected, said) is not None

    def log_out(self) -> None:
        self.machine.says(self._command(self.host.log_out))

    def has_expired_token(self) -> None:
        """Let the host believe that its access token has expired: its clock cannot be moved."""
        files = [file for file in self.machine.home.rglob("*.json") if EXPIRES.search(file.read_text("utf-8"))]
        assert files
        for file in files:
            file.write_text(EXPIRES.sub(r"\g<1>1000", file.read_text("utf-8")), encoding="utf-8")

    def _command(self, line: str) -> Command:
        program, *arguments = shlex.split(line.format(url=self.site.resource))
        return PROGRAMS[program](self.machine, *arguments)

    async def _answered(self, address: str) -> str:
        """Agree and log in at an address; return the address that the browser is sent to."""
        async with self.site.browser() as browser:
            return with_parameters(parameters_of(address)["redirect_uri"], **await browser.log_in(address))


@asynccontextmanager
async def computer(folder: Path, site: Site, host: Host) -> AsyncGenerator[Computer]:
    machine = new_machine(folder)
    port = int(site.url.rpartition(":")[2])
    async with network_with_server(port, folder, machine.alone) as words:
        yield Computer(replace(machine, alone=words), site, host)


@pytest.fixture(autouse=True)
async def nothing_from_before(site: Site, documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login of another test, the two documents that hosts name, and each token looked up each time."""
    await site.log_out(0)
    documents.publish_for(CLAUDE_CODE, "Claude Code", ON_THIS_COMPUTER)
    documents.publish_for(CODEX, "Codex", ON_THIS_COMPUTER)
    monkeypatch.setattr(grants, "BELIEVED_S", 0.0)


async def grants_of(site: Site) -> list[tuple[str, str, int]]:
    """Return each grant of the person: its client, the client's name, and how many refresh tokens it had."""
    async with site.database.transaction() as db:
        found = await db.execute(
            "SELECT g.client_id, g.client_name, count(*) FROM oauth_grant g JOIN oauth_token t ON t.oauth_grant = g.id"
            " WHERE g.person = %s AND t.kind = 'refresh' GROUP BY g.id",
            (site.person().id,),
        )
        return await found.fetchall()


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.title)
async def test_a_host_logs_in_and_renews_its_token(site: Site, clock: Clock, tmp_path: Path, host: Host) -> None:
    async with computer(tmp_path, site, host) as its:
        await to_thread.run_sync(its.log_in)
        assert await to_thread.run_sync(its.is_connected)
        [(client_id, name, issued)] = await grants_of(site)
        assert [bool(re.fullmatch(*each)) for each in zip(host.client, (client_id, name), strict=True)] == [True, True]
        assert issued == 1

        clock.time += AN_HOUR
        its.has_expired_token()
        assert await to_thread.run_sync(its.is_connected)
        assert await grants_of(site) == [(client_id, name, 2)]


@pytest.mark.parametrize("host", [IN_CLAUDE_CODE, IN_CODEX, IN_OPENCODE], ids=lambda host: host.title)
async def test_logging_out_ends_the_grant_only_if_the_host_revokes(site: Site, tmp_path: Path, host: Host) -> None:
    """The page /logout ends the others: what a host forgets without a word stays good until it expires."""
    async with computer(tmp_path, site, host) as its:
        await to_thread.run_sync(its.log_in)
        assert len(await grants_of(site)) == 1
        await to_thread.run_sync(its.log_out)
        assert not await to_thread.run_sync(its.is_connected)
        assert len(await grants_of(site)) == (0 if host.revokes else 1)
