"""What thieves do: each takes what a victim holds, and must get nothing, and change nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tests.team.proof.entrance import REDIRECT, Entrance
from tests.team.proof.practice import Member
from tests.team.proof.steps import approved
from tests.team.proof.talk import LEGACY, request
from tests.team.proof.walk import IN_APP, MAILBOX, NO_FORM, Step, Turn

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
        ticked = [each for kind, each in sorted(plan.covers) if kind == "message"]
        given = {
            "plan_id": plan.id,
            "approve": turn.chance.random() < 0.5,
            "secret": plan.secret,
            "message_ids": ticked,
        }
        return await turn.call("inbox_decide", given, IN_APP)
    return await turn.call(plan.tool, {**plan.arguments, "plan_id": plan.id})


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
            return await turn.call("read_message", {"message_id": ids, **where})
        case 1:
            return await turn.call("read_message_content", {"message_id": ids[0], "form": "embedded", **where})
        case 2:
            return await turn.call("update_message", {"message_id": ids, "read_status": "Read", **where})
        case 3:
            return await turn.call("patch_message", {"message_id": ids, "availability": "Alive", **where})
        case _:
            return await turn.call("delete_message", {"message_id": ids, **where})


async def a_mailbox(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    carry(turn, victim.extension_id)
    tool = turn.chance.choice(("list_messages", "sync_messages"))
    return await turn.call(tool, {"extension_id": victim.extension_id, "date_from": "2w"})


async def a_conversation(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    held = victim.held["conversation"]
    if not held:
        return None
    carry(turn, held[-1])
    if turn.chance.random() < 0.5:
        return await turn.call("delete_message_by_filter", {"conversation_id": [held[-1]]})
    return await turn.call("list_messages", {"conversation_id": held[-1], "date_from": "2w"})


async def a_sync_token(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    held = victim.held["sync_token"]
    if not held:
        return None
    carry(turn, held[-1])
    return await turn.call("sync_messages", {"sync_token": held[-1]})


async def an_address(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    ids = victim.ids("Alive")[:1]
    if not ids:
        return None
    carry(turn, victim.extension_id, *ids)
    extension = turn.chance.choice(("~", victim.extension_id))
    uri = turn.chance.choice((MAILBOX.format(extension), f"{MAILBOX.format(extension)}/{ids[0]}"))
    message = victim.mailbox.message(ids[0]) or {}
    if "/message-store/" in uri and message.get("attachments"):
        attachment = str(message["attachments"][0]["id"])
        carry(turn, attachment)
        uri = turn.chance.choice((uri, f"{uri}/content/{attachment}"))
    return await turn.mcp("resources/read", {"uri": uri})


async def a_subscription(turn: Turn, victim: Member) -> Mapping[str, Any] | None:
    carry(turn, victim.extension_id)
    uri = MAILBOX.format(victim.extension_id)
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
    uri = MAILBOX.format("{extension_id}").replace("~", "{account_id}", 1) + "/{message_id}/content/{attachment_id}"
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
    logins = turn.walk.practice.emulator.sessions._sessions  # pyright: ignore[reportPrivateUsage]
    sessions = [s for s in logins if s.user.username == victim.username]
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


THIEVISH: dict[Step, float] = {steals: 16, steals_a_login: 0.6}
"""The steps, and how often each is taken."""
