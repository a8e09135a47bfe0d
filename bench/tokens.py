"""The tokens of our answers and tools, compared with RingCentral's JSON and with other servers: `make bench-tokens`.

Tokens are o200k. RingCentral's JSON is the emulator's for the same question, as it is sent ("raw") and without spaces
("compact"; the emulator sends none, RingCentral itself many). The mailbox is the office of the demo with 300
generated messages; nothing in it is private. The other servers are installed from PyPI into separate environments,
started over stdio with made-up credentials, and asked only for `tools/list`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import click
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Draft, Emulator, Party
from tests.desk import Clock, Desk, Faults, text_of
from tests.installed import CACHE, python_of
from tests.tokens import compact, definitions, from_ringcentral, tokens

EVER = "2000-01-01T00:00:00Z"
PATIENCE_S = 120


@dataclass(frozen=True)
class Peer:
    """Another MCP server: its package, its command line and its made-up credentials."""

    requirement: str
    command: str
    arguments: tuple[str, ...]
    environment: dict[str, str]

    @property
    def name(self) -> str:
        return " ".join((self.requirement.replace("==", " "), *(a for a in self.arguments if a != "stdio")))


GOOGLE = {"GOOGLE_OAUTH_CLIENT_ID": "made-up", "GOOGLE_OAUTH_CLIENT_SECRET": "made-up"}
EMAIL = {
    "MCP_EMAIL_SERVER_EMAIL_ADDRESS": "desk@practice.example",
    "MCP_EMAIL_SERVER_PASSWORD": "made-up",
    "MCP_EMAIL_SERVER_IMAP_HOST": "127.0.0.1",
    "MCP_EMAIL_SERVER_SMTP_HOST": "127.0.0.1",
}
PEERS = (
    Peer("mcp-email-server==1.13.3", "mcp-email-server", ("stdio",), EMAIL),
    Peer("workspace-mcp==2.2.1", "workspace-mcp", ("--tools", "gmail"), GOOGLE),
    Peer("workspace-mcp==2.2.1", "workspace-mcp", (), GOOGLE),
)


@click.command()
@click.option("--peers/--no-peers", default=True, help="Also install and ask other servers.")
def main(peers: bool) -> None:
    """Count the tokens and print the results."""
    anyio.run(_count, peers)


async def _count(peers: bool) -> None:
    click.echo(f"{'answers':44} {'ours':>7} {'raw':>8} {'compact':>8} {'share':>6}   target")
    async with mailbox(messages=300) as (desk, client):
        page = await from_ringcentral(desk.emulator, "message-store", dateFrom=EVER, perPage="100")
        found = await answer(client, "list_messages", date_from="90d")
        listed = json.loads(found)
        answers("default page: 100 messages, rows", found, page, "15 %, under 5,000")
        for detail in ("summary", "full"):
            shown = await answer(client, "list_messages", date_from="90d", detail=detail, per_page=100)
            answers(f"the same page, {detail}", shown, page, "under 20,000" if detail == "full" else "under 5,000")
        id_ = rows(listed["messages"])[0]["id"]
        one = await from_ringcentral(desk.emulator, f"message-store/{id_}")
        answers("one message", await answer(client, "read_message", message_id=[id_]), one)
        await syncs(desk, client)
        all_rows = [row for table in listed["messages"].values() for row in table["untrusted_rows"]]
        each = tokens(all_rows) / len(all_rows)
    async with mailbox() as (desk, client):
        office = json.loads(await answer(client, "list_messages", date_from="30d"))
        office_rows = [row for table in office["messages"].values() for row in table["untrusted_rows"]]
        click.echo(f"\n{'a row of the generated mailbox':44} {each:7.1f} {'':24}   45")
        click.echo(f"{'a row of the office':44} {tokens(office_rows) / len(office_rows):7.1f} {'':24}   45")
        ours = await definitions(client)
    click.echo(f"\n{'tool definitions':44} {'tokens':>7} {'tools':>8}")
    for name, tools in (
        ("rc-mcp", ours),
        ("rc-mcp, reading tools", [t for t in ours if t["annotations"]["readOnlyHint"]]),
    ):
        definition(name, tools, f"{400 * len(tools):,}")
    for peer in PEERS if peers else ():
        definition(peer.name, await definitions_of(peer))


async def syncs(desk: Desk, client: Client) -> None:
    """Measure a full sync, one without a change, and one after three new messages."""
    first = await answer(client, "sync_messages", date_from="90d", record_count=100)
    raw = await from_ringcentral(desk.emulator, "message-sync", syncType="FSync", dateFrom=EVER, recordCount="100")
    answers("a full sync of 100", first, raw)
    token = json.loads(first)["sync_token"]
    desk.clock.time += timedelta(minutes=1)
    for what in ("nothing new", "3 new"):
        raw = await from_ringcentral(desk.emulator, "message-sync", syncType="ISync", syncToken=token)
        answers(f"a sync with {what}", await answer(client, "sync_messages", sync_token=token), raw)
        for n in range(3):
            sender = Party(name="Maria Costa", phone_number="+15035550134")
            desk.emulator.store.add(
                Draft(type="SMS", sender=sender, text=f"Thank you, see you at {n + 1}. Which floor is it?")
            )


@asynccontextmanager
async def mailbox(**options: Any) -> AsyncGenerator[tuple[Desk, Client]]:
    clock = Clock()
    with (
        tempfile.TemporaryDirectory() as folder,
        Emulator(rate_limits=False, now=clock, **options) as emulator,
    ):
        desk = Desk(emulator, Path(folder), clock, Faults(emulator))
        async with desk.client() as client:
            yield desk, client


async def answer(client: Client, tool: str, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise click.ClickException(text_of(result))
    return text_of(result)


def answers(what: str, ours: str, raw: str, target: str = "") -> None:
    share = f"{tokens(ours) / tokens(raw):.1%}"
    counted = tokens(compact(json.loads(raw)))
    click.echo(f"{what:44} {tokens(ours):7,} {tokens(raw):8,} {counted:8,} {share:>6}   {target}".rstrip())


def definition(name: str, tools: list[dict[str, Any]], target: str = "") -> None:
    click.echo(f"{name:44} {tokens(tools):7,} {len(tools):8} {'':15}   {target}".rstrip())


async def definitions_of(peer: Peer) -> list[dict[str, Any]]:
    """Start another server and return its tools."""
    program = Path(python_of(environment(peer))).with_name(peer.command)
    nowhere = Path(os.devnull).open("w")  # noqa: ASYNC230, SIM115  it does not block, and ends with the program
    with tempfile.TemporaryDirectory() as home, anyio.fail_after(PATIENCE_S):
        server = StdioServerParameters(
            command=str(program),
            args=list(peer.arguments),
            env={"HOME": home, "PATH": os.defpath, **peer.environment},
            cwd=home,
        )
        async with Client(stdio_client(server, errlog=nowhere)) as client:
            return await definitions(client)


def environment(peer: Peer) -> Path:
    """Return the environment of a server, which is installed on first use."""
    folder = CACHE / re.sub(r"[^a-z0-9.-]+", "-", f"peer-{peer.requirement}")
    if not (folder / "ready").exists():
        click.echo(f"Installing {peer.requirement} (once) ...", err=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603
        pip = [python_of(folder), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        subprocess.run([*pip, peer.requirement], check=True)  # noqa: S603
        (folder / "ready").touch()
    return folder


if __name__ == "__main__":
    main()
