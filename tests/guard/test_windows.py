"""A user decides about a plan in a window: on the inbox page in an app, or in their own browser.

Nothing more is deleted than they left in the plan, and no window approves more than it may.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

import anyio
import httpx2 as httpx
import pytest
from mcp.types import CallToolResult, InputRequiredResult

from rc_mcp.guard import results
from rc_mcp.guard.actions.retention import PERIOD_NOT_CHANGED
from rc_mcp.guard.guard import STOPPED, WINDOW, Decision, Guard
from rc_mcp.guard.policy.rules import NO_POLICY
from rc_mcp.guard.refusals import NOTHING_DONE, SETTLED_AFTER, Busy, GuardError, InDoubt, NoTime
from rc_mcp.guard.results import Window
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.journal import Record
from rc_mcp.guard.state.plans import LIFETIME, Plan
from rc_mcp.guard.state.store import MonotonicClock
from rc_mcp.inbox.windows import ServerWindows
from rc_mcp.ringcentral import Allowance
from rc_mcp.views.changes import ChangeResult, tally
from rc_mcp.wiring import policy_for
from tests.desk import YES, Desk, Era, call, spoiled

pytestmark = pytest.mark.anyio

WINDOWS: tuple[Window, ...] = ("app", "browser")
MARIA = "+15035550134"
PERIOD = "update_message_store_configuration"


@pytest.fixture(params=WINDOWS)
def window(request: pytest.FixtureRequest) -> Window:
    return request.param


def alive(desk: Desk, n: int) -> list[str]:
    """Return ids of messages that can be deleted."""
    return desk.ids(availability="Alive")[:n]


def stored(desk: Desk, plan_id: str) -> Plan:
    found = desk.plans.get(plan_id)
    assert found is not None
    return found[0]


async def planned(desk: Desk, message_ids: list[str], *, purge: bool = False) -> Plan:
    """Plan to delete these messages at a client that cannot ask."""
    async with desk.client() as client:
        answer = await call(client, "delete_message", message_id=message_ids, purge=purge)
    return stored(desk, answer["plan_id"])


async def planned_period(desk: Desk, days: int) -> Plan:
    async with desk.client() as client:
        return stored(desk, (await call(client, PERIOD, retention_period=days))["plan_id"])


@asynccontextmanager
async def guard_under(desk: Desk, policy: str = "", **variables: str) -> AsyncGenerator[Guard]:
    """Open the guard of a page with these settings and this policy."""
    file = desk.folder / "policy.toml"
    file.write_text(policy)
    async with desk.guard(**variables) as guard:
        yield replace(guard, policy=policy_for(desk.settings(RC_MCP_POLICY=str(file))))


async def decided(
    desk: Desk,
    plan: Plan,
    window: Window,
    left: list[str] | None = None,
    *,
    approves: bool = True,
    phrase: str = "",
    policy: str = "",
    **variables: str,
) -> ChangeResult:
    """Decide about a plan, or about the messages that are left in it."""
    ids = [t.id for t in plan.draft.targets] if left is None else left
    async with guard_under(desk, policy, **variables) as guard:
        return await guard.decide(Decision(plan.id, approves, tuple(ids), phrase), window)


async def uses(desk: Desk, plan: Plan, message_ids: list[str], *, era: Era = "auto", **more: Any) -> dict[str, Any]:
    """Call the plan's tool with its id, as a model does that says that the user approved it."""
    async with desk.client(era) as client:
        return await call(client, "delete_message", message_id=message_ids, plan_id=plan.id, **more)


def journaled(desk: Desk, event: str) -> dict[str, object]:
    """Return the details of the newest row of this event."""
    return dict(next(e.details for e in reversed(desk.journal.entries()) if e.event == event))


def nothing_was_sent(desk: Desk) -> bool:
    return desk.sent("DELETE") == desk.sent("PUT") == []


# -- a yes ----------------------------------------------------------------------------------------------------------


