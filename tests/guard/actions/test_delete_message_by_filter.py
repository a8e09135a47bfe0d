"""delete_message_by_filter deletes conversations up to a fixed time; later messages survive."""

from datetime import timedelta

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Party
from rc_mcp.guard.policy.rules import NO_POLICY
from rc_mcp.guard.preview import warnings_about
from rc_mcp.guard.refusals import NOTHING_DONE
from tests.desk import DECLINE, YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio


def conversation(desk: Desk, size: int) -> tuple[str, list[str]]:
    """Return a conversation with at least this many Alive messages: its id and theirs."""
    by_conversation: dict[str, list[str]] = {}
    for message in desk.emulator.store.messages():
        if message["availability"] == "Alive" and "conversation" in message:
            by_conversation.setdefault(message["conversation"]["id"], []).append(str(message["id"]))
    return next((c, ids) for c, ids in by_conversation.items() if len(ids) >= size)


async def test_a_conversation_is_deleted_by_the_ids_that_were_shown(desk: Desk, era: Era) -> None:
    conversation_id, ids = conversation(desk, 3)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id])
    assert answer["status"] == "done"
    assert answer["outcomes"] == dict.fromkeys(ids, "deleted")
    [sent] = desk.sent("DELETE")
    path, _, query = sent.partition("?")
    assert sorted(path.rpartition("/")[2].split(",")) == sorted(ids)
    assert "conversationId" not in query


async def test_a_message_that_arrives_late_with_an_earlier_time_survives(desk: Desk, era: Era) -> None:
    sender = Party(phone_number="+15035550199")
    first, last = (
        desk.emulator.store.add(
            Draft(type="SMS", sender=sender, text=text, created=desk.clock() - timedelta(hours=hours))
        )
        for text, hours in (("one", 3), ("three", 1))
    )
    late: list[str] = []

    def arrives(request: httpx.Request) -> None:
        if request.method == "DELETE" and not late:
            between = Draft(type="SMS", sender=sender, text="two", created=desk.clock() - timedelta(hours=2))
            late.append(str(desk.emulator.store.add(between)["id"]))

    desk.faults.before(arrives)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[first["conversation"]["id"]])
    assert answer["outcomes"] == {str(first["id"]): "deleted", str(last["id"]): "deleted"}
    assert desk.availability(late[0]) == "Alive"


async def test_an_api_that_ignores_the_conversation_adds_no_other_to_the_plan(desk: Desk, era: Era) -> None:
    conversation_id, ids = conversation(desk, 3)

    def ignores_it(request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET" or "conversationId" not in request.url.params:
            return None
        everything = desk.emulator.store.messages()[:50]
        everything += [m for m in desk.emulator.store.messages() if str(m["id"]) in ids and m not in everything]
        page = {"records": everything, "paging": {"totalElements": len(everything)}, "navigation": {}}
        return httpx.Response(200, json=page, request=request)

    desk.faults.before(ignores_it)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id])
    assert answer["outcomes"] == dict.fromkeys(ids, "deleted")
    headline, where, *_ = desk.asked[0].message.split("\n")
    assert (f" {len(ids)} " in headline, " 1 " in where) == (True, True)


async def test_a_message_that_arrives_after_the_plan_survives(desk: Desk, era: Era) -> None:
    sender = Party(phone_number="+15035550199")
    early = [desk.emulator.store.add(Draft(type="SMS", sender=sender, text=text)) for text in ("one", "two")]
    ids = [str(m["id"]) for m in early]
    conversation_id = early[0]["conversation"]["id"]
    desk.clock.time += timedelta(minutes=10)
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message_by_filter", conversation_id=[conversation_id]))["plan_id"]
        desk.clock.time += timedelta(seconds=5)
        late = desk.emulator.store.add(Draft(type="SMS", sender=sender, text="Wait!"))
        assert late["conversation"]["id"] == conversation_id
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id], plan_id=plan)
    assert answer["outcomes"] == dict.fromkeys(ids, "deleted")
    assert desk.availability(str(late["id"])) == "Alive"


async def test_a_message_that_arrives_in_the_same_second_as_the_last_one_survives(desk: Desk, era: Era) -> None:
    draft = Draft(type="SMS", sender=Party(phone_number="+15035550199"), text="one")
    first = desk.emulator.store.add(draft)
    late: list[str] = []

    def arrives(request: httpx.Request) -> None:
        if request.method == "DELETE" and not late:
            late.append(str(desk.emulator.store.add(draft)["id"]))

    desk.faults.before(arrives)
    desk.ahead = timedelta(minutes=2)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[first["conversation"]["id"]])
    assert answer["outcomes"] == {str(first["id"]): "deleted"}
    assert desk.availability(late[0]) == "Alive"


async def test_a_span_names_the_same_plan_when_the_call_is_repeated_later(desk: Desk, era: Era) -> None:
    conversation_id, ids = conversation(desk, 3)
    arguments = {"conversation_id": [conversation_id], "date_to": "1m"}
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message_by_filter", **arguments))["plan_id"]
        desk.clock.time += timedelta(minutes=5)
        answer = await call(client, "delete_message_by_filter", **arguments, plan_id=plan)
    assert answer["outcomes"] == dict.fromkeys(ids, "deleted")


