"""A policy in use: allowed messages are deleted unattended, and protected ones are kept, even with approval."""

import json
import re
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.types import ElicitResult

from rc_mcp.emulator import Draft, Party
from rc_mcp.guard.actions.retention import PERIOD_NOT_CHANGED
from rc_mcp.guard.policy.rules import NO_POLICY, unmet
from rc_mcp.guard.preview import warnings_about
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.journal import Journal
from rc_mcp.server import build_server
from rc_mcp.settings import SettingsError, load_settings
from tests.desk import DECLINE, YES, Desk, Era, call, refused, typed

pytestmark = pytest.mark.anyio

RULE = """
types = ["SMS", "Pager"]
older_than = "1d"
read_status = "Read"
max_per_call = 5
max_per_day = 5
"""
DELETE = f"[unattended.delete]{RULE}"
PURGE = f"[unattended.purge]{RULE}"
MARIA = "+15035550134"
PROTECTED = '[protected]\nnumbers = ["(503) 555-0134"]\n'
NOTHING_DONE = "Nothing was deleted or changed."


def under(
    desk: Desk, policy: str, era: Era = "auto", answer: ElicitResult | None = None, **variables: str
) -> AbstractAsyncContextManager[Client]:
    """Open a client of a server with this policy."""
    file = desk.folder / "policy.toml"
    file.write_text(policy)
    return desk.client(era, answer, RC_MCP_POLICY=str(file), **variables)


def old_texts(desk: Desk, n: int) -> list[str]:
    """Return ids of texts that the rule covers and that are not protected, newest first."""
    found = [
        str(m["id"])
        for m in desk.emulator.store.messages()
        if (m["type"], m["readStatus"], m["availability"]) == ("SMS", "Read", "Alive")
        and MARIA not in json.dumps(m)
        and m["creationTime"] < f"{desk.clock.time.replace(hour=0):%Y-%m-%dT%H:%M:%S}"
    ]
    assert len(found) >= n
    return found[-n:]


def of_maria(desk: Desk) -> list[str]:
    """Return ids of Alive texts to and from the protected number, in one conversation."""
    return [str(m["id"]) for m in desk.emulator.store.messages() if MARIA in json.dumps(m) and m["type"] == "SMS"]


def journal(desk: Desk) -> Journal:
    return desk.journal


# -- unattended -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, DECLINE], ids=["cannot ask", "can ask"])
async def test_messages_that_the_rule_covers_are_deleted_without_a_question(
    desk: Desk, era: Era, answer: ElicitResult | None
) -> None:
    targets = old_texts(desk, 3)
    async with under(desk, DELETE, era, answer=answer) as client:
        done = await call(client, "delete_message", message_id=targets)
    assert done["status"] == "done"
    assert done["outcomes"] == dict.fromkeys(targets, "deleted")
    assert ("policy" in done["said"], "3 deleted." in done["said"]) == (True, True)
    assert done["preview"]["messages"] == 3
    assert desk.asked == []
    assert [desk.availability(t) for t in targets] == ["Deleted"] * 3
    operation = journal(desk).operation(done["operation_id"])
    assert operation is not None
    assert operation.approved_by == "policy"


async def test_a_plan_that_the_rule_covers_in_part_is_asked_about_as_a_whole(desk: Desk, era: Era) -> None:
    fax = desk.ids(type="Fax", availability="Alive")[0]
    targets = [*old_texts(desk, 2), fax]
    async with under(desk, DELETE, era) as client:
        asked = await call(client, "delete_message", message_id=targets)
    assert asked["status"] == "confirmation_required"
    assert asked["approve_in"] == "chat"
    assert f": 1 of 3 {unmet('types')};" in asked["said"]
    assert asked["said"].endswith(NOTHING_DONE)
    assert not [word for word in ("RC_MCP", ".toml", "policy check") if word in json.dumps(asked)]
    assert desk.sent("DELETE") == []
    async with under(desk, DELETE, era, answer=YES) as client:
        done = await call(client, "delete_message", message_id=targets)
    assert len(desk.asked) == 1
    assert done["status"] == "done"
    assert "policy" not in done["said"]


async def test_a_plan_that_the_user_was_asked_about_needs_the_users_answer(desk: Desk, era: Era) -> None:
    targets = old_texts(desk, 2)
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=targets))["plan_id"]
    async with under(desk, DELETE, era, answer=DECLINE) as client:
        answer = await call(client, "delete_message", message_id=targets, plan_id=plan)
    assert answer["status"] == "declined"
    assert desk.sent("DELETE") == []