async def test_a_plan_approved_in_a_window_is_carried_out_and_journaled(desk: Desk, window: Window) -> None:
    targets = alive(desk, 3)
    plan = await planned(desk, targets)
    done = await decided(desk, plan, window)
    assert (done.status, done.outcomes) == ("done", dict.fromkeys(targets, "deleted"))
    assert done.operation_id == plan.id
    assert [desk.availability(t) for t in targets] == ["Deleted"] * 3
    assert journaled(desk, "approved") == {"by": window}
    operation = desk.journal.operation(plan.id)
    assert operation is not None
    assert [e.event for e in operation.entries] == ["asked", "approved", "begun", "sending", "sent", "done"]
    assert desk.journal.verify().faults == ()


async def test_only_the_messages_that_were_left_in_a_plan_are_deleted(desk: Desk, window: Window) -> None:
    first, taken_out, last = targets = alive(desk, 3)
    plan = await planned(desk, targets)
    done = await decided(desk, plan, window, [last, first])
    assert (done.status, done.outcomes) == ("done", dict.fromkeys((first, last), "deleted"))
    assert [desk.availability(t) for t in targets] == ["Deleted", "Alive", "Deleted"]
    assert journaled(desk, "approved") == {"by": window, "only": [first, last]}
    again = await decided(desk, plan, window, [taken_out])
    assert again.status == "refused"
    assert desk.availability(taken_out) == "Alive"


async def test_a_message_named_twice_is_one(desk: Desk) -> None:
    first, second = alive(desk, 2)
    plan = await planned(desk, [first, second], purge=True)
    done = await decided(desk, plan, "browser", [first, first], phrase="PURGE 1")
    assert done.outcomes == {first: "purged"}
    assert journaled(desk, "approved") == {"by": "browser", "only": [first]}
    assert desk.availability(second) == "Alive"


@pytest.mark.parametrize("left", ["none", "another", "another too", "not an id"])
async def test_a_window_adds_no_message_to_a_plan_and_approves_none_of_nothing(
    desk: Desk, window: Window, left: str
) -> None:
    *targets, other = alive(desk, 3)
    plan = await planned(desk, targets)
    ids = {"none": [], "another": [other], "another too": [*targets, other], "not an id": [f"0{targets[0]}"]}[left]
    refused = await decided(desk, plan, window, ids)
    assert refused.status == "refused"
    assert refused.said.endswith(NOTHING_DONE)
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, window)).status == "done"


@pytest.mark.parametrize("days", [7, 90])
async def test_a_change_of_the_period_names_no_message(desk: Desk, days: int) -> None:
    plan, phrase = await planned_period(desk, days), f"KEEP {days} DAYS"
    refused = await decided(desk, plan, "browser", alive(desk, 1), phrase=phrase)
    assert (refused.status, desk.sent("PUT")) == ("refused", [])
    assert (await decided(desk, plan, "browser", phrase=phrase)).status == "done"


async def test_a_longer_period_can_be_approved_in_each_window(desk: Desk, window: Window) -> None:
    done = await decided(desk, await planned_period(desk, 90), window)
    assert done.status == "done"
    assert journaled(desk, "approved") == {"by": window}


async def test_messages_that_changed_since_the_plan_are_skipped(desk: Desk, window: Window) -> None:
    changed, same = alive(desk, 2)
    plan = await planned(desk, [changed, same])
    async with desk.client() as client:
        for status in ("Read", "Unread"):
            desk.clock.time += timedelta(seconds=5)
            await call(client, "update_message", message_id=[changed], read_status=status)
    done = await decided(desk, plan, window)
    assert (done.status, done.outcomes) == ("partial", {changed: "skipped", same: "deleted"})


# -- a no -----------------------------------------------------------------------------------------------------------


async def test_a_no_in_a_window_is_final(desk: Desk, era: Era, window: Window) -> None:
    targets = alive(desk, 2)
    plan = await planned(desk, targets)
    assert (await decided(desk, plan, window, approves=False)).status == "declined"
    assert journaled(desk, "declined") == {"by": window}
    late = await decided(desk, plan, window)
    assert late.status == "refused"
    assert (await uses(desk, plan, targets, era=era))["status"] == "refused"
    assert journaled(desk, "refused") == {"reason": "denied"}
    assert desk.plans.approve(plan.id) is False
    assert nothing_was_sent(desk)


