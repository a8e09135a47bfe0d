"""A random walk of many users of two tenants over several replicas, with thieves among them.

Waves of steps run at once, each of another user. A seed decides who does what, at which replica. Everything that a
replica says is searched for canaries of others, and each DELETE that reaches RingCentral is compared with what its own
user approved (`practice.py`). What must not happen is collected in `Practice.wrongs`.
"""

import json
import logging
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio
from anyio.abc import TaskGroup

from tests.team.proof.entrance import Entrance, NotLetIn
from tests.team.proof.practice import Member, Practice
from tests.team.proof.talk import LEGACY, MODERN, Line, Said, request

AT_ONCE = 8
"""Steps in a wave."""
SECONDS_A_WAVE = 4.0
"""How far the clock moves with each wave, so that logins, budgets and plans run out as the walk goes on."""
LISTENERS = 8
CHANGING = {
    "sync_messages", "update_message", "patch_message", "delete_message", "delete_message_by_filter", "inbox_decide",
}  # fmt: skip
"""Tools after which listeners of the same user hear that their mailbox changed, or may have."""
FORM: Mapping[str, Any] = {"elicitation": {"form": {}}}
NO_FORM: Mapping[str, Any] = {}
IN_APP: Mapping[str, Any] = {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}
_EVERYONE = -2
MAILBOX = "ringcentral://account/~/extension/{}/message-store"


@dataclass
class Plan:
    """A plan that a user holds, and how it was asked for."""

    id: str
    tool: str
    arguments: dict[str, Any]
    covers: set[tuple[str, str]]
    state: str | None = None
    """The `requestState` of its question, if it is one."""
    question: str | None = None
    phrase: str | None = None
    secret: str | None = None
    """The page's, if it is shown in an app."""
    used: bool = False
    ends: float = 0.0


@dataclass
class Listener:
    """A stream of `subscriptions/listen`, and how many changes its user made since."""

    member: Member
    changes: int = 0
    events: int = 0


