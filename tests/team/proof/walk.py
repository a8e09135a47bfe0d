"""A random walk of many users over several replicas, with thieves among them.

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
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import anyio
from anyio.abc import TaskGroup

from tests.team.proof.entrance import REDIRECT, Entrance, NotLetIn
from tests.team.proof.practice import KINDS, Member, Practice
from tests.team.proof.talk import LEGACY, MODERN, Line, Said, request

AT_ONCE = 8
"""Steps in a wave."""
SECONDS_A_WAVE = 4.0
"""How far the clock moves with each wave, so that logins, budgets and plans run out as the walk goes on."""
LISTENERS = 8
FORM: Mapping[str, Any] = {"elicitation": {"form": {}}}
NO_FORM: Mapping[str, Any] = {}
IN_APP: Mapping[str, Any] = {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}
_EVERYONE = -2
_MAILBOX = "ringcentral://account/~/extension/{}/message-store"
_OVER = {"done", "partial", "nothing_to_do", "declined", "failed", "unknown"}


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

    def __init__(self, practice: Practice, lines: Sequence[Line], entrance: Entrance, seed: int) -> None:
        self.practice = practice
        self.lines = lines
        self.entrance = entrance
        self.seed = seed
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
                        step = self.chance.choices(STEPS, WEIGHTS)[0]
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
            self.happened[f"not let in: {str(error)[:60]}"] += 1

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
                listener.changes += 2  # in both eras, or from both replicas

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
        said = await self._sent(method, params, capabilities, token or member.access, version)
        if said.status == 401 and token is None:
            await self._renew()
            said = await self._sent(method, params, capabilities, member.access, version)
        answer = said.json()
        if said.status >= 500:
            self.walk.wrong(f"{method} {params} was answered with {said.status}", said.body)
        return answer.get("result") or {"error": answer.get("error") or {"code": said.status}}

    async def _sent(
        self, method: str, params: Mapping[str, Any], capabilities: Mapping[str, Any], token: str | None, version: str
    ) -> Said:
        headers, body = request(method, params, token=token, capabilities=capabilities, version=version)
        said = await self.line().ask("POST", f"{self.walk.entrance.public_url}/mcp", headers, body)
        self.walk.check(self.member, said.everything(), f"{method} {json.dumps(params)[:300]}")
        return said

    async def _renew(self) -> None:
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
        *,
        capabilities: Mapping[str, Any] = NO_FORM,
        extra: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> dict[str, Any]:
        """Call a tool; return its result."""
        params = {"name": tool, "arguments": given, **(extra or {})}
        return await self.mcp("tools/call", params, capabilities=capabilities)

    def status(self, result: Mapping[str, Any]) -> str:
        """Return the status of a change, or how it failed."""
        content = result.get("structuredContent") or {}
        if result.get("isError") or "error" in result:
            self.walk.errors[_masked(result)] += 1
        return str(content.get("status") or ("error" if result.get("isError") or "error" in result else "said"))


Step = Callable[[Turn], Awaitable[None]]


# Reading


async def lists(turn: Turn) -> None:
    own = turn.member
    asked: dict[str, Any] = {"detail": turn.chance.choice(("rows", "summary", "full"))}
    match turn.chance.randrange(5):
        case 0:
            asked |= {"availability": ["Deleted", "Purged"], "date_from": "2w"}
        case 1:
            asked |= {"message_type": [turn.chance.choice(("SMS", "Fax", "VoiceMail", "Pager"))], "date_from": "2w"}
        case 2:
            asked |= {"per_page": 3, "page": turn.chance.randint(1, 4), "date_from": "2w"}
        case 3:
            found = [m.get("conversationId") for m in own.mailbox.messages() if m.get("conversationId")]
            if found:
                conversation = str(turn.chance.choice(found))
                own.keep("conversation", conversation)
                asked |= {"conversation_id": conversation, "date_from": "2w"}
        case _:
            asked |= {"date_from": "2w"}
    result = await turn.call("list_messages", **asked)
    own.keep("message", *own.ids("Alive")[:5])
    if turn.status(result) == "error":
        turn.walk.happened["lists refused"] += 1


async def syncs(turn: Turn) -> None:
    token = turn.member.held["sync_token"][-1:] if turn.chance.random() < 0.7 else []
    result = await turn.call("sync_messages", **({"sync_token": token[0]} if token else {"date_from": "2w"}))
    turn.walk.changed(turn.member)
    found = (result.get("structuredContent") or {}).get("sync_token")
    if isinstance(found, str):
        turn.member.held["sync_token"] = [found]  # not a canary: RingCentral's tokens hold a time, and look alike


async def reads(turn: Turn) -> None:
    if ids := turn.own("Alive", "Deleted"):
        await turn.call("read_message", message_id=ids)


async def reads_content(turn: Turn) -> None:
    for message_id in turn.own(most=1):
        form = turn.chance.choice(("text", "embedded", "original", "auto", "file"))
        result = await turn.call("read_message_content", message_id=message_id, form=form)
        if form == "file":
            keep_links(turn, result)


def keep_links(turn: Turn, result: Mapping[str, Any]) -> None:
    """Remember the links to files in an answer."""
    start = f"{turn.walk.entrance.public_url}/files/"
    for part in json.dumps(result).split('"'):
        for word in part.split():
            if word.startswith(start):
                turn.member.keep("link", word.rstrip("\\.,)]>"))


async def opens_a_link(turn: Turn) -> None:
    held = turn.member.held["link"]
    if not held:
        await reads_content(turn)
        return
    link = held.pop()
    said = await turn.line().ask("GET", link, {"accept": "*/*"})
    turn.walk.check(turn.member, said.everything(), "GET a link")
    turn.walk.happened[f"links: {said.status}"] += 1
    again = await turn.line().ask("GET", link, {"accept": "*/*"})
    turn.walk.check(turn.member, again.everything(), "GET a link")
    if said.status == 200 and again.status == 200:
        turn.walk.wrong("a link to a file worked twice", again.body)


async def reads_configuration(turn: Turn) -> None:
    await turn.call("read_message_store_configuration")


async def lists_what_there_is(turn: Turn) -> None:
    method = turn.chance.choice(("tools/list", "prompts/list", "resources/list", "resources/templates/list"))
    result = await turn.mcp(method, {})
    for resource in result.get("resources", []):
        turn.member.held["address"].append(resource["uri"])
    del turn.member.held["address"][:-20]


async def gets_a_prompt(turn: Turn) -> None:
    name = turn.chance.choice(("triage_inbox", "clean_up_mailbox", "find_fax", "follow_ups", "voicemail_digest"))
    await turn.mcp("prompts/get", {"name": name, "arguments": {}})


async def reads_a_resource(turn: Turn) -> None:
    mailbox = _MAILBOX.format("~")
    addresses = [mailbox, *turn.member.held["address"], *(f"{mailbox}/{i}" for i in turn.own(most=1))]
    await turn.mcp("resources/read", {"uri": turn.chance.choice(addresses)})


async def completes(turn: Turn) -> None:
    uri = _MAILBOX.format("{extension_id}").replace("~", "{account_id}", 1) + "/{message_id}/content/{attachment_id}"
    name = turn.chance.choice(("account_id", "extension_id", "message_id", "attachment_id"))
    given = {"message_id": i for i in turn.own(most=1)}
    params = {
        "ref": {"type": "ref/resource", "uri": uri},
        "argument": {"name": name, "value": ""},
        "context": {"arguments": given},
    }
    await turn.mcp("completion/complete", params)


async def listens(turn: Turn) -> None:
    if turn.member.access:
        turn.walk.listen(turn, [_MAILBOX.format("~")])


async def gets_a_message(turn: Turn) -> None:
    turn.member.receives(turn.chance.choice(KINDS))


# Changing


async def marks(turn: Turn) -> None:
    if ids := turn.own():
        await turn.call("update_message", message_id=ids, read_status=turn.chance.choice(("Read", "Unread")))
        turn.walk.changed(turn.member)


async def restores(turn: Turn) -> None:
    if ids := turn.own("Deleted"):
        await turn.call("patch_message", message_id=ids, availability="Alive")
        turn.walk.changed(turn.member)


async def plans(turn: Turn) -> None:
    """Ask for a delete. What answers for the user depends on what the client can do."""
    own, chance = turn.member, turn.chance
    capabilities = chance.choice((NO_FORM, NO_FORM, FORM, FORM, IN_APP))
    purge = capabilities == FORM and chance.random() < 0.3
    ids = turn.own("Alive", "Deleted", most=4) if purge else turn.own(most=4)
    if len(own.ids("Alive")) < 6:
        own.receives(chance.choice(KINDS))
    if not ids:
        return
    tool, arguments = "delete_message", {"message_id": ids, "purge": purge}
    covers = {("message", i) for i in ids}
    conversations = own.held["conversation"]
    if conversations and not purge and chance.random() < 0.3:
        tool, arguments = "delete_message_by_filter", {"conversation_id": [chance.choice(conversations)]}
        covers = {("conversation", arguments["conversation_id"][0])}
        covers |= {
            ("message", str(m["id"]))
            for m in own.mailbox.messages()
            if str(m.get("conversationId")) == arguments["conversation_id"][0]
        }
    elif chance.random() < 0.03:
        tool, arguments, covers = "update_message_store_configuration", {"retention_period": 20}, set()
    result = await turn.call(tool, capabilities=capabilities, **arguments)
    turn.walk.happened[f"planned: {turn.status(result)}"] += 1
    plan = plan_of(turn, result, tool, arguments, covers)
    if plan:
        held = turn.walk.plans[own.number]
        held.append(plan)
        del held[:-6]


def plan_of(
    turn: Turn, result: Mapping[str, Any], tool: str, arguments: dict[str, Any], covers: set[tuple[str, str]]
) -> Plan | None:
    """Return the plan that an answer is about."""
    ends = turn.walk.practice.clock().timestamp() + 600
    if result.get("requestState"):
        state = result["requestState"]
        (name, asked), *_ = result["inputRequests"].items()
        fields = asked["params"]["requestedSchema"]["properties"]
        purge = bool(arguments.get("purge"))
        phrase = f"PURGE {len(arguments['message_id'])}" if purge and "phrase" in fields else None
        turn.member.keep("state", state)
        return Plan(f"state {state[:24]}", tool, arguments, covers, state, name, phrase, ends=ends)
    content = result.get("structuredContent") or {}
    if content.get("status") != "confirmation_required" or not content.get("plan_id"):
        return None
    plan = Plan(content["plan_id"], tool, arguments, covers, ends=ends)
    proof = (result.get("_meta") or {}).get("rc-mcp/approval") or {}
    plan.secret = proof.get("secret")
    turn.member.keep("plan", f"{plan.id}")
    return plan


async def carries_out(turn: Turn) -> None:
    """Approve a plan on one replica and carry it out on another."""
    held = [plan for plan in turn.walk.plans[turn.member.number] if not plan.used]
    if not held:
        await plans(turn)
        return
    plan = turn.chance.choice(held)
    own = turn.member
    if plan.tool == "update_message_store_configuration":
        own.agreed.pop(plan.id, None)
        turn.walk.plans[own.number].remove(plan)
        return
    own.agreed[plan.id] = set(plan.covers)
    if plan.arguments.get("purge"):
        own.purges |= {each for _, each in plan.covers}
    in_time = turn.walk.practice.clock().timestamp() < plan.ends
    result = await approved(turn, plan)
    status = turn.status(result)
    turn.walk.changed(own)
    turn.walk.happened[f"carried out: {status}{'' if in_time else ', too late'}"] += 1
    if status in _OVER or status == "refused":
        plan.used = True
    if not in_time and plan.state is None and status in {"done", "partial"}:
        turn.walk.wrong(f"a plan was carried out after its time: {result}")
    own.agreed.pop(plan.id, None)
    if plan.used and turn.chance.random() < 0.5:  # once more: nothing is agreed now
        again = await approved(turn, plan)
        turn.walk.happened[f"carried out again: {turn.status(again)}"] += 1


async def approved(turn: Turn, plan: Plan) -> dict[str, Any]:
    """Let the user say yes to a plan, in the way that its client has."""
    if plan.state is not None:
        content = {"phrase": plan.phrase} if plan.phrase else {"confirm": True}
        answer = {plan.question: {"action": "accept", "content": content}}
        extra = {"requestState": plan.state, "inputResponses": answer}
        return await turn.call(plan.tool, capabilities=FORM, extra=extra, **plan.arguments)
    if plan.secret is not None:
        given = {"plan_id": plan.id, "approve": True, "secret": plan.secret}
        result = await turn.call("inbox_decide", capabilities=IN_APP, **given)
        turn.walk.happened[f"decided in the app: {turn.status(result)}"] += 1
        return result
    return await turn.call(plan.tool, **{**plan.arguments, "plan_id": plan.id})


async def says_no(turn: Turn) -> None:
    held = [plan for plan in turn.walk.plans[turn.member.number] if plan.state and not plan.used]
    if not held:
        return
    plan = turn.chance.choice(held)
    answer = turn.chance.choice(
        (
            {"action": "decline"},
            {"action": "cancel"},
            {"action": "accept", "content": {}},
            {"action": "accept", "content": {"confirm": False}},
            {"action": "accept", "content": {"phrase": "yes"}},
        )
    )
    extra = {"requestState": plan.state, "inputResponses": {plan.question: answer}}
    result = await turn.call(plan.tool, capabilities=FORM, extra=extra, **plan.arguments)
    turn.walk.happened[f"said no: {turn.status(result)}"] += 1
    turn.walk.plans[turn.member.number].remove(plan)


async def uses_a_plan_for_something_else(turn: Turn) -> None:
    held = [p for p in turn.walk.plans[turn.member.number] if not p.used and p.tool == "delete_message"]
    if not held:
        return
    plan = turn.chance.choice(held)
    others = [i for i in turn.member.ids("Alive") if i not in plan.arguments["message_id"]][:2]
    if not others:
        return
    arguments = turn.chance.choice(({"message_id": others}, {"message_id": [*plan.arguments["message_id"], *others]}))
    if plan.state is not None:
        answer = {plan.question: {"action": "accept", "content": {"confirm": True}}}
        extra = {"requestState": plan.state, "inputResponses": answer}
        result = await turn.call(plan.tool, capabilities=FORM, extra=extra, **arguments)
    else:
        result = await turn.call(plan.tool, **{**arguments, "plan_id": plan.id})
    turn.walk.happened[f"plan for something else: {turn.status(result)}"] += 1


# Logging in and out


async def logs_in_again(turn: Turn) -> None:
    await turn.walk.entrance.let_in(turn.member)
    turn.walk.happened["logins"] += 1


async def logs_out(turn: Turn) -> None:
    own = turn.member
    if own.access is None:
        return
    said = await turn.walk.entrance.revoke(own.refresh or own.access)
    turn.walk.check(own, said.everything(), "a revocation")
    ended = own.access
    own.access = own.refresh = None
    headers, body = request("tools/list", {}, token=ended, capabilities=NO_FORM)
    for line in turn.walk.lines:
        after = await line.ask("POST", f"{turn.walk.entrance.public_url}/mcp", headers, body)
        turn.walk.happened[f"after logging out: {after.status}"] += 1


async def renews(turn: Turn) -> None:
    if turn.member.refresh:
        await turn._renew()  # noqa: SLF001


# Thefts: a thief takes what a victim holds, and must get nothing, and change nothing


Theft = Callable[[Turn, Member], Awaitable[Mapping[str, Any] | None]]


async def steals(turn: Turn) -> None:
    """Try one theft; afterwards the victim's mailbox must be as it was."""
    victim, theft = turn.victim(), turn.chance.choice(THEFTS)
    before = victim.mailbox.messages()
    result = await theft(turn, victim)
    turn.walk.happened[f"theft: {theft.__name__}{'' if result is None else f': {turn.status(result)}'}"] += 1
    if victim.mailbox.messages() != before:
        turn.walk.wrong(f"{theft.__name__} of user {turn.member.number} changed the mailbox of user {victim.number}")
    if result is not None and turn.status(result) in {"done", "partial"}:
        turn.walk.wrong(f"{theft.__name__} of user {turn.member.number} worked on user {victim.number}: {result}")