async def test_a_no_takes_back_an_approval_in_the_terminal(desk: Desk, window: Window) -> None:
    targets = alive(desk, 1)
    plan = await planned(desk, targets, purge=True)
    assert desk.plans.approve(plan.id)
    assert (await decided(desk, plan, window, approves=False)).status == "declined"
    assert (await uses(desk, plan, targets, purge=True))["status"] == "refused"
    assert nothing_was_sent(desk)


async def test_a_no_after_a_yes_does_not_say_that_nothing_was_deleted(desk: Desk, window: Window) -> None:
    targets = alive(desk, 1)
    plan = await planned(desk, targets)
    await decided(desk, plan, window)
    late = await decided(desk, plan, window, approves=False)
    assert late.said == results.used(plan.id, plan.tool, {targets[0]: "deleted"}).said
    assert NOTHING_DONE not in late.said


# -- what cannot be undone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "phrase", "status"),
    [
        (3, "PURGE 3", "done"),
        (2, "PURGE 2", "done"),
        (2, " PURGE 2\n", "done"),
        (2, "PURGE 3", "refused"),
        (3, "PURGE 2", "refused"),
        (2, "purge 2", "refused"),
        (2, "", "refused"),
    ],
)
async def test_a_purge_needs_the_phrase_for_the_messages_that_are_left(
    desk: Desk, left: int, phrase: str, status: str
) -> None:
    targets = alive(desk, 3)
    plan = await planned(desk, targets, purge=True)
    answer = await decided(desk, plan, "browser", targets[:left], phrase=phrase)
    assert answer.status == status
    purged = targets[:left] if status == "done" else []
    assert [t for t in targets if desk.availability(t) == "Purged"] == purged
    if status == "refused":
        assert journaled(desk, "refused") == {"reason": "accepted_without_the_phrase"}
        assert (await decided(desk, plan, "browser", phrase="PURGE 3")).status == "done"  # they can type it again


@pytest.mark.parametrize("phrase", ["KEEP 8 DAYS", "PURGE 0", ""])
async def test_a_shorter_period_needs_its_phrase(desk: Desk, phrase: str) -> None:
    plan = await planned_period(desk, 7)
    assert (await decided(desk, plan, "browser", phrase=phrase)).status == "refused"
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, "browser", phrase="KEEP 7 DAYS")).status == "done"


@pytest.mark.parametrize("approved_in_the_terminal", [False, True])
async def test_a_button_in_an_app_never_purges(desk: Desk, approved_in_the_terminal: bool) -> None:
    plan = await planned(desk, alive(desk, 1), purge=True)
    if approved_in_the_terminal:
        desk.plans.approve(plan.id)
    answer = await decided(desk, plan, "app", phrase="PURGE 1")
    assert answer.status == "refused"
    assert answer.said.endswith(NOTHING_DONE)
    assert journaled(desk, "refused") == {"reason": "not_here"}
    assert nothing_was_sent(desk)


async def test_a_button_in_an_app_never_shortens_the_period(desk: Desk) -> None:
    plan = await planned_period(desk, 7)
    assert (await decided(desk, plan, "app", phrase="KEEP 7 DAYS")).status == "refused"
    assert nothing_was_sent(desk)


# -- what the operator wants ----------------------------------------------------------------------------------------


async def test_where_only_people_may_approve_a_button_in_an_app_is_not_enough(desk: Desk) -> None:
    plan = await planned(desk, alive(desk, 1))
    assert (await decided(desk, plan, "app", RC_MCP_APPROVAL="human")).status == "refused"
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, "browser", RC_MCP_APPROVAL="human")).status == "done"