class Walk:
    """See the module."""

    def __init__(
        self,
        practice: Practice,
        lines: Sequence[Line],
        entrance: Entrance,
        seed: int,
        steps: Mapping["Step", float],
    ) -> None:
        self.practice = practice
        self.lines = lines
        self.entrance = entrance
        self.seed = seed
        self._steps, self._weights = list(steps), list(steps.values())
        self.happened: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        """The errors that users got, without what differs."""
        self.plans: dict[int, list[Plan]] = {m.number: [] for m in practice.members}
        self.listeners: list[Listener] = []
        self.chance = random.Random(seed)  # noqa: S311  not secrets
        self._turn = 0
        self._tasks: TaskGroup | None = None
        self._bodies: set[str] = set()

    async def run(self, steps: int) -> None:
        """Take that many steps, or stop at the first wrong."""
        members = self.practice.members
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            taken = 0
            while taken < steps and not self.practice.wrongs:
                acting = self.chance.sample(members, min(AT_ONCE, len(members) // 2))
                idle = [m for m in members if m not in acting]
                self.practice.clock.time += timedelta(seconds=SECONDS_A_WAVE)
                if self.chance.random() < 0.004:
                    self.practice.clock.time += timedelta(minutes=self.chance.choice((11, 61)))
                    self.happened["time passes"] += 1
                async with anyio.create_task_group() as wave:
                    for member in acting:
                        step = self.chance.choices(self._steps, self._weights)[0]
                        chance = random.Random(f"{self.seed}/{taken}")  # noqa: S311
                        wave.start_soon(self._step, step, Turn(self, member, chance, idle))
                        taken += 1
            self.practice.check_mailboxes()
            tasks.cancel_scope.cancel()

    async def _step(self, step: "Step", turn: "Turn") -> None:
        try:
            await step(turn)
            self.happened[step.__name__] += 1
        except NotLetIn as error:
            self.happened[f"not let in: {str(error)[:260]}"] += 1

    def line(self) -> Line:
        """Return the next replica's line."""
        self._turn += 1
        return self.lines[self._turn % len(self.lines)]

    def listen(self, turn: "Turn", uris: Sequence[str]) -> None:
        """Open a stream for a user, which ends with the walk or to make room for another."""
        assert self._tasks
        if len(self.listeners) < LISTENERS:
            self._tasks.start_soon(self._listen, turn.member, turn.line(), list(uris))

    async def _listen(self, member: Member, line: Line, uris: list[str]) -> None:
        params = {"notifications": {"resourceSubscriptions": uris, "toolsListChanged": True}}
        headers, body = request("subscriptions/listen", params, token=member.access, capabilities=NO_FORM)
        listener = Listener(member)
        self.listeners.append(listener)
        try:
            with anyio.move_on_after(20):
                async with line.listen("POST", f"{self.entrance.public_url}/mcp", headers, body) as stream:
                    async for part in stream:
                        self.check(member, part, "event")
                        if b"notifications/resources/updated" in part:
                            listener.events += 1
                            self.happened["events heard"] += 1
                        if listener.events > listener.changes:
                            self.wrong(f"user {member.number} heard of a change that was not theirs", part)
        finally:
            self.listeners.remove(listener)

    def changed(self, member: Member) -> None:
        """Note that this user's mailbox may say that it changed."""
        for listener in self.listeners:
            if listener.member is member:
                listener.changes += 1

    def check(self, member: Member, said: bytes, where: str) -> None:
        """Note each canary of somebody else in what was said to a user."""
        for owner, canary in self.practice.canaries.others(said, member.number, member.carried):
            self.wrong(f"user {member.number} got {canary!r} of user {owner} in an answer to {where}", said)

    def wrong(self, what: str, said: bytes = b"") -> None:
        self.practice.wrongs.append(f"{what}: {said[:600]!r}" if said else what)


@dataclass
class Turn:
    """One step of one user."""

    walk: Walk
    member: Member
    chance: random.Random
    idle: list[Member]
    """Users who do nothing in this wave: thieves take from them, and they must not notice."""

    def line(self) -> Line:
        return self.walk.line()

    def victim(self) -> Member:
        return self.chance.choice(self.idle)

    def own(self, *availability: str, most: int = 3) -> list[str]:
        """Return some of the user's own messages."""
        ids = self.member.ids(*(availability or ("Alive",)))
        return self.chance.sample(ids, min(len(ids), self.chance.randint(1, most)))

    async def mcp(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        capabilities: Mapping[str, Any] = NO_FORM,
        token: str | None = None,
        version: str | None = None,
    ) -> dict[str, Any]:
        """Send an MCP request; return its result, or its error under `error`."""
        member = self.member
        if member.access is None and token is None:
            await self.walk.entrance.let_in(member)
            self.walk.happened["logins"] += 1
        if version is None:
            is_old = capabilities == NO_FORM and self.chance.random() < 0.2
            version = LEGACY if is_old else MODERN
        said = await self.sent(method, params, capabilities, token or member.access, version)
        if said.status == 401 and token is None:
            await self.renew()
            said = await self.sent(method, params, capabilities, member.access, version)
        answer = said.json()
        if said.status == 503:
            self.walk.happened["away"] += 1  # a busy machine: PostgreSQL took more than two seconds
        elif said.status >= 500:
            self.walk.wrong(f"{method} {params} was answered with {said.status}", said.body)
        return answer.get("result") or {"error": answer.get("error") or {"code": said.status}}

    async def sent(
        self,
        method: str,
        params: Mapping[str, Any],
        capabilities: Mapping[str, Any],
        token: str | None,
        version: str = MODERN,
    ) -> Said:
        """Send an MCP request once; return the whole answer, after it was searched."""
        headers, body = request(method, params, token=token, capabilities=capabilities, version=version)
        said = await self.line().ask("POST", f"{self.walk.entrance.public_url}/mcp", headers, body)
        self.walk.check(self.member, said.everything(), f"{method} {json.dumps(params)[:300]}")
        return said

    async def renew(self) -> None:
        """Get a new access token: the old one has expired."""
        member = self.member
        said = await self.walk.entrance.renew(member.refresh or "")
        self.walk.check(member, said.everything(), "a refresh")
        if said.status == 200:
            self.walk.entrance.take(member, said)
            self.walk.happened["tokens renewed"] += 1
        else:
            await self.walk.entrance.let_in(member)
            self.walk.happened["logins"] += 1

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        capabilities: Mapping[str, Any] = NO_FORM,
        extra: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call a tool; return its result."""
        if tool in CHANGING:
            self.walk.changed(self.member)
        params = {"name": tool, "arguments": arguments, **(extra or {})}
        return await self.mcp("tools/call", params, capabilities=capabilities)

    def status(self, result: Mapping[str, Any]) -> str:
        """Return the status of a change, or how it failed."""
        content = structured(result)
        if result.get("isError") or "error" in result:
            self.walk.errors[masked(error_of(result))] += 1
        return str(content.get("status") or ("error" if result.get("isError") or "error" in result else "said"))


Step = Callable[[Turn], Awaitable[None]]


def structured(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the structured content of a result, if it has any."""
    return result.get("structuredContent") or {}


def masked(said: str) -> str:
    """Return a text without ids."""
    return re.sub(r"[0-9A-Za-z-]*[0-9][0-9A-Za-z-]*", "#", said)[:200]


def error_of(result: Mapping[str, Any]) -> str:
    """Return the text of an error."""
    parts: list[dict[str, Any]] = result.get("content") or [result.get("error") or {}]
    return str(parts[0].get("text") or parts[0].get("message") or parts[0])


class LogReader(logging.Handler):
    """Notes each line of the log that has a canary of anybody."""

    def __init__(self, walk: Walk) -> None:
        super().__init__(logging.INFO)
        self._walk = walk
        self.lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1
        said = self.format(record).encode()
        for owner, canary in self._walk.practice.canaries.others(said, _EVERYONE):
            self._walk.wrong(f"a line of the log has {canary!r} of user {owner}", said)
