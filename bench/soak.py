"""Many callers at once over HTTP, with lost answers, for minutes: `make soak`.

Half of the callers speak 2025-11-25, half 2026-07-28; half can be asked (a form), half cannot. Each has messages of its
own, and lists, reads, marks, deletes by id and by conversation, purges and restores them, in a random order. Of
RingCentral's answers, one in `--drop` is lost after the request was carried out. One in 30 calls is given up by its
client, and some people decline or type a wrong phrase. The emulator is in this process, so each answer is compared with
what the mailbox holds. All of it is on loopback. Exits with 1 if one of these is not 0, or if memory grew:

- doubled: a plain DELETE reached a message that was Deleted already, which purges it
- purged without its phrase: a message is gone though nobody typed the phrase for it
- contradicted: an answer or the journal says what the mailbox does not hold
"""

import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import anyio
import click
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.wire import SERVE, Json, resident_mb
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.serving import SOCKET, address, bound_sockets, serving
from rc_mcp.guard.journal import Journal

GIVE_UP_EVERY = 30
MESSAGES_EACH = 60
MAY_GROW = 1.1
"""Resident memory at the end, as a multiple of that after the first minute.

What is in use did not grow in 2,300 calls, as the C library reported it (22 MB). It keeps more and more free memory,
though less each minute, for peaks in between.
"""

Era = Literal["auto", "legacy"]


