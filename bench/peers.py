"""Our server and others in the same run: `make bench-peers`.

How to read the figures:

- Each ratio is another server over ours, the median over the paired runs. Above 1 is in our favor.
- The same client asks all over stdio. It begins a session as clients before 2026-07-28 do, because mcp-email-server
  knows no later protocol. A start ends with the answer to `tools/list`.
- The SDK's own server and the one made with fastmcp have ten tools that do nothing, so they have no list.
- mcp-email-server reads 5,000 mails from Debian's dovecot, ours 5,000 messages from
  `rc-mcp emulator --scenario busy --no-rate-limits`, both over loopback. Each call lists another page of 100. IMAP has
  no pages by date, so mcp-email-server asks for the dates of all mails each time.
- "Processor time" is that of the server's process, all threads. The time that passes includes dovecot or the emulator.
- Memory is the process's resident set, as Linux reports it.
- A peer that does nothing has no list and no login, so the first row of each table is the limit for the other rows.
- The packages are installed from PyPI into separate environments, with pins. Dovecot must be installed
  (`apt install dovecot-imapd`); without it the table says so.
"""

import json
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from grp import getgrgid
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import click

from bench.frameworks.environments import python_command
from bench.measuring import on_cpu_s
from bench.server import PAGES, WINDOW, Row, ratio, show
from bench.tokens import PEERS, environment
from bench.wire import MINIMAL, SERVE, Json, Stdio, checked, emulator, request, resident_mb, stdio
from tests.installed import python_of

HERE = Path(__file__).resolve().parent
EMAIL = PEERS[0]
MAILS = 5_000
LISTS = 3
"""Calls between two readings of processor time."""
DOVECOT_STARTS_S = 30


class Peer(NamedTuple):
    """A server: its name, how to start it, how it lists messages if it can, and the least ratio that is our target."""

    name: str
    command: list[str]
    variables: dict[str, str]
    tool: str = ""
    arguments: Json | None = None
    target: str = ""


class Measured(NamedTuple):
    """What a start or a call took, the server's resident memory afterwards, and the size of the answer."""

    cpu_s: float
    passed_s: float
    mb: float
    kb: float


Runs = Sequence[tuple[Peer, list[Measured]]]
"""The paired runs of each server, ours first."""


@click.command()
@click.option("--runs", default=11, show_default=True, help="Paired runs.")
def main(runs: int) -> None:
    """Measure the servers and print the results."""
    with (
        emulator("--scenario", "busy") as variables,
        tempfile.TemporaryDirectory() as home,
        dovecot(MAILS) as port,
    ):
        ours = Peer("rc-mcp", SERVE, variables, "list_messages", WINDOW)
        email = Peer(
            EMAIL.name,
            [str(Path(python_of(environment(EMAIL))).with_name(EMAIL.command)), *EMAIL.arguments],
            EMAIL.environment
            | {"HOME": home, "MCP_EMAIL_SERVER_IMAP_PORT": f"{port}", "MCP_EMAIL_SERVER_IMAP_SSL": "false"},
            "list_emails_metadata",
            {"account_name": "default", "page_size": 100},
            target="1",
        )
        fastmcp = python_command(HERE / "fastmcp_server.py", "fastmcp")
        others = [
            Peer(f"the SDK's own server, mcp {version('mcp')}", MINIMAL, {}),
            Peer(f"fastmcp {version_of('fastmcp', fastmcp[0])}", fastmcp, {}, target="1"),
            email,
        ]
        started = anyio.run(starts, runs, [ours, *others])
        listed: Runs = anyio.run(lists, runs, [ours, email]) if port else [(email, [])]
    show(compared("start to tools/list, processor time over ours", started, lambda each: each.cpu_s, "{:.2f} s"))
    show(compared("start to tools/list, time over ours", started, lambda each: each.passed_s, "{:.2f} s"))
    show(compared("resident memory after a start, over ours", started, lambda each: each.mb, "{:.0f} MB"))
    show(compared("list of 100, processor time over ours", listed, lambda each: each.cpu_s * 1000, "{:.1f} ms"))
    show(compared("list of 100, time over ours", listed, lambda each: each.passed_s * 1000, "{:.1f} ms"))
    show(compared("resident memory after the lists, over ours", listed, lambda each: each.mb, "{:.0f} MB"))
    show(compared("size of the answer, over ours", listed, lambda each: each.kb, "{:.0f} kB"))


def version_of(package: str, python: str) -> str:
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def compared(what: str, runs: Runs, of: Callable[[Measured], float], shown: str) -> list[Row]:
    """Return a row for each server below a heading: its figure over ours, and the figure itself."""
    ours = [of(each) for each in runs[0][1]]
    rows = [Row(what, "")]
    for peer, measured in runs:
        theirs = [of(each) for each in measured]
        if theirs:
            found = f"{ratio(theirs, ours)}; {shown.format(statistics.median(theirs))}"
            rows.append(Row(f"    {peer.name}", found, peer.target))
        else:
            rows.append(Row(f"    {peer.name}", "not measured: dovecot-imapd is not installed"))
    return rows


