"""Many callers at once over HTTP, with lost answers, for minutes: `make soak`.

Half of the callers use protocol 2025-11-25, half 2026-07-28; half support forms, half do not. Each caller has its own
messages and lists, reads, marks, deletes (by id and by conversation), purges and restores them in a random order. One
in `--drop` of RingCentral's answers is lost after the request was carried out. Clients give up one in 30 calls, and
some users decline or type a wrong phrase. The emulator is in this process, so each answer is compared with the mailbox.
All traffic is on loopback. The exit code is 1 if one of these is not 0, if memory grew, or if the server or journal
failed:

- doubled: a plain DELETE reached a message that was already Deleted, which purges it
- purged without its phrase: a message was purged although no user typed the phrase for it
- contradicted: an answer or the journal disagrees with the mailbox
"""

import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import anyio
import click
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.wire import SERVE, Json, http_process, resident_mb
from rc_mcp.emulator import Emulator
from rc_mcp.emulator.service.serving import SOCKET, address, bound_sockets, serving
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal

GIVE_UP_EVERY = 30
DECLINED = WRONG_PHRASE = 0.01
"""Seldom, because all callers share one login, and one login may make 500 plans an hour that are not carried out."""
MESSAGES_EACH = 60
MAY_GROW = 1.1
"""The limit for resident memory at the end, as a multiple of that after the first minute."""

Era = Literal["auto", "legacy"]


@dataclass
class Run:
    """The counts and records of a run."""

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
    """By message: the requests to RingCentral and the answers about it, to find the cause of a fault."""

    def note(self, what: str, ids: Iterable[str]) -> None:
        """Record an event for each of these messages, with the time and the message's state."""
        for message_id in ids:
            line = f"{datetime.now(UTC):%H:%M:%S.%f} {what} ({self.state(message_id)})"
            self.history.setdefault(message_id, []).append(line)

    def state(self, message_id: str) -> str:
        """Return the message's availability; Purged if it no longer exists."""
        message = self.emulator.store.message(message_id)
        return message["availability"] if message else "Purged"

    def created(self, message_id: str) -> str:
        """Return the message's creation time; the year 9999 if it has none or no longer exists."""
        message = self.emulator.store.message(message_id)
        return message["creationTime"] if message and "creationTime" in message else "9999"

    def proxied(self, app: ASGIApp) -> ASGIApp:
        """Put `app` behind a proxy that loses one answer in `every` and checks each DELETE before it arrives."""

        async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
            self.requests += 1
            if scope["method"] == "DELETE":
                self._check_delete(scope["path"], parse_qs(scope["query_string"].decode()))
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
        """Return the ids in a path."""
        named = path.rpartition("/message-store")[2].strip("/")
        return named.split(",") if named else []

    def _check_delete(self, path: str, query: Mapping[str, list[str]]) -> None:
        self.deletes += 1
        ids = self.named_in(path)
        until = query.get("dateTo", [""])[0]  # later messages stay; both times have the same format
        for conversation in ",".join(query.get("conversationId", [])).split(","):
            ids += [i for i in self.conversations.get(conversation, []) if self.created(i) < until]
        if not ids:
            self.contradicted.append(f"a DELETE without ids: {path}")
        self.note(f"DELETE arrives, {query}", ids)
        if query.get("purge") == ["true"]:
            self.doubled += [i for i in ids if i not in self.agreed_to_purge]
        else:
            self.doubled += [i for i in ids if self.state(i) == "Deleted"]

    def compare(self, tool: str, outcomes: Mapping[str, str], *, purge: bool) -> None:
        """Compare an answer with the mailbox."""
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
    """A client with its own messages, and its user."""

    run: Run
    client: Client
    ids: list[str]
    conversations: list[str]
    chance: random.Random
    answer: str = "yes"
    about: tuple[str, ...] = ()
    """The messages that the user is asked about."""

    async def ask(self, params: ElicitRequestFormParams) -> ElicitResult:
        """Return the user's reply to a confirmation request."""
        if self.answer == "decline":
            return ElicitResult(action="decline")
        if phrase := re.search(r"\bPURGE \d+\b", params.message):
            if self.answer == "wrong":
                return ElicitResult(action="accept", content={"phrase": "PURGE"})
            self.run.agreed_to_purge.update(self.about)
            return ElicitResult(action="accept", content={"phrase": phrase[0]})
        return ElicitResult(action="accept", content={"confirm": self.answer == "yes"})

    async def work(self) -> None:
        """Take one random step after another, until canceled."""
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
        """Make a change; if the answer asks for confirmation in the chat, give it."""
        self.about = tuple(about)
        self.answer = self.chance.choices(
            ["yes", "decline", "wrong"], [1 - DECLINED - WRONG_PHRASE, DECLINED, WRONG_PHRASE]
        )[0]
        purge = bool(arguments.get("purge"))
        answer = await self.call(tool, **arguments)
        if answer and answer["status"] == "confirmation_required":
            # For a purge as well, for which it must not be enough.
            answer = await self.call(tool, **arguments, plan_id=answer["plan_id"])
        if answer:
            self.run.compare(tool, answer.get("outcomes", {}), purge=purge)

    async def call(self, tool: str, **arguments: Any) -> Json | None:
        """Call a tool and return its structured answer; None after an error, or if the client gave up."""
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
            self.run.statuses["tool error"] += 1
            return None
        self.run.statuses[result.structured_content.get("status", "read")] += 1
        return result.structured_content

    def some(self, most: int) -> list[str]:
        return self.chance.sample(self.ids, self.chance.randint(1, min(most, len(self.ids))))


@click.command()
@click.option("--minutes", default=5.0, show_default=True, help="Duration.")
@click.option("--callers", default=64, show_default=True, help="Number of callers at once.")
@click.option("--drop", "every", default=50, show_default=True, help="One answer in this many is lost.")
@click.option("--seed", default=1, show_default=True, help="Seed of all random choices.")
def main(minutes: float, callers: int, every: int, seed: int) -> None:
    """Run the callers and print the results."""
    with Emulator(rate_limits=False, messages=MESSAGES_EACH * callers) as emulator:
        sys.exit(anyio.run(soak, Run(emulator, every), minutes, callers, seed))


async def soak(run: Run, minutes: float, callers: int, seed: int) -> int:
    memory: list[float] = []
    chance = random.Random(seed)  # noqa: S311  chooses tools, not secrets
    shares = shared_out(run, callers)
    with tempfile.TemporaryDirectory() as state, bound_sockets("127.0.0.1", 0) as (bound,):
        variables = {
            "RC_SERVER_URL": address(bound),
            "RC_APP_CLIENT_ID": run.emulator.client_id,
            "RC_APP_CLIENT_SECRET": run.emulator.client_secret,
            "RC_USER_JWT": run.emulator.jwt,
            "RC_MCP_STATE_DIR": state,
        }
        async with (
            serving({run.proxied(run.emulator.app.platform): bound}),
            http_process([*SERVE, "--http", "--port", "0"], cwd=state, **variables) as (process, where, log),
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
    """Return for each caller the ids of its own messages, and of the conversations that consist of them."""
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
        caller = Caller(run, client, ids, conversations, chance)
        await caller.work()


def report(run: Run, memory: list[float], exit_code: int, state: Path, log: str) -> int:
    """Print the table and return the exit code."""
    journal = Journal(Folder(state))
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