def carry(turn: Turn, *loot: str) -> None:
    """Note what the thief sends itself: an answer may repeat it."""
    for each in loot:
        turn.member.carried.update(turn.walk.practice.canaries.runs(each))


async def a_plan(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    held = [plan for plan in turn.walk.plans[victim.number] if not plan.used and plan.state is None]
    if not held:
        return None
    plan = turn.chance.choice(held)
    ids = [*plan.arguments.get("message_id", ()), *plan.arguments.get("conversation_id", ())]
    carry(turn, plan.id, plan.secret or "", *ids)
    if plan.secret and turn.chance.random() < 0.5:
        given = {"plan_id": plan.id, "approve": turn.chance.random() < 0.5, "secret": plan.secret}
        return await turn.call("inbox_decide", capabilities=IN_APP, **given)
    return await turn.call(plan.tool, **{**plan.arguments, "plan_id": plan.id})


async def a_request_state(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    held = [plan for plan in turn.walk.plans[victim.number] if not plan.used and plan.state]
    if not held:
        return None
    plan = turn.chance.choice(held)
    carry(turn, plan.state or "", *plan.arguments.get("message_id", ()), *plan.arguments.get("conversation_id", ()))
    return await approved(turn, plan)


async def messages(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    ids = victim.ids("Alive", "Deleted")[:3]
    if not ids:
        return None
    carry(turn, *ids)
    extension = turn.chance.choice(("~", victim.extension_id))
    if extension != "~":
        carry(turn, extension)
    where = {} if extension == "~" else {"extension_id": extension}
    match turn.chance.randrange(5):
        case 0:
            return await turn.call("read_message", message_id=ids, **where)
        case 1:
            return await turn.call("read_message_content", message_id=ids[0], form="embedded", **where)
        case 2:
            return await turn.call("update_message", message_id=ids, read_status="Read", **where)
        case 3:
            return await turn.call("patch_message", message_id=ids, availability="Alive", **where)
        case _:
            return await turn.call("delete_message", message_id=ids, **where)


async def a_mailbox(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    carry(turn, victim.extension_id)
    tool = turn.chance.choice(("list_messages", "sync_messages"))
    return await turn.call(tool, extension_id=victim.extension_id, date_from="2w")


async def a_conversation(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    held = victim.held["conversation"]
    if not held:
        return None
    carry(turn, held[-1])
    if turn.chance.random() < 0.5:
        return await turn.call("delete_message_by_filter", conversation_id=[held[-1]])
    return await turn.call("list_messages", conversation_id=held[-1], date_from="2w")


async def a_sync_token(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    held = victim.held["sync_token"]
    if not held:
        return None
    carry(turn, held[-1])
    turn.walk.changed(turn.member)
    return await turn.call("sync_messages", sync_token=held[-1])


async def an_address(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    ids = victim.ids("Alive")[:1]
    if not ids:
        return None
    carry(turn, victim.extension_id, *ids)
    extension = turn.chance.choice(("~", victim.extension_id))
    uri = turn.chance.choice((_MAILBOX.format(extension), f"{_MAILBOX.format(extension)}/{ids[0]}"))
    message = victim.mailbox.message(ids[0]) or {}
    if "/message-store/" in uri and message.get("attachments"):
        attachment = str(message["attachments"][0]["id"])
        carry(turn, attachment)
        uri = turn.chance.choice((uri, f"{uri}/content/{attachment}"))
    return await turn.mcp("resources/read", {"uri": uri})


async def a_subscription(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    carry(turn, victim.extension_id)
    uri = _MAILBOX.format(victim.extension_id)
    if turn.member.access and turn.chance.random() < 0.5:
        turn.walk.listen(turn, [uri])
        return None
    return await turn.mcp("resources/subscribe", {"uri": uri}, version=LEGACY)


async def a_cursor(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    cursor = (victim.held["state"] or victim.held["sync_token"] or ["abc"])[-1]
    carry(turn, cursor)
    return await turn.mcp(turn.chance.choice(("tools/list", "resources/list")), {"cursor": cursor})


async def a_completion(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    ids = victim.ids("Alive")[:1]
    carry(turn, victim.extension_id, *ids)
    uri = _MAILBOX.format("{extension_id}").replace("~", "{account_id}", 1) + "/{message_id}/content/{attachment_id}"
    given = {"extension_id": turn.chance.choice(("~", victim.extension_id)), "message_id": (ids or ["1"])[0]}
    params = {
        "ref": {"type": "ref/resource", "uri": uri},
        "argument": {"name": turn.chance.choice(("message_id", "attachment_id")), "value": ""},
        "context": {"arguments": given},
    }
    return await turn.mcp("completion/complete", params)


async def a_link(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    """Somebody else's link, used already or guessed from it."""
    held = victim.held["link"]
    if not held:
        return None
    changed = held[-1][:-3] + ("abc" if not held[-1].endswith("abc") else "xyz")
    carry(turn, changed)
    said = await turn.line().ask("GET", changed, {"accept": "*/*"})
    turn.walk.check(turn.member, said.everything(), "GET a changed link")
    if said.status == 200:
        turn.walk.wrong("a changed link to a file worked", said.body)
    return None


async def a_token_for_something_else(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    """Tokens that are real, but not for this server: RingCentral's own, a refresh token, a code."""
    sessions = [s for s in turn.walk.practice.emulator.sessions._sessions if s.user.username == victim.username]  # noqa: SLF001
    tokens = [*(s.access_token for s in sessions), *(t for s in sessions if (t := s.refresh_token))]
    tokens += [*victim.held["code"], *([victim.refresh] if victim.refresh else []), "x" * 43, ""]
    token = turn.chance.choice(tokens)
    carry(turn, token)
    headers, body = request("tools/list", {}, token=token, capabilities=NO_FORM)
    said = await turn.line().ask("POST", f"{turn.walk.entrance.public_url}/mcp", headers, body)
    turn.walk.check(turn.member, said.everything(), "a token for something else")
    if said.status != 401:
        turn.walk.wrong(f"a token for something else was answered with {said.status}", said.body)
    return None


async def a_code(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    """The victim logs in; a thief has the code, but not the verifier."""
    entrance = turn.walk.entrance
    grant = await entrance.ask(entrance.browser(victim))
    victim.keep("code", grant.code)
    carry(turn, grant.code)
    wrong = turn.chance.choice(
        ({"code_verifier": "a" * 43}, {"client_id": "somebody"}, {"redirect_uri": "http://127.0.0.1/other"},
         {"resource": "https://elsewhere.example/mcp"})
    )  # fmt: skip
    said = await entrance.redeem(grant, **wrong)
    turn.walk.check(turn.member, said.everything(), "a stolen code")
    if said.status < 400:
        turn.walk.wrong(f"a stolen code was redeemed with {wrong}", said.body)
    return None


async def a_state(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    """The answer of RingCentral's login, opened in another browser than the one that began it."""
    entrance = turn.walk.entrance
    begun, other = entrance.browser(victim), entrance.browser(turn.member)
    start = entrance.address(entrance.new_grant())
    answer = await begun.open(start, until=f"{entrance.public_url}/login/ringcentral")
    carry(turn, answer)
    said = await other.go("GET", answer)
    turn.walk.check(turn.member, said.everything(), "a stolen state")
    if said.status < 400 and "code=" in said.header("location"):
        turn.walk.wrong("the answer of a login worked in another browser", said.everything())
    await begun.open(answer, until=REDIRECT)  # it still works in the browser that began it
    again = await begun.go("GET", answer)
    if again.status < 400 and "code=" in again.header("location"):
        turn.walk.wrong("the answer of a login worked twice", again.everything())
    return None


async def a_refresh_token(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    """The victim's refresh token, by another client."""
    if not victim.refresh:
        return None
    carry(turn, victim.refresh)
    entrance = turn.walk.entrance
    other = Entrance(entrance.public_url, entrance.send, "somebody-else")
    said = await other.renew(victim.refresh)
    turn.walk.check(turn.member, said.everything(), "a stolen refresh token")
    if said.status < 400:
        turn.walk.wrong("another client used a refresh token", said.body)
    own = await entrance.renew(victim.refresh)
    if own.status == 200:
        entrance.take(victim, own)
    return None


THEFTS: tuple[Theft, ...] = (
    a_plan, a_plan, a_request_state, a_request_state, messages, messages, a_mailbox, a_conversation, a_sync_token,
    an_address, an_address, a_subscription, a_cursor, a_completion, a_link, a_token_for_something_else,
)  # fmt: skip
LOGIN_THEFTS: tuple[Theft, ...] = (a_code, a_state, a_refresh_token)


async def steals_a_login(turn: Turn) -> None:
    victim, theft = turn.victim(), turn.chance.choice(LOGIN_THEFTS)
    await theft(turn, victim)
    turn.walk.happened[f"theft: {theft.__name__}"] += 1


_WEIGHTS: dict[Step, float] = {
    lists: 12,
    syncs: 8,
    reads: 8,
    reads_content: 6,
    opens_a_link: 2,
    reads_configuration: 2,
    lists_what_there_is: 5,
    gets_a_prompt: 2,
    reads_a_resource: 6,
    completes: 3,
    listens: 2,
    gets_a_message: 4,
    marks: 5,
    restores: 4,
    plans: 10,
    carries_out: 10,
    says_no: 2,
    uses_a_plan_for_something_else: 2,
    steals: 16,
    logs_in_again: 0.3,
    logs_out: 0.4,
    renews: 1,
    steals_a_login: 0.6,
}
STEPS, WEIGHTS = list(_WEIGHTS), list(_WEIGHTS.values())


def _masked(result: Mapping[str, Any]) -> str:
    """Return the text of an error, without ids and words."""
    parts = result.get("content") or [result.get("error")]
    said = str(parts[0].get("text") or parts[0].get("message") or parts[0])
    return re.sub(r"[0-9A-Za-z-]*[0-9][0-9A-Za-z-]*", "#", said)[:200]


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