async def test_a_conversation_is_deleted_unattended_too(desk: Desk, era: Era) -> None:
    sender = Party(phone_number="+15035550199")
    added = [desk.emulator.store.add(Draft(type="SMS", sender=sender, text=t, read=True)) for t in ("one", "two")]
    desk.clock.time += timedelta(days=2)
    conversation = added[0]["conversation"]["id"]
    async with under(desk, DELETE, era) as client:
        done = await call(client, "delete_message_by_filter", conversation_id=[conversation])
    assert done["outcomes"] == {str(m["id"]): "deleted" for m in added}
    assert "policy" in done["said"]


async def test_a_rule_for_deletes_does_not_cover_purges(desk: Desk, era: Era) -> None:
    targets = old_texts(desk, 2)
    async with under(desk, DELETE, era) as client:
        asked = await call(client, "delete_message", message_id=targets, purge=True)
    assert (asked["status"], asked["approve_in"]) == ("confirmation_required", "terminal")
    assert "unattended" not in asked["said"]
    async with under(desk, PURGE, era) as client:
        deleted = await call(client, "delete_message", message_id=targets)
        purged = await call(client, "delete_message", message_id=targets, purge=True)
    assert deleted["status"] == "confirmation_required"
    assert purged["outcomes"] == dict.fromkeys(targets, "purged")


async def test_a_server_below_purge_does_not_purge_unattended_either(desk: Desk, era: Era) -> None:
    targets = old_texts(desk, 1)
    async with under(desk, PURGE, era, RC_MCP_ACCESS="delete") as client:
        answer = await call(client, "delete_message", message_id=targets, purge=True)
    assert answer["status"] == "refused"
    assert desk.sent("DELETE") == []


async def test_the_policy_takes_precedence_over_required_terminal_approval(desk: Desk, era: Era) -> None:
    async with under(desk, DELETE, era, RC_MCP_APPROVAL="human") as client:
        done = await call(client, "delete_message", message_id=old_texts(desk, 1))
        asked = await call(client, "delete_message", message_id=desk.ids(type="Fax", availability="Alive")[:1])
    assert done["status"] == "done"
    assert asked["approve_in"] == "terminal"


async def test_a_stop_file_stops_unattended_work(desk: Desk, era: Era) -> None:
    desk.state.stop()
    async with under(desk, DELETE, era) as client:
        answer = await call(client, "delete_message", message_id=old_texts(desk, 1))
    assert answer["status"] == "refused"
    assert desk.sent("DELETE") == []


async def test_the_rule_is_checked_again_on_messages_read_just_before(desk: Desk, era: Era) -> None:
    targets = old_texts(desk, 2)

    async def the_clock_is_set_back(request: httpx.Request) -> None:
        if request.method == "GET":
            desk.ahead = -timedelta(days=60)

    desk.faults.hold(the_clock_is_set_back)
    async with under(desk, DELETE, era) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "failed"
    assert answer["outcomes"] == dict.fromkeys(targets, "skipped")
    assert "policy" in answer["said"]
    assert desk.sent("DELETE") == []


# -- protected ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purge", [False, True])
async def test_protected_messages_are_left_out_however_the_plan_was_approved(desk: Desk, era: Era, purge: bool) -> None:
    protected, other = of_maria(desk)[:2], old_texts(desk, 1)
    yes = typed("PURGE 1") if purge else YES
    async with under(desk, PROTECTED, era, answer=yes) as client:
        done = await call(client, "delete_message", message_id=[*protected, *other], purge=purge)
    [warning] = warnings_about([], desk.clock(), NO_POLICY, protected=2).short
    assert warning in desk.asked[0].message
    assert done["outcomes"] == {**dict.fromkeys(protected, "skipped"), other[0]: "purged" if purge else "deleted"}
    assert re.search(r"\b2\b.*protect", done["said"])
    assert {desk.availability(p) for p in protected} == {"Alive"}


async def test_the_user_is_not_asked_if_all_messages_are_protected(desk: Desk, era: Era) -> None:
    protected = of_maria(desk)[0]
    async with under(desk, PROTECTED + DELETE + PURGE, era, answer=YES) as client:
        for purge in (False, True):
            answer = await call(client, "delete_message", message_id=[protected], purge=purge)
            assert answer["status"] == "refused"
            assert re.search(rf"\b1\b.*protect.* {NOTHING_DONE}$", answer["said"])
            assert answer["outcomes"] == {protected: "skipped"}
    assert desk.asked == []
    assert desk.sent("DELETE") == []
    entries = journal(desk).entries()
    assert [(e.event, e.details) for e in entries] == [
        ("refused", {"reason": "protected", "action": action, "ids": [protected]}) for action in ("delete", "purge")
    ]