async def test_a_window_does_not_lift_a_server_above_its_level(desk: Desk, window: Window) -> None:
    purge, period = await planned(desk, alive(desk, 1), purge=True), await planned_period(desk, 90)
    shorter = await planned_period(desk, 7)
    answers = [
        await decided(desk, purge, window, phrase="PURGE 1", RC_MCP_ACCESS="delete"),
        await decided(desk, shorter, window, phrase="KEEP 7 DAYS", RC_MCP_ACCESS="purge"),
        await decided(desk, period, window, RC_MCP_ACCESS="purge"),
        await decided(desk, period, window, RC_MCP_ACCESS="delete"),
    ]
    assert [a.status for a in answers] == ["refused"] * 4
    assert nothing_was_sent(desk)
    assert (await decided(desk, purge, "browser", phrase="PURGE 1", RC_MCP_ACCESS="purge")).status == "done"


async def test_a_window_reaches_no_extension_that_the_operator_did_not_allow(desk: Desk, window: Window) -> None:
    own = await planned(desk, alive(desk, 1))
    other = replace(own, extension_id="63001063")
    async with desk.guard() as guard, desk.guard(RC_MCP_EXTENSIONS="63001063") as allowed:
        assert (guard.can_decide(own, window), guard.can_decide(other, window)) == (True, False)
        assert allowed.can_decide(other, window)


async def test_nothing_is_approved_in_a_window_while_deletes_are_stopped(desk: Desk, window: Window) -> None:
    plan = await planned(desk, alive(desk, 1))
    desk.state.stop()
    answer = await decided(desk, plan, window)
    assert (answer.status, answer.said) == ("refused", f"{STOPPED} {NOTHING_DONE}")
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, window, approves=False)).status == "declined"


async def test_a_dry_run_only_rehearses_what_was_left_in_the_plan(desk: Desk, window: Window) -> None:
    targets = alive(desk, 3)
    plan = await planned(desk, targets)
    answer = await decided(desk, plan, window, targets[:2], policy="dry_run = true")
    assert (answer.status, answer.outcomes) == ("refused", dict.fromkeys(targets[:2], "skipped"))
    against = NO_POLICY.objection(None, 3, lambda _: 0, purge=False)
    assert journaled(desk, "rehearsed") == {"action": "delete", "ids": targets[:2], "against": against}
    assert nothing_was_sent(desk)


async def test_the_operators_caps_hold_in_a_window_for_what_is_left(desk: Desk, window: Window) -> None:
    targets, caps = alive(desk, 3), "[limits]\nmax_per_day = 2"
    plan = await planned(desk, targets)
    assert (await decided(desk, plan, window, policy=caps)).status == "refused"
    assert journaled(desk, "refused") == {"reason": "limits"}
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, window, targets[:2], policy=caps)).status == "done"


async def test_protected_messages_stay_whatever_is_approved_in_a_window(desk: Desk, window: Window) -> None:
    protected = next(str(m["id"]) for m in desk.emulator.store.messages() if MARIA in str(m) and m["type"] == "SMS")
    other = next(i for i in alive(desk, 30) if MARIA not in str(desk.emulator.store.message(i)))
    plan = await planned(desk, [protected, other])
    answer = await decided(desk, plan, window, policy=f'[protected]\nnumbers = ["{MARIA}"]')
    assert answer.outcomes == {protected: "skipped", other: "deleted"}
    assert desk.availability(protected) == "Alive"


async def test_a_shorter_period_is_not_set_if_the_policy_protects_messages(desk: Desk) -> None:
    plan, policy = await planned_period(desk, 7), f'[protected]\nnumbers = ["{MARIA}"]'
    answer = await decided(desk, plan, "browser", phrase="KEEP 7 DAYS", policy=policy)
    assert answer.status == "failed"
    assert answer.said.endswith(PERIOD_NOT_CHANGED)
    assert nothing_was_sent(desk)


# -- a plan that is not there, or not any more ----------------------------------------------------------------------