async def test_a_deleted_message_is_not_purged_with_its_conversation(desk: Desk, era: Era) -> None:
    conversation_id, ids = conversation(desk, 3)
    async with desk.client(era, answer=YES) as client:
        await call(client, "delete_message", message_id=ids[:1])
        desk.clock.time += timedelta(seconds=1)
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id])
    assert answer["outcomes"] == {ids[0]: "already", **dict.fromkeys(ids[1:], "deleted")}
    assert {desk.availability(i) for i in ids} == {"Deleted"}


async def test_a_message_restored_since_the_plan_is_not_deleted_with_its_conversation(desk: Desk, era: Era) -> None:
    conversation_id, ids = conversation(desk, 3)
    async with desk.client(era) as client:
        first = (await call(client, "delete_message", message_id=ids[:1]))["plan_id"]
        await call(client, "delete_message", message_id=ids[:1], plan_id=first)
        desk.clock.time += timedelta(seconds=1)
        plan = (await call(client, "delete_message_by_filter", conversation_id=[conversation_id]))["plan_id"]
        await call(client, "patch_message", message_id=ids[:1], availability="Alive")
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id], plan_id=plan)
    assert answer["outcomes"] == {ids[0]: "skipped", **dict.fromkeys(ids[1:], "deleted")}
    assert desk.availability(ids[0]) == "Alive"


async def test_a_declined_conversation_stays(desk: Desk, era: Era) -> None:
    conversation_id, ids = conversation(desk, 3)
    async with desk.client(era, answer=DECLINE) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id])
    assert answer["status"] == "declined"
    assert {desk.availability(i) for i in ids} == {"Alive"}


async def test_a_conversation_is_purged_only_with_the_phrase(desk: Desk, era: Era) -> None:
    conversation_id, ids = conversation(desk, 3)
    async with desk.client(era, answer=typed(f"PURGE {len(ids)}")) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id], purge=True)
    assert answer["outcomes"] == dict.fromkeys(ids, "purged")


async def test_a_conversation_that_does_not_exist_is_nothing_to_do(desk: Desk) -> None:
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=["1"])
    assert answer["status"] == "nothing_to_do"
    assert desk.sent("DELETE") == []


async def test_a_call_without_conversations_is_refused(desk: Desk) -> None:
    async with desk.client(answer=YES) as client:
        assert "conversation_id" in await refused(client, "delete_message_by_filter", conversation_id=[])
        assert "conversation_id" in await refused(client, "delete_message_by_filter", type="All")
    assert desk.emulator.requests == []


async def test_text_means_sms_and_pager_messages(desk: Desk, era: Era) -> None:
    sent = desk.emulator.store.add(Draft(type="SMS", sender=Party(phone_number="+15035550199"), text="hello"))
    desk.clock.time += timedelta(seconds=2)
    arguments = {"conversation_id": [sent["conversation"]["id"]], "type": "Text"}
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", **arguments)
    assert answer["outcomes"] == {str(sent["id"]): "deleted"}
    assert desk.sent("DELETE") == [f"/restapi/v1.0/account/~/extension/~/message-store/{sent['id']}?"]


async def test_conversations_with_more_messages_together_than_a_plan_may_hold_are_refused(desk: Desk) -> None:
    conversations: set[str] = set()
    for number in ("+15035550198", "+15035550199"):
        for n in range(101):
            draft = Draft(type="SMS", sender=Party(phone_number=number), text=f"parcel {n}")
            conversations.add(desk.emulator.store.add(draft)["conversation"]["id"])
    desk.clock.time += timedelta(seconds=2)
    async with desk.client(answer=YES) as client:
        said = await refused(client, "delete_message_by_filter", conversation_id=sorted(conversations))
    assert "200" in said
    assert "date_to" in said
    assert desk.asked == []


async def test_a_conversation_larger_than_a_plan_is_refused_with_advice(desk: Desk) -> None:
    for n in range(201):
        desk.emulator.store.add(Draft(type="SMS", sender=Party(phone_number="+15035550199"), text=f"parcel {n}"))
    desk.clock.time += timedelta(seconds=2)
    conversation_id = desk.emulator.store.messages()[0]["conversation"]["id"]
    async with desk.client(answer=YES) as client:
        said = await refused(client, "delete_message_by_filter", conversation_id=[conversation_id])
    assert "200" in said
    assert "date_to" in said
    assert said.endswith(NOTHING_DONE)


@pytest.mark.parametrize("is_timeless", [False, True])
async def test_unreadable_messages_in_a_conversation_are_reported_before_and_after(
    desk: Desk, era: Era, is_timeless: bool
) -> None:
    conversation_id, ids = conversation(desk, 3)

    def one_is_odd(request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET" or "conversationId" not in request.url.params:
            return None
        held = [m for m in desk.emulator.store.messages() if str(m["id"]) in ids]
        odd = {k: v for k, v in held[0].items() if k != "creationTime"} if is_timeless else "no message"
        page = {"records": [odd, *held[1:]], "paging": {"totalElements": len(held)}, "navigation": {}}
        return httpx.Response(200, json=page, request=request)

    desk.faults.before(one_is_odd)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[conversation_id])
    [question] = desk.asked
    [warning] = warnings_about([], desk.clock(), NO_POLICY, unseen=1).short
    assert warning in " ".join(question.message.split())
    assert sorted(answer["outcomes"].values()) == ["deleted"] * (len(ids) - 1)
    assert (answer["status"], " 1 " in answer["said"]) == ("partial", True)
    assert sum(desk.availability(i) == "Alive" for i in ids) == 1