async def test_a_protected_conversation_stays(desk: Desk, era: Era) -> None:
    record = desk.emulator.store.message(of_maria(desk)[0])
    assert record is not None
    before = desk.emulator.store.messages()
    async with under(desk, PROTECTED, era, answer=YES) as client:
        answer = await call(client, "delete_message_by_filter", conversation_id=[record["conversation"]["id"]])
    assert answer["status"] == "refused"
    assert desk.emulator.store.messages() == before


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("by", ["ids", "conversation"])
async def test_an_older_plan_is_not_carried_out_on_protected_messages(
    desk: Desk, era: Era, by: str, purge: bool
) -> None:
    protected = [i for i in of_maria(desk) if desk.availability(i) == "Alive"]
    record = desk.emulator.store.message(protected[0])
    assert record is not None
    arguments: dict[str, Any] = {"message_id": protected, "purge": purge}
    if by == "conversation":
        arguments = {"conversation_id": [record["conversation"]["id"]], "purge": purge}
    tool = "delete_message" if by == "ids" else "delete_message_by_filter"
    async with desk.client(era) as client:
        plan = (await call(client, tool, **arguments))["plan_id"]
    desk.plans.approve(plan)
    async with under(desk, PROTECTED, era) as client:
        answer = await call(client, tool, **arguments, plan_id=plan)
    assert set(answer["outcomes"].values()) == {"skipped"}
    assert answer["status"] == "failed"
    assert {desk.availability(p) for p in protected} == {"Alive"}
    assert desk.sent("DELETE") == []


# -- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", ["max_per_plan", "max_per_call", "max_per_hour", "max_per_day"])
async def test_a_limit_is_checked_before_the_user_is_asked(desk: Desk, era: Era, cap: str) -> None:
    async with under(desk, f"[limits]\n{cap} = 2", era, answer=YES) as client:
        over = await call(client, "delete_message", message_id=old_texts(desk, 3))
        within = await call(client, "delete_message", message_id=old_texts(desk, 2))
    assert over["status"] == "refused"
    assert f" {cap} is 2" in over["said"]
    assert over["said"].endswith(NOTHING_DONE)
    assert within["status"] == "done"
    assert len(desk.asked) == 1


@pytest.mark.parametrize(("cap", "hours"), [("max_per_hour", 1), ("max_per_day", 24)])
async def test_a_limit_counts_messages_of_every_channel_until_its_time_is_over(
    desk: Desk, era: Era, cap: str, hours: int
) -> None:
    first, second, third = ([t] for t in old_texts(desk, 3))
    policy = f"{DELETE}[limits]\n{cap} = 2"
    async with under(desk, policy, era) as client:
        assert (await call(client, "delete_message", message_id=first))["status"] == "done"
    async with under(desk, policy, era, answer=typed("PURGE 1")) as client:
        assert (await call(client, "delete_message", message_id=second, purge=True))["status"] == "done"
        over = await call(client, "delete_message", message_id=third)
        assert over["status"] == "refused"
        assert re.findall(rf"{cap}|\d+", over["said"]) == [cap, "2", "2", "1"]
        desk.clock.time += timedelta(hours=hours, seconds=1)
        assert (await call(client, "delete_message", message_id=third))["status"] == "done"


async def test_a_plan_that_was_within_a_limit_is_not_carried_out_beyond_it(desk: Desk, era: Era) -> None:
    first, second = ([t] for t in old_texts(desk, 2))
    async with under(desk, "[limits]\nmax_per_day = 1", era) as client:
        plans = [(await call(client, "delete_message", message_id=ids))["plan_id"] for ids in (first, second)]
        done = await call(client, "delete_message", message_id=first, plan_id=plans[0])
        late = await call(client, "delete_message", message_id=second, plan_id=plans[1])
    assert (done["status"], late["status"]) == ("done", "refused")
    assert late["said"].endswith(NOTHING_DONE)
    assert desk.availability(second[0]) == "Alive"


async def test_the_user_is_asked_when_a_rules_cap_is_used_up(desk: Desk, era: Era) -> None:
    targets = old_texts(desk, 7)
    async with under(desk, DELETE, era) as client:
        first = await call(client, "delete_message", message_id=targets[:4])
        second = await call(client, "delete_message", message_id=targets[4:6])
        third = await call(client, "delete_message", message_id=targets[6:])
    assert (first["status"], second["status"], third["status"]) == ("done", "confirmation_required", "done")
    assert re.findall(r"max_per_\w+|\d+", second["said"]) == ["max_per_day", "5", "4", "2"]


async def test_deletions_approved_by_the_user_do_not_use_up_the_rule(desk: Desk, era: Era) -> None:
    faxes, targets = desk.ids(type="Fax", availability="Alive")[:5], old_texts(desk, 5)
    async with under(desk, DELETE, era, answer=YES) as client:
        assert (await call(client, "delete_message", message_id=faxes))["status"] == "done"
        assert (await call(client, "delete_message", message_id=targets))["status"] == "done"
    assert len(desk.asked) == 1


ROOMY = DELETE.replace("max_per_day = 5", "max_per_day = 50")