@pytest.mark.parametrize("approves", [True, False])
@pytest.mark.parametrize("why", ["never made", "of another login", "expired"])
async def test_a_plan_that_does_not_exist_here_is_not_decided(
    desk: Desk, window: Window, why: Literal["never made", "of another login", "expired"], approves: bool
) -> None:
    targets = alive(desk, 1)
    plan = await planned(desk, targets)
    if why == "expired":
        desk.clock.time += LIFETIME
    asked = replace(plan, id="zzzz-zzzz") if why == "never made" else plan
    async with desk.guard() as ours, desk.guard(RC_ACCESS_TOKEN="another-login") as theirs:
        guard = theirs if why == "of another login" else ours
        answer = await guard.decide(Decision(asked.id, approves, tuple(targets)), window)
    assert answer.status == "refused"
    assert answer.said.endswith(NOTHING_DONE)
    entry = desk.journal.entries()[-1]
    assert (entry.tool, entry.operation, entry.details) == (WINDOW, None, {"reason": "no_such_plan"})
    assert nothing_was_sent(desk)
    if why == "of another login":
        assert [p.id for p in desk.plans.waiting()] == [plan.id]


async def test_a_plan_expires_by_elapsed_time_although_the_clock_was_set_back(desk: Desk, window: Window) -> None:
    plan = await planned(desk, alive(desk, 1))
    desk.clock.time += LIFETIME
    desk.ahead = -LIFETIME / 2
    assert (await decided(desk, plan, window)).status == "refused"
    assert nothing_was_sent(desk)


async def test_a_plan_that_expires_while_a_yes_waits_its_turn_is_not_carried_out(
    desk: Desk, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await planned(desk, alive(desk, 1))
    settle = Guard.settle_interrupted

    async def slowly(guard: Guard) -> None:
        desk.clock.time += LIFETIME
        await settle(guard)

    monkeypatch.setattr(Guard, "settle_interrupted", slowly)
    answer = await decided(desk, plan, window)
    assert (answer.status, journaled(desk, "refused")) == ("refused", {"reason": "expired"})
    assert nothing_was_sent(desk)


async def test_a_plan_survives_a_restart_of_its_server_and_of_its_machine(desk: Desk, window: Window) -> None:
    targets = alive(desk, 2)
    plan = await planned(desk, targets)
    clock = MonotonicClock("after the restart", lambda: 1.0)
    async with desk.guard() as guard:
        restarted = replace(guard, plans=replace(guard.plans, clock=clock))
        done = await restarted.decide(Decision(plan.id, True, tuple(targets[1:])), window)
    assert done.outcomes == {targets[1]: "deleted"}


async def test_a_window_continues_with_what_was_approved_in_the_terminal(desk: Desk) -> None:
    targets = alive(desk, 2)
    plan = await planned(desk, targets, purge=True)
    desk.plans.approve(plan.id)
    done = await decided(desk, plan, "browser", targets[:1], phrase="PURGE 1")
    assert done.outcomes == {targets[0]: "purged"}
    approvals = [e.details for e in desk.journal.entries() if e.event == "approved"]
    assert approvals == [{"by": "terminal"}, {"by": "browser", "only": targets[:1]}]


# -- at once --------------------------------------------------------------------------------------------------------


async def test_a_button_pressed_many_times_deletes_once(desk: Desk, window: Window) -> None:
    targets = alive(desk, 2)
    plan = await planned(desk, targets)
    statuses: list[str] = []
    async with guard_under(desk) as guard:

        async def press() -> None:
            statuses.append((await guard.decide(Decision(plan.id, True, tuple(targets)), window)).status)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(press)
    assert sorted(statuses) == ["done", *["refused"] * 5]
    assert len(desk.sent("DELETE")) == 1


async def test_a_plan_approved_in_a_form_and_in_a_window_at_once_is_carried_out_once(
    desk: Desk, window: Window
) -> None:
    targets = alive(desk, 2)
    statuses: list[str] = []
    async with desk.client(answer=YES) as client:
        question = await client.session.call_tool("delete_message", {"message_id": targets}, allow_input_required=True)
        assert isinstance(question, InputRequiredResult)
        (plan,) = desk.plans.waiting()

        async def in_the_form() -> None:
            answer = await client.session.call_tool(
                "delete_message",
                {"message_id": targets},
                input_responses=dict.fromkeys(question.input_requests or {}, YES),
                request_state=question.request_state,
                allow_input_required=True,
            )
            assert isinstance(answer, CallToolResult)
            content: dict[str, str] = answer.structured_content or {}
            statuses.append(content["status"])

        async def in_the_window() -> None:
            statuses.append((await decided(desk, plan, window)).status)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_the_form)
            tasks.start_soon(in_the_window)
    assert statuses.count("done") == 1
    assert len(desk.sent("DELETE")) == 1
    assert [desk.availability(t) for t in targets] == ["Deleted"] * 2


