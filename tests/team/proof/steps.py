"""What honest users do: read, change, plan and approve, log in and out."""

import json
from collections.abc import Mapping
from typing import Any

from tests.team.proof.practice import KINDS
from tests.team.proof.talk import request
from tests.team.proof.walk import FORM, IN_APP, MAILBOX, NO_FORM, Plan, Step, Turn, masked, structured

OVER = {"done", "partial", "nothing_to_do", "declined", "failed", "unknown"}
"""Statuses after which a plan is used."""


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
    result = await turn.call("list_messages", asked)
    own.keep("message", *own.ids("Alive")[:5])
    if turn.status(result) == "error":
        turn.walk.happened["lists refused"] += 1


async def syncs(turn: Turn) -> None:
    token = turn.member.held["sync_token"][-1:] if turn.chance.random() < 0.7 else []
    result = await turn.call("sync_messages", {"sync_token": token[0]} if token else {"date_from": "2w"})
    found = structured(result).get("sync_token")
    if isinstance(found, str):
        turn.member.held["sync_token"] = [found]  # not a canary: RingCentral's tokens hold a time, and look alike


async def reads(turn: Turn) -> None:
    if ids := turn.own("Alive", "Deleted"):
        await turn.call("read_message", {"message_id": ids})


async def reads_content(turn: Turn) -> None:
    for message_id in turn.own(most=1):
        form = turn.chance.choice(("text", "embedded", "original", "auto", "file"))
        result = await turn.call("read_message_content", {"message_id": message_id, "form": form})
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
    await turn.call("read_message_store_configuration", {})


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
    mailbox = MAILBOX.format("~")
    addresses = [mailbox, *turn.member.held["address"], *(f"{mailbox}/{i}" for i in turn.own(most=1))]
    await turn.mcp("resources/read", {"uri": turn.chance.choice(addresses)})


async def completes(turn: Turn) -> None:
    uri = MAILBOX.format("{extension_id}").replace("~", "{account_id}", 1) + "/{message_id}/content/{attachment_id}"
    name = turn.chance.choice(("account_id", "extension_id", "message_id", "attachment_id"))
    given = {"message_id": "".join(turn.own(most=1))}
    params = {
        "ref": {"type": "ref/resource", "uri": uri},
        "argument": {"name": name, "value": ""},
        "context": {"arguments": given},
    }
    await turn.mcp("completion/complete", params)


async def listens(turn: Turn) -> None:
    if turn.member.access:
        turn.walk.listen(turn, [MAILBOX.format("~")])


async def gets_a_message(turn: Turn) -> None:
    turn.member.receives(turn.chance.choice(KINDS))


# Changing


async def marks(turn: Turn) -> None:
    if ids := turn.own():
        await turn.call("update_message", {"message_id": ids, "read_status": turn.chance.choice(("Read", "Unread"))})


async def restores(turn: Turn) -> None:
    if ids := turn.own("Deleted"):
        await turn.call("patch_message", {"message_id": ids, "availability": "Alive"})


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
        tool, arguments, covers = "update_message_store_configuration", {"retention_period": 20}, set[tuple[str, str]]()
    result = await turn.call(tool, arguments, capabilities)
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
    content = structured(result)
    if content.get("status") != "confirmation_required" or not content.get("plan_id"):
        return None
    plan = Plan(content["plan_id"], tool, arguments, covers, ends=ends)
    meta: dict[str, Any] = result.get("_meta") or {}
    proof: dict[str, Any] = meta.get("rc-mcp/approval") or {}
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
    turn.walk.happened[f"carried out: {status}{'' if in_time else ', too late'}"] += 1
    if status in {"failed", "partial", "unknown"}:
        turn.walk.errors[f"{status}: {masked(str(structured(result).get('said')))}"] += 1
    if status in OVER or status == "refused":
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
        return await turn.call(plan.tool, plan.arguments, FORM, extra)
    if plan.secret is not None:
        ticked = [each for kind, each in sorted(plan.covers) if kind == "message"]
        given = {"plan_id": plan.id, "approve": True, "secret": plan.secret, "message_ids": ticked}
        result = await turn.call("inbox_decide", given, IN_APP)
        turn.walk.happened[f"decided in the app: {turn.status(result)}"] += 1
        return result
    return await turn.call(plan.tool, {**plan.arguments, "plan_id": plan.id})


async def says_no(turn: Turn) -> None:
    held = [plan for plan in turn.walk.plans[turn.member.number] if plan.state and not plan.used]
    if not held:
        return
    plan = turn.chance.choice(held)
    answers: tuple[dict[str, Any], ...] = (
        {"action": "decline"},
        {"action": "cancel"},
        {"action": "accept", "content": {}},
        {"action": "accept", "content": {"confirm": False}},
        {"action": "accept", "content": {"phrase": "yes"}},
    )
    extra = {"requestState": plan.state, "inputResponses": {plan.question: turn.chance.choice(answers)}}
    result = await turn.call(plan.tool, plan.arguments, FORM, extra)
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
        result = await turn.call(plan.tool, arguments, FORM, extra)
    else:
        result = await turn.call(plan.tool, {**arguments, "plan_id": plan.id})
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
        await turn.renew()


HONEST: dict[Step, float] = {
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
    logs_in_again: 0.3,
    logs_out: 0.4,
    renews: 1,
}
"""The steps, and how often each is taken."""