@pytest.mark.parametrize("policy", [DELETE, f"{ROOMY}[limits]\nmax_per_day = 5"], ids=["rule", "limit"])
async def test_two_servers_do_not_both_use_the_rest_of_a_cap(desk: Desk, era: Era, policy: str) -> None:
    """Wait until both have planned under an unused cap before either deletes."""
    targets = old_texts(desk, 6)
    answers: list[dict[str, Any]] = []
    async with under(desk, policy, era) as one, under(desk, policy, era) as other:

        async def delete(client: Client, ids: list[str]) -> None:
            answers.append(await call(client, "delete_message", message_id=ids))

        async with anyio.create_task_group() as tasks, one_change_at_a_time(desk.state):
            tasks.start_soon(delete, one, targets[:3])
            tasks.start_soon(delete, other, targets[3:])
            with anyio.fail_after(20):
                while len(desk.plans.waiting()) < 2:  # noqa: ASYNC110  a plan sends no event
                    await anyio.sleep(0.01)
    assert sorted(a["status"] for a in answers) in (["confirmation_required", "done"], ["done", "refused"])
    assert [desk.availability(t) for t in targets].count("Deleted") == 3
    assert len(desk.sent("DELETE")) == 1


# -- dry run --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "against"),
    [
        (DELETE, None),
        ("", NO_POLICY.objection(None, 2, lambda _: 0, purge=False)),
        (DELETE.replace("Read", "Unread"), f"2 of 2 {unmet('read_status')}"),
    ],
)
async def test_a_dry_run_says_what_it_would_do_and_sends_nothing(
    desk: Desk, era: Era, policy: str, against: str | None
) -> None:
    targets = old_texts(desk, 2)
    async with under(desk, f"dry_run = true\n{policy}", era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=targets)
    assert answer["status"] == "refused"
    assert "policy" in answer["said"]
    assert against is None or against in answer["said"]
    assert answer["said"].endswith(NOTHING_DONE)
    assert answer["preview"]["messages"] == 2
    assert answer["outcomes"] == dict.fromkeys(targets, "skipped")
    assert desk.asked == []
    assert desk.sent("DELETE") == []
    [entry] = journal(desk).entries()
    assert entry.event == "rehearsed"
    assert entry.details == {"action": "delete", "ids": targets, "against": against}


async def test_an_older_plan_is_only_rehearsed_in_a_dry_run(desk: Desk, era: Era) -> None:
    targets = old_texts(desk, 2)
    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=targets, purge=True))["plan_id"]
    desk.plans.approve(plan)
    async with under(desk, "dry_run = true", era) as client:
        answer = await call(client, "delete_message", message_id=targets, purge=True, plan_id=plan)
        retention = await call(client, "update_message_store_configuration", retention_period=7)
    assert (answer["status"], retention["status"]) == ("refused", "refused")
    assert desk.sent("DELETE") == desk.sent("PUT") == []


# -- retention ------------------------------------------------------------------------------------------------------


async def test_a_retention_period_is_never_changed_unattended(desk: Desk, era: Era) -> None:
    async with under(desk, DELETE + PURGE, era) as client:
        lowered = await call(client, "update_message_store_configuration", retention_period=7)
        raised = await call(client, "update_message_store_configuration", retention_period=90)
    assert (lowered["status"], raised["status"]) == ("confirmation_required", "confirmation_required")
    assert desk.sent("PUT") == []


async def test_the_retention_period_is_not_lowered_if_the_policy_protects_messages(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        plan = (await call(client, "update_message_store_configuration", retention_period=7))["plan_id"]
    desk.plans.approve(plan)
    async with under(desk, PROTECTED, era, answer=typed("KEEP 7 DAYS")) as client:
        said = await refused(client, "update_message_store_configuration", retention_period=7)
        assert "protect" in said
        assert said.endswith(NOTHING_DONE)
    async with under(desk, PROTECTED, era) as client:
        late = await call(client, "update_message_store_configuration", retention_period=7, plan_id=plan)
        assert late["status"] == "failed"
        assert late["said"].endswith(PERIOD_NOT_CHANGED)
    assert desk.sent("PUT") == []
    async with under(desk, PROTECTED, era, answer=YES) as client:
        raised = await call(client, "update_message_store_configuration", retention_period=90)
    assert raised["status"] == "done"


# -- the file -------------------------------------------------------------------------------------------------------


def test_a_server_with_a_broken_policy_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[limits]\nmax_per_day = 'many'\n")
    settings = load_settings(RC_ACCESS_TOKEN="x", RC_MCP_POLICY=str(tmp_path / "policy.toml"))
    with pytest.raises(SettingsError, match=r"RC_MCP_POLICY: .*policy\.toml: line 2: max_per_day"):
        build_server(settings)