@pytest.mark.usefixtures("a_bearable_call")
async def test_a_window_that_waits_for_another_change_gives_up_and_keeps_the_plan(desk: Desk, window: Window) -> None:
    plan = await planned(desk, alive(desk, 1))
    async with one_change_at_a_time(desk.state):
        with anyio.fail_after(30), Allowance(2).spent(), pytest.raises(Busy):
            await decided(desk, plan, window)
    assert journaled(desk, "refused") == {"reason": "busy"}
    assert (await decided(desk, plan, window)).status == "done"


@pytest.mark.usefixtures("a_bearable_call")
async def test_a_window_with_too_little_time_keeps_the_plan(desk: Desk, window: Window) -> None:
    plan = await planned(desk, alive(desk, 1))
    with Allowance(1).spent(), pytest.raises(NoTime):
        await decided(desk, plan, window)
    assert journaled(desk, "refused") == {"reason": "no_time"}
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, window)).status == "done"


async def test_a_message_that_an_earlier_request_may_still_reach_is_held_back_and_the_others_are_not(
    desk: Desk, window: Window
) -> None:
    doubtful, free = alive(desk, 2)
    plan = await planned(desk, [doubtful, free])
    async with desk.guard() as guard:
        record = Record(guard.journal, "cut2-shrt", guard.principal, "delete_message")
        await record.begun("~", "~", undoes="")
        await record.sending({doubtful: desk.as_it_is(doubtful)}, "Deleted")
    with pytest.raises(InDoubt):
        await decided(desk, plan, window)
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, window, [free])).outcomes == {free: "deleted"}


# -- a journal that fails -------------------------------------------------------------------------------------------


