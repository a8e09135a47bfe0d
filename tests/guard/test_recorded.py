"""Every step of a destructive request is journaled, before and after; without a journal nothing is sent."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from click.testing import CliRunner
from mcp.types import ElicitResult

from rc_mcp.cli import main
from rc_mcp.emulator import Draft
from rc_mcp.guard.actions.retention import PERIOD_NOT_CHANGED
from rc_mcp.guard.preview import CONFIRM
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state.coordination import Stopped, unless_stopped
from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.folder import Folder, stop_file
from rc_mcp.guard.state.journal import Entry, Record
from tests.desk import DECLINE, EMPTY, NO, YES, Answer, Desk, Era, call, refused, spoiled, typed

pytestmark = pytest.mark.anyio


def events(desk: Desk) -> list[str]:
    return [entry.event for entry in desk.journal.entries()]


def details(desk: Desk, event: str) -> dict[str, object]:
    """Return the details of the newest entry of this event."""
    return dict(next(e.details for e in reversed(desk.journal.entries()) if e.event == event))


async def test_a_delete_is_journaled_from_the_question_to_the_outcome(desk: Desk, era: Era) -> None:
    targets = desk.ids(availability="Alive")[:2]
    before = {i: desk.as_it_is(i)[1] for i in targets}
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert events(desk) == ["asked", "approved", "begun", "sending", "sent", "done"]
    assert {entry.operation for entry in desk.journal.entries()} == {answer["operation_id"]}
    assert details(desk, "asked") == {"action": "delete", "severity": "reversible", "ids": targets}
    assert details(desk, "approved") == {"by": "client"}
    assert details(desk, "begun") == {"account_id": "~", "extension_id": "~"}
    sending = details(desk, "sending")
    assert (sending["ids"], sending["to"]) == (targets, "Deleted")
    assert sending["was"] == {i: ["Alive", before[i]] for i in targets}
    assert sending["clock"] == {"name": "desk", "seconds": desk.clock().timestamp()}
    assert details(desk, "sent") == {"outcomes": dict.fromkeys(targets, "deleted"), "clock": sending["clock"]}
    assert details(desk, "done") == {"status": "done", "outcomes": dict.fromkeys(targets, "deleted")}
    assert desk.journal.verify().faults == ()


async def test_the_answer_says_how_the_model_and_the_user_can_undo_it(desk: Desk) -> None:
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:1])
    assert "patch_message" in answer["next"]
    assert f"rc-mcp undo {answer['operation_id']}`" in answer["next"]


async def test_the_journal_distinguishes_approval_in_the_chat_from_the_terminal(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        await call(client, "delete_message", message_id=[target], plan_id=plan)
        assert details(desk, "approved") == {"by": "chat"}
        plan = (await call(client, "delete_message", message_id=[target], purge=True))["plan_id"]
        desk.plans.approve(plan)
        await call(client, "delete_message", message_id=[target], purge=True, plan_id=plan)
    assert details(desk, "approved") == {"by": "terminal"}
    assert events(desk).count("approved") == 2
    assert details(desk, "sending")["to"] == "Purged"


async def test_a_refusal_is_journaled_with_its_channel(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era, answer=DECLINE) as client:
        await call(client, "delete_message", message_id=[target])
    assert details(desk, "declined") == {"by": "client"}
    assert "refused" not in events(desk)
    async with desk.client(era) as client:
        desk.plans.deny((await call(client, "delete_message", message_id=[target]))["plan_id"])
    assert details(desk, "declined") == {"by": "terminal"}
    assert "begun" not in events(desk)


@pytest.mark.parametrize(
    ("purge", "answer", "reason"),
    [
        (False, NO, "accepted_without_a_tick"),
        (False, EMPTY, "accepted_without_a_tick"),
        (True, typed("PURGE 2"), "accepted_without_the_phrase"),
        (True, EMPTY, "accepted_without_the_phrase"),
    ],
)
async def test_an_answer_that_was_accepted_but_not_filled_in_is_reported_as_that_and_not_as_a_no(
    purge: bool, answer: ElicitResult, reason: str, desk: Desk, era: Era
) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(era, answer=DECLINE) as client:
        no = await call(client, "delete_message", message_id=[target], purge=purge)
    async with desk.client(era, answer=answer) as client:
        unfilled = await call(client, "delete_message", message_id=[target], purge=purge)
    assert (no["status"], unfilled["status"]) == ("declined", "declined")
    assert unfilled["said"] != no["said"]
    assert (CONFIRM in unfilled["said"]) == (not purge)
    assert events(desk)[-3:] == ["asked", "declined", "refused"]
    assert details(desk, "refused") == {"reason": reason}
    assert f"refused: {reason.replace('_', ' ')}" in shown_by_audit(desk)
    assert desk.sent("DELETE") == []


def shown_by_audit(desk: Desk) -> str:
    return CliRunner().invoke(main, ["audit"], env={"RC_MCP_STATE_DIR": str(desk.state_dir), "COLUMNS": "200"}).stdout


async def test_every_refusal_is_journaled_with_its_reason(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    reasons: list[object] = []

    async def note(**arguments: object) -> None:
        await client.call_tool("delete_message", {"message_id": [target], **arguments})
        reasons.append(details(desk, "refused")["reason"])

    async with desk.client() as client:
        await note(plan_id="none-such")
        purge = (await call(client, "delete_message", message_id=[target], purge=True))["plan_id"]
        await note(purge=True, plan_id=purge)
        await note(plan_id=purge)
        desk.plans.deny(purge)
        await note(purge=True, plan_id=purge)
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        await call(client, "delete_message", message_id=[target], plan_id=plan)
        await note(plan_id=plan)
        desk.state.stop()
        await note()
        desk.state.resume()
    async with desk.client(RC_MCP_ACCESS="delete") as client:
        await note(purge=True)
    assert reasons == ["no_such_plan", "not_approved", "other_arguments", "denied", "used", "stopped", "level"]


async def test_an_approval_at_the_wrong_moment_is_journaled_with_the_reason(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.guard() as guard:
        earlier = Record(guard.journal, "cut2-shrt", guard.principal, "delete_message")
        await earlier.begun("~", "~", undoes="")
        await earlier.sending({target: desk.as_it_is(target)}, "Deleted")
    async with desk.client(era, answer=YES) as client:
        assert "60 seconds" in await refused(client, "delete_message", message_id=[target])
    entries = [entry for entry in desk.journal.entries() if entry.operation != "cut2-shrt"]
    assert [(entry.event, entry.details.get("reason")) for entry in entries] == [
        ("asked", None),
        ("refused", "in_doubt"),
    ]
    assert len({entry.operation for entry in entries}) == 1


async def test_a_delete_in_an_extension_that_is_not_allowed_is_journaled(desk: Desk, era: Era) -> None:
    async with desk.client(era, answer=YES) as client:
        said = await refused(client, "delete_message", message_id=["1"], extension_id="12345")
        assert said.startswith("extension_id: ")
        assert details(desk, "refused") == {"reason": "extension"}
        await refused(client, "list_messages", extension_id="12345")
        assert events(desk) == ["refused"]
        for file in desk.state_dir.glob(f"{FILE}*"):
            file.write_bytes(b"spoiled" * 1000)
        assert await refused(client, "delete_message", message_id=["1"], extension_id="12345") == said


async def test_a_request_too_large_for_a_plan_is_journaled_too(desk: Desk) -> None:
    conversation = desk.emulator.store.add(Draft(type="SMS", text="0"))["conversation"]["id"]
    for n in range(200):
        desk.emulator.store.add(Draft(type="SMS", text=f"{n + 1}"))
    async with desk.client() as client:
        await refused(client, "delete_message_by_filter", conversation_id=[conversation])
    assert details(desk, "refused") == {"reason": "not_plannable"}


async def test_a_plan_that_expired_before_the_users_answer_is_refused_and_journaled(desk: Desk) -> None:
    from datetime import timedelta

    from mcp.types import ElicitRequestFormParams, ElicitResult

    def late(_: ElicitRequestFormParams) -> ElicitResult:
        desk.clock.time += timedelta(minutes=11)
        return YES

    target = desk.ids(availability="Alive")[0]
    async with desk.client("legacy", answer=late) as client:
        answer = await call(client, "delete_message", message_id=[target])
    assert answer["status"] == "refused"
    assert details(desk, "refused") == {"reason": "expired"}
    assert desk.availability(target) == "Alive"


@pytest.mark.parametrize(
    ("tool", "arguments", "answer"),
    [
        ("delete_message", {"purge": True}, typed("PURGE 1")),
        ("delete_message_by_filter", {}, YES),
        ("update_message_store_configuration", {"retention_period": 7}, typed("KEEP 7 DAYS")),
    ],
)
async def test_the_intent_is_on_disk_before_the_request_leaves(
    desk: Desk, tool: str, arguments: dict[str, object], answer: Answer
) -> None:
    found: list[Entry] = []

    def look(request: httpx.Request) -> None:
        if request.method in {"DELETE", "PUT"}:
            found.append(desk.journal.entries()[-1])

    sms = desk.ids(type="SMS", availability="Alive")[0]
    record = desk.emulator.store.message(sms)
    assert record is not None
    named = {"delete_message": {"message_id": [sms]}}
    named["delete_message_by_filter"] = {"conversation_id": [record["conversation"]["id"]]}
    desk.faults.before(look)
    async with desk.client(answer=answer) as client:
        await call(client, tool, **arguments, **named.get(tool, {}))
    assert [entry.event for entry in found] == ["sending"]
    changed = found[0].details
    assert changed.get("retention_period") == arguments.get("retention_period")
    if "ids" in changed:
        assert sms in changed["ids"]
        assert all(desk.availability(i) != "Alive" for i in changed["ids"])


async def test_the_journal_has_no_texts_names_or_numbers(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")
    async with desk.client(answer=YES) as client:
        await call(client, "delete_message", message_id=targets)
    kept = json.dumps([entry.detail for entry in desk.journal.entries()]).lower()
    for message in desk.emulator.store.messages():
        for party in [message.get("from", {}), *message.get("to", [])]:
            for private in (party.get("name"), party.get("phoneNumber")):
                assert not private or private.lower() not in kept
        assert not message.get("subject") or message["subject"].lower() not in kept


async def test_a_request_that_cannot_be_journaled_is_not_sent(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")[:2]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=targets))["plan_id"]
        desk.faults.before(spoiled(desk, lambda request: request.method == "GET"))
        answer = await call(client, "delete_message", message_id=targets, plan_id=plan)
    assert answer["outcomes"] == dict.fromkeys(targets, "skipped")
    assert "state folder" in answer["said"]
    assert desk.sent("DELETE") == []


async def test_a_retention_change_that_cannot_be_journaled_is_not_sent(desk: Desk) -> None:
    async with desk.client() as client:
        plan = (await call(client, "update_message_store_configuration", retention_period=7))["plan_id"]
        desk.plans.approve(plan)
        desk.faults.before(spoiled(desk, lambda request: request.method == "GET"))
        answer = await call(client, "update_message_store_configuration", retention_period=7, plan_id=plan)
    assert answer["status"] == "failed"
    assert answer["said"].endswith(PERIOD_NOT_CHANGED)
    assert desk.sent("PUT") == []


async def test_a_journal_failure_after_a_batch_stops_the_next_and_is_reported(desk: Desk) -> None:
    for n in range(60):
        desk.emulator.store.add(Draft(type="SMS", text=f"parcel {n}", read=True))
    targets = desk.ids(availability="Alive")[:60]
    desk.faults.before(spoiled(desk, lambda request: request.method == "DELETE"))
    async with desk.client(answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert [answer["outcomes"][t] for t in targets] == ["deleted"] * 50 + ["skipped"] * 10
    assert "journal" in answer["said"]
    assert NOTHING_DONE not in answer["said"]
    assert len(desk.sent("DELETE")) == 1


async def test_a_stop_does_not_wait_for_a_reading_that_waits(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    waiting, answers = anyio.Event(), list[dict[str, Any]]()

    async def hang(request: httpx.Request) -> None:
        if request.method == "GET":
            waiting.set()
            await anyio.sleep_forever()

    async with desk.client() as client, anyio.create_task_group() as tasks:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.faults.hold(hang)

        async def stop() -> None:
            await waiting.wait()
            desk.state.stop()

        tasks.start_soon(stop)
        with anyio.fail_after(5):
            answers.append(await call(client, "delete_message", message_id=[target], plan_id=plan))
    assert answers[0]["outcomes"] == {target: "skipped"}
    assert str(Stopped()) in answers[0]["said"]
    assert desk.sent("DELETE") == []


async def test_a_stop_during_the_last_reading_is_noticed_before_a_request_is_sent(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]

    def stop(request: httpx.Request) -> None:
        if request.method == "GET":
            desk.state.stop()

    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.faults.before(stop)
        answer = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert answer["outcomes"] == {target: "skipped"}
    assert str(Stopped()) in answer["said"]
    assert desk.sent("DELETE") == []


async def test_a_stop_that_is_removed_at_once_still_stops_the_request(tmp_path: Path) -> None:
    file = stop_file(tmp_path)

    async def read() -> None:
        file.touch()
        try:
            await anyio.sleep_forever()
        finally:
            file.unlink()

    with anyio.fail_after(10), pytest.raises(Stopped):
        await unless_stopped(Folder(tmp_path).is_stopped, read)