async def starts(runs: int, peers: Sequence[Peer]) -> Runs:
    """Measure starts up to the answer to `tools/list`."""

    async def start(peer: Peer) -> Measured:
        began = time.perf_counter()
        async with session(peer) as server:
            answer = checked(await server.ask(request(1, "tools/list")))
            passed_s, pid = time.perf_counter() - began, server.process.pid
            return Measured(on_cpu_s(pid), passed_s, resident_mb(pid), size_kb(answer))

    # The first start writes bytecode, so it does not count.
    turns = [[await start(peer) for peer in peers] for _ in range(runs + 1)][1:]
    return [(peer, [turn[n] for turn in turns]) for n, peer in enumerate(peers)]


async def lists(runs: int, peers: Sequence[Peer]) -> Runs:
    """Measure lists of 100, each of another page."""

    async def listed(peer: Peer, server: Stdio, pages: Sequence[int]) -> Measured:
        before_s, began, answer = on_cpu_s(server.process.pid), time.perf_counter(), {}
        for page in pages:
            answer = await server.call(peer.tool, {**(peer.arguments or {}), "page": page})
        passed_s, cpu_s = time.perf_counter() - began, on_cpu_s(server.process.pid) - before_s
        mb = resident_mb(server.process.pid)
        return Measured(cpu_s / len(pages), passed_s / len(pages), mb, size_kb(answer))

    async with AsyncExitStack() as opened:
        servers = [await opened.enter_async_context(session(peer)) for peer in peers]
        turns = [
            [
                await listed(peer, server, [(turn * LISTS + n) % PAGES + 1 for n in range(LISTS)])
                for peer, server in zip(peers, servers, strict=True)
            ]
            for turn in range(runs + 1)
        ][1:]  # the first logs in
    return [(peer, [turn[n] for turn in turns]) for n, peer in enumerate(peers)]


@asynccontextmanager
async def session(peer: Peer) -> AsyncGenerator[Stdio]:
    """Start a server and begin a session."""
    # Not ours to show: mcp-email-server logs each step.
    async with stdio(peer.command, None, subprocess.DEVNULL, **peer.variables) as server:
        await server.greet()
        yield server


def size_kb(answer: Json) -> float:
    return len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()) / 1000


# Dovecot


@contextmanager
def dovecot(mails: int) -> Generator[int | None]:
    """Serve a new mailbox over IMAP on loopback, as an ordinary user; yield the port, or None without dovecot."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        yield None
        return
    user = pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, socket.socket() as free:
        folder = Path(temporary)
        fill(folder / "mail", mails)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        names = {"folder": folder, "port": port, "user": user.pw_name, "group": getgrgid(user.pw_gid).gr_name}
        config = folder / "dovecot.conf"
        config.write_text(CONFIG.format(**names, uid=user.pw_uid, gid=user.pw_gid, password=PASSWORD), encoding="utf-8")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        command = [program, "-F", "-c", str(config)]
        identity: dict[str, Any] = (
            {} if os.getuid() else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        )
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, **identity) as process:  # noqa: S603
            try:
                wait_for(port)
                yield port
            finally:
                process.terminate()


PASSWORD = EMAIL.environment["MCP_EMAIL_SERVER_PASSWORD"]
CONFIG = """\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
"""Only root may give each part of dovecot its own user and root folder."""


def fill(maildir: Path, mails: int) -> None:
    """Write a Maildir with mails of the last weeks, one every ten minutes."""
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    now = datetime.now(UTC)
    for n in range(mails):
        came = now - timedelta(minutes=10 * n)
        mail = EmailMessage()
        mail["From"], mail["To"] = f"Patient {n % 300} <patient{n % 300}@mail.example>", "desk@practice.example"
        mail["Date"], mail["Subject"], mail["Message-ID"] = came, f"Appointment {n}", f"<{n}@mail.example>"
        mail.set_content(f"Could I come at {n % 9 + 8}:30 instead? Thank you.\n")
        file = maildir / "cur" / f"{came.timestamp():.0f}.{n}.bench:2,{'S' if n % 3 else ''}"
        file.write_bytes(mail.as_bytes())
        os.utime(file, (came.timestamp(), came.timestamp()))


def wait_for(port: int) -> None:
    """Wait until the port takes connections.

    Raises:
        click.ClickException: it did not in time.
    """
    until = time.monotonic() + DOVECOT_STARTS_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise click.ClickException("dovecot did not start")


if __name__ == "__main__":
    main()