async def test_an_approval_that_cannot_be_journaled_is_not_carried_out(desk: Desk, window: Window) -> None:
    plan = await planned(desk, alive(desk, 1))
    desk.tamper("CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    with pytest.raises(GuardError, match=NOTHING_DONE):
        await decided(desk, plan, window)
    assert nothing_was_sent(desk)


async def test_a_result_that_cannot_be_journaled_is_reported(desk: Desk, window: Window) -> None:
    targets = alive(desk, 1)
    plan = await planned(desk, targets)
    desk.faults.before(spoiled(desk, lambda request: request.method == "DELETE"))
    answer = await decided(desk, plan, window)
    assert answer.outcomes == {targets[0]: "deleted"}
    assert answer.said.startswith(results.unrecorded(ChangeResult(status="done", said="")).said)


async def test_what_was_taken_out_of_an_interrupted_plan_is_not_settled_as_part_of_it(
    desk: Desk, window: Window
) -> None:
    kept, taken_out = targets = alive(desk, 2)
    plan = await planned(desk, targets)
    on_its_way = desk.faults.keep_back("DELETE")
    assert (await decided(desk, plan, window, [kept])).status == "unknown"
    await desk.faults.arrives(on_its_way[0])
    desk.clock.time += SETTLED_AFTER
    async with desk.guard() as guard:
        await guard.settle_interrupted_unless_busy()
    operation = desk.journal.operation(plan.id)
    assert operation is not None
    assert operation.outcomes == {kept: "deleted"}
    assert (operation.done or {})["status"] == "done"
    assert desk.availability(taken_out) == "Alive"


# -- what the model hears -------------------------------------------------------------------------------------------


async def test_a_model_that_calls_again_after_a_yes_in_a_window_hears_what_happened(
    desk: Desk, era: Era, window: Window
) -> None:
    targets = alive(desk, 3)
    plan = await planned(desk, targets)
    done = await decided(desk, plan, window, targets[:2])
    again = await uses(desk, plan, targets, era=era)
    assert again["status"] == "refused"
    assert tally(done.outcomes) in again["said"]
    assert len(desk.sent("DELETE")) == 1


async def test_a_model_that_calls_again_hears_which_outcomes_are_unknown(desk: Desk, window: Window) -> None:
    targets = alive(desk, 2)
    plan = await planned(desk, targets)

    def lost(request: httpx.Request) -> None:
        if request.method == "DELETE":
            raise httpx.ReadError("gone", request=request)

    desk.faults.before(lost)
    assert (await decided(desk, plan, window)).status == "unknown"
    again = await uses(desk, plan, targets)
    assert again["said"] == results.used(plan.id, plan.tool, dict.fromkeys(targets, "unknown")).said


@dataclass
class Screen:
    """Where plans are shown, and the ids of those that were."""

    window: Window | None
    shown: list[str] = field(default_factory=list[str])


@pytest.fixture
def screen(window: Window, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Show plans in this window."""
    screen = Screen(window)

    async def show(_: ServerWindows, ctx: object, plan: Plan) -> Window | None:
        screen.shown.append(plan.id)
        return screen.window

    monkeypatch.setattr(ServerWindows, "show", show)
    return screen


async def test_no_model_confirms_a_plan_that_is_shown_in_a_window(
    desk: Desk, era: Era, window: Window, screen: Screen
) -> None:
    targets = alive(desk, 1)
    async with desk.client(era, RC_MCP_APPROVAL_PAGE="on") as client:
        asked = await call(client, "delete_message", message_id=targets)
        plan = stored(desk, asked["plan_id"])
        again = await call(client, "delete_message", message_id=targets, plan_id=plan.id)
        screen.window = None
        elsewhere = await call(client, "delete_message", message_id=targets, plan_id=plan.id)
    assert (asked["status"], asked["approve_in"]) == ("confirmation_required", window)
    assert (again["status"], again["approve_in"]) == ("refused", window)
    assert (elsewhere["status"], elsewhere["approve_in"]) == ("refused", "terminal")
    assert screen.shown == [plan.id] * 3
    assert nothing_was_sent(desk)
    assert (await decided(desk, plan, window)).status == "done"


async def test_a_plan_that_was_approved_in_the_terminal_is_shown_in_no_window(
    desk: Desk, era: Era, screen: Screen
) -> None:
    targets = alive(desk, 1)
    async with desk.client(era, RC_MCP_APPROVAL_PAGE="on") as client:
        asked = await call(client, "delete_message", message_id=targets)
        assert desk.plans.approve(asked["plan_id"])
        done = await call(client, "delete_message", message_id=targets, plan_id=asked["plan_id"])
    assert done["status"] == "done"
    assert screen.shown == [asked["plan_id"]]


@pytest.mark.parametrize("shown", [None, *WINDOWS])
async def test_where_users_have_no_terminal_the_words_name_the_address_of_the_page(
    desk: Desk, shown: Window | None
) -> None:
    page = "https://messages.example.com/inbox"
    plan = await planned(desk, alive(desk, 1))
    async with desk.guard() as guard:
        guard = replace(guard, approve_page=page, approval="human")
        way = guard._way(shown)  # pyright: ignore[reportPrivateUsage]
        asked = results.confirmation_required(plan, None, way, guard.zone)
    assert asked.approve_in == (shown or "browser")
    assert asked.next
    assert page in asked.next
    assert plan.id in asked.next
    assert "terminal" not in asked.next
    assert "rc-mcp" not in asked.next