@dataclass
class Run:
    """What was seen so far."""

    emulator: Emulator
    every: int
    calls: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    requests: int = 0
    lost: int = 0
    deletes: int = 0
    doubled: list[str] = field(default_factory=list[str])
    contradicted: list[str] = field(default_factory=list[str])
    agreed_to_purge: set[str] = field(default_factory=set[str])
    given_up: int = 0
    conversations: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    history: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By message: what was sent to RingCentral about it, and what was answered, to find out what went wrong."""

    def note(self, what: str, ids: Iterable[str]) -> None:
        """Remember it for each of these messages, with the time and where the mailbox has it."""
        for message_id in ids:
            line = f"{datetime.now(UTC):%H:%M:%S.%f} {what} ({self.state(message_id)})"
            self.history.setdefault(message_id, []).append(line)

    def state(self, message_id: str) -> str:
        """Where the mailbox has it: Alive, Deleted or Purged."""
        message = self.emulator.store.message(message_id)
        return message["availability"] if message else "Purged"

    def created(self, message_id: str) -> str:
        """When the message was created; the end of time where it is gone."""
        message = self.emulator.store.message(message_id)
        return message["creationTime"] if message and "creationTime" in message else "9999"

    def proxied(self, app: ASGIApp) -> ASGIApp:
        """`app` behind a proxy that loses one answer in `every`, and looks at each DELETE before it arrives."""

        async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
            self.requests += 1
            if scope["method"] == "DELETE":
                self._look_at(scope["path"], parse_qs(scope["query_string"].decode()))
            elif scope["method"] == "PATCH":
                self.note("PATCH arrives", self.named_in(scope["path"]))
            if self.requests % self.every:
                await app(scope, receive, send)
                return
            self.lost += 1

            async def nothing(message: Message) -> None:
                pass

            await app(scope, receive, nothing)
            scope["extensions"][SOCKET].close()
            while (await receive())["type"] != "http.disconnect":
                pass

        return proxy

    def named_in(self, path: str) -> list[str]:
        """The messages that a path names."""
        named = path.rpartition("/message-store")[2].strip("/")
        return named.split(",") if named else []

    def _look_at(self, path: str, query: Mapping[str, list[str]]) -> None:
        self.deletes += 1
        ids = self.named_in(path)
        until = query.get("dateTo", [""])[0]  # what lies later stays; both times are written in one form
        for conversation in ",".join(query.get("conversationId", [])).split(","):
            ids += [i for i in self.conversations.get(conversation, []) if self.created(i) < until]
        if not ids:
            self.contradicted.append(f"a DELETE that names nothing: {path}")
        self.note(f"DELETE arrives, {query}", ids)
        if query.get("purge") == ["true"]:
            self.doubled += [i for i in ids if i not in self.agreed_to_purge]
        else:
            self.doubled += [i for i in ids if self.state(i) == "Deleted"]

    def compare(self, tool: str, outcomes: Mapping[str, str], *, purge: bool) -> None:
        """Hold an answer against the mailbox."""
        for message_id, word in outcomes.items():
            self.note(f"{tool} said {word}", [message_id])
            state = self.state(message_id)
            right = {
                "deleted": state == "Deleted",
                "purged": state == "Purged",
                "restored": state == "Alive",
                "not_found": state == "Purged",
                "already": state in ({"Purged"} if purge else {"Deleted", "Purged"}) or tool == "patch_message",
                "failed": state != ("Purged" if purge else "Deleted") or tool == "patch_message",
            }.get(word, True)
            if not right:
                self.contradicted.append(f"{tool} said {word} of {message_id}, which is {state}")


@dataclass
class Caller:
    """A client with messages of its own, and the person in front of it."""

    run: Run
    client: Client
    ids: list[str]
    conversations: list[str]
    chance: random.Random
    can_be_asked: bool
    answer: str = "yes"
    about: tuple[str, ...] = ()
    """The messages that the person is asked about."""

    async def ask(self, params: ElicitRequestFormParams) -> ElicitResult:
        """What the person says."""
        if self.answer == "decline":
            return ElicitResult(action="decline")
        if phrase := re.search(r"type: (PURGE \d+)", params.message):
            if self.answer == "wrong":
                return ElicitResult(action="accept", content={"phrase": "PURGE"})
            self.run.agreed_to_purge.update(self.about)
            return ElicitResult(action="accept", content={"phrase": phrase[1]})
        return ElicitResult(action="accept", content={"confirm": self.answer == "yes"})

    async def work(self) -> None:
        """One thing after another, until it is cancelled."""
        steps = {
            self.list_some: 3,
            self.read: 3,
            self.mark: 2,
            self.delete: 5,
            self.delete_conversation: 1,
            self.purge: 1,
            self.restore: 3,
        }
        while True:
            (step,) = self.chance.choices(list(steps), list(steps.values()))
            await step()

    async def list_some(self) -> None:
        await self.call("list_messages", date_from="30d", per_page=self.chance.choice([1, 10, 50]))

    async def read(self) -> None:
        await self.call("read_message", message_id=self.some(3))

    async def mark(self) -> None:
        await self.call("update_message", message_id=self.some(5), read_status=self.chance.choice(["Read", "Unread"]))

    async def restore(self) -> None:
        await self.change("patch_message", self.ids, message_id=self.some(8), availability="Alive")

    async def delete(self) -> None:
        ids = self.some(4)
        await self.change("delete_message", ids, message_id=ids)

    async def purge(self) -> None:
        ids = self.some(1)
        await self.change("delete_message", ids, message_id=ids, purge=True)

    async def delete_conversation(self) -> None:
        if self.conversations:
            conversation = self.chance.choice(self.conversations)
            ids = self.run.conversations[conversation]
            await self.change("delete_message_by_filter", ids, conversation_id=[conversation])

    async def change(self, tool: str, about: list[str], **arguments: Any) -> None:
        """A call that changes something; where a yes in the chat is called for, it is given."""
        self.about = tuple(about)
        self.answer = self.chance.choices(["yes", "decline", "wrong"], [8, 1, 1])[0]
        purge = bool(arguments.get("purge"))
        answer = await self.call(tool, **arguments)
        if answer and answer["status"] == "confirmation_required":
            # Of a purge as well, for which it must not be enough.
            answer = await self.call(tool, **arguments, plan_id=answer["plan_id"])
        if answer:
            self.run.compare(tool, answer.get("outcomes", {}), purge=purge)

    async def call(self, tool: str, **arguments: Any) -> Json | None:
        """The structured answer; None where there is none: a refusal, or the client gave up."""
        patience_s = self.chance.uniform(0, 0.3) if self.chance.randrange(GIVE_UP_EVERY) == 0 else 120
        self.run.calls[tool] += 1
        try:
            with anyio.fail_after(patience_s):
                result = await self.client.call_tool(tool, arguments)
        except TimeoutError:
            self.run.given_up += 1
            self.run.note(f"{tool} given up after {patience_s:.2f} s", self.about)
            if patience_s == 120:
                self.run.contradicted.append(f"{tool} did not answer within 120 s")
            return None
        except MCPError as error:
            self.run.statuses[f"protocol error {error.error.code}"] += 1
            return None
        if result.is_error or result.structured_content is None:
            self.run.statuses["error in words"] += 1
            return None
        self.run.statuses[result.structured_content.get("status", "read")] += 1
        return result.structured_content

    def some(self, most: int) -> list[str]:
        return self.chance.sample(self.ids, self.chance.randint(1, min(most, len(self.ids))))


@click.command()
@click.option("--minutes", default=5.0, show_default=True, help="How long.")
@click.option("--callers", default=64, show_default=True, help="How many at once.")
@click.option("--drop", "every", default=50, show_default=True, help="One answer in so many is lost.")
@click.option("--seed", default=1, show_default=True, help="Decides who does what.")
def main(minutes: float, callers: int, every: int, seed: int) -> None:
    """Run it, and print what was seen."""
    with Emulator(rate_limits=False, messages=MESSAGES_EACH * callers) as emulator:
        sys.exit(anyio.run(soak, Run(emulator, every), minutes, callers, seed))


async def soak(run: Run, minutes: float, callers: int, seed: int) -> int:
    memory: list[float] = []
    chance = random.Random(seed)  # noqa: S311  which tool next, not a secret
    shares = shared_out(run, callers)
    with tempfile.TemporaryDirectory() as state, bound_sockets("127.0.0.1", 0) as (bound,):
        async with (
            serving({run.proxied(run.emulator.app.platform): bound}),
            server(run.emulator, address(bound), state) as (process, where, log),
        ):
            async with anyio.create_task_group() as tasks:
                for number, (ids, conversations) in enumerate(shares):
                    one = random.Random(chance.random())  # noqa: S311
                    tasks.start_soon(calling, run, where, ids, conversations, one, number)
                for second in range(round(minutes * 60)):
                    await anyio.sleep(1)
                    if second % 10 == 9:
                        memory.append(resident_mb(process.pid))
                        made = sum(run.calls.values())
                        click.echo(f"{second + 1:5} s  {made:7} calls  {memory[-1]:6.1f} MB", err=True)
                tasks.cancel_scope.cancel()
            process.terminate()
            exit_code = await process.wait()
        return report(run, memory, exit_code, Path(state), "".join(log))


def shared_out(run: Run, callers: int) -> list[tuple[list[str], list[str]]]:
    """For each caller the ids of messages that only it touches, and of conversations that are wholly among them."""
    shares: list[tuple[list[str], list[str]]] = [([], []) for _ in range(callers)]
    for message in run.emulator.store.messages():
        if message.get("conversationId"):
            run.conversations.setdefault(str(message["conversationId"]), []).append(str(message["id"]))
        else:
            min(shares, key=lambda share: len(share[0]))[0].append(str(message["id"]))
    for conversation, ids in run.conversations.items():
        mine, conversations = min(shares, key=lambda share: len(share[0]))
        mine += ids
        conversations.append(conversation)
    return shares


async def calling(
    run: Run, where: str, ids: list[str], conversations: list[str], chance: random.Random, number: int
) -> None:
    era: Era = "legacy" if number % 2 else "auto"
    can_be_asked = number % 4 < 2
    caller: Caller | None = None

    async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        if caller is None or not isinstance(params, ElicitRequestFormParams):
            return ElicitResult(action="cancel")
        return await caller.ask(params)

    async with Client(where, mode=era, elicitation_callback=ask if can_be_asked else None) as client:
        caller = Caller(run, client, ids, conversations, chance, can_be_asked)
        await caller.work()


@asynccontextmanager
async def server(emulator: Emulator, upstream: str, state: str) -> AsyncGenerator[tuple[Process, str, list[str]]]:
    """Our server in a process of its own, its address and its log."""
    variables = {
        "RC_SERVER_URL": upstream,
        "RC_APP_CLIENT_ID": emulator.client_id,
        "RC_APP_CLIENT_SECRET": emulator.client_secret,
        "RC_USER_JWT": emulator.jwt,
        "RC_MCP_STATE_DIR": state,
    }
    command = [*SERVE, "--http", "--port", "0"]
    async with (
        await anyio.open_process(
            command, env=os.environ | variables, stderr=subprocess.PIPE, stdout=None, cwd=state
        ) as process,
        anyio.create_task_group() as tasks,
    ):
        assert process.stderr is not None  # noqa: S101
        said = BufferedByteReceiveStream(process.stderr)
        while not (running := re.search(rb"running on (http://\S+)", await said.receive_until(b"\n", 10_000))):
            pass
        log: list[str] = []

        async def read() -> None:
            with suppress(anyio.EndOfStream):
                while True:
                    log.append((await said.receive()).decode(errors="replace"))

        tasks.start_soon(read)
        try:
            yield process, f"{running[1].decode()}/mcp", log
        finally:
            if process.returncode is None:
                process.terminate()


def report(run: Run, memory: list[float], exit_code: int, state: Path, log: str) -> int:
    """Prints the table; the exit code."""
    journal = Journal(state)
    operations = journal.operations()
    still_open = sum(operation.begun is not None and operation.done is None for operation in operations)
    everything = [str(message["id"]) for message in run.emulator.store.messages()]
    gone = {i for operation in operations for i in (operation.asked or {}).get("ids", []) if run.state(i) == "Purged"}
    gone |= {i for i in everything if run.state(i) == "Purged"}
    without_phrase = sorted(gone - run.agreed_to_purge)
    run.contradicted += [
        f"the journal says purged of {message_id}, which is {run.state(message_id)}"
        for operation in operations
        for message_id, word in operation.outcomes.items()
        if word == "purged" and run.state(message_id) != "Purged"
    ]
    faults = journal.verify().faults
    after_a_minute = memory[min(5, len(memory) - 1)] if memory else 0.0
    grew = bool(memory) and memory[-1] > MAY_GROW * after_a_minute
    rows = [
        ("calls", f"{sum(run.calls.values()):,}"),
        *((f"    {tool}", f"{count:,}") for tool, count in run.calls.most_common()),
        ("answers", ""),
        *((f"    {status}", f"{count:,}") for status, count in run.statuses.most_common()),
        ("given up by the client", f"{run.given_up:,}"),
        ("requests to RingCentral, answers lost", f"{run.requests:,}, {run.lost:,}"),
        ("DELETEs among them", f"{run.deletes:,}"),
        ("operations in the journal, still open", f"{len(operations):,}, {still_open}"),
        ("purged with the phrase", f"{len(gone & run.agreed_to_purge):,}"),
        ("doubled", f"{len(run.doubled)}"),
        ("purged without its phrase", f"{len(without_phrase)}"),
        ("contradicted", f"{len(run.contradicted)}"),
        ("faults in the journal's chain", f"{len(faults)}"),
        ("tracebacks in the log", f"{log.count('Traceback')}"),
        ("exit code at SIGTERM", f"{exit_code}"),
        ("memory after a minute, at the end", f"{after_a_minute:.1f} MB, {memory[-1] if memory else 0:.1f} MB"),
    ]
    for what, found in rows:
        click.echo(f"{what:44} {found:>18}".rstrip())
    wrong = [*run.doubled, *without_phrase, *run.contradicted, *faults]
    for each in wrong[:20]:
        click.echo(f"  {each}", err=True)
        for message_id in re.findall(r"[0-9]{6,}", each):
            for line in run.history.get(message_id, []):
                click.echo(f"    {line}", err=True)
            for operation in operations:
                for entry in operation.entries:
                    if message_id in entry.detail:
                        click.echo(
                            f"    {entry.at} journal {operation.id} {entry.event} {entry.detail[:200]}", err=True
                        )
    if "Traceback" in log:
        click.echo(log[log.index("Traceback") - 500 :][:4000], err=True)
    return int(bool(wrong) or grew or exit_code != 0 or "Traceback" in log)


if __name__ == "__main__":
    main()
