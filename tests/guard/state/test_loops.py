"""A model in a loop: repeated entries are only counted, and entries about sent requests are all kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state import plans
from rc_mcp.guard.state.database import FILE, writing
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import ROWS_AN_HOUR, TOO_MANY, Event, Journal, add_note
from rc_mcp.guard.state.plans import (
    LIFETIME,
    REUSED_FOR,
    TOO_MANY_PLANS,
    Plan,
    PlanDraft,
    PlanStore,
    Target,
    TooManyPlans,
)
from rc_mcp.views.changes import Preview
from tests.desk import NO, YES, Clock, Desk, call

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def note(journal: Journal, event: Event = "refused", operation: str | None = None, **details: object) -> None:
    journal.note(event, operation=operation, principal="me", tool="delete_message", details=details)


def counted(journal: Journal) -> list[tuple[str, int]]:
    return [(entry.detail, entry.repeated) for entry in journal.entries()]


def bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob(f"{FILE}*"))


def test_a_repeated_refusal_is_counted_next_to_the_first(tmp_path: Path) -> None:
    clock = Clock()
    journal = Journal(Folder(tmp_path), clock)
    for _ in range(3):
        note(journal, reason="level")
        note(journal, reason="stopped")
        clock.time += timedelta(minutes=1)
    assert counted(journal) == [('{"reason": "level"}', 2), ('{"reason": "stopped"}', 2)]
    assert journal.verify().faults == ()
    assert journal.verify().entries == 2
    assert journal.entries()[0].repeated_at == journal.entries()[1].repeated_at != journal.entries()[0].at


def test_an_entry_that_differs_gets_its_own_row(tmp_path: Path) -> None:
    journal = Journal(Folder(tmp_path), lambda: NOON)
    rows: tuple[tuple[Event, str | None, str, str, str], ...] = (
        ("refused", None, "me", "delete_message", "level"),
        ("rehearsed", None, "me", "delete_message", "level"),
        ("refused", "aaaa-bbbb", "me", "delete_message", "level"),
        ("refused", None, "you", "delete_message", "level"),
        ("refused", None, "me", "update_message_store_configuration", "level"),
        ("refused", None, "me", "delete_message", "stopped"),
    )
    for event, operation, principal, tool, reason in rows:
        journal.note(event, operation=operation, principal=principal, tool=tool, details={"reason": reason})
    assert [entry.repeated for entry in journal.entries()] == [0] * 6


def test_a_repeat_gets_a_new_row_after_an_hour_or_when_the_clock_was_set_back(tmp_path: Path) -> None:
    clock = Clock()
    journal = Journal(Folder(tmp_path), clock)
    for ahead in (timedelta(), timedelta(hours=1), timedelta(hours=-3)):
        clock.time += ahead
        note(journal, reason="level")
    assert [entry.repeated for entry in journal.entries()] == [0, 0, 0]


def test_repeated_entries_are_found_by_their_last_repeat(tmp_path: Path) -> None:
    clock = Clock()
    journal = Journal(Folder(tmp_path), clock)
    note(journal, reason="level")
    clock.time += timedelta(minutes=50)
    since = clock.time
    assert journal.entries(since) == []
    note(journal, reason="level")
    assert [entry.repeated for entry in journal.entries(since)] == [1]


def test_different_refusals_get_a_limited_number_of_rows_per_hour(tmp_path: Path) -> None:
    journal = Journal(Folder(tmp_path), lambda: NOON)
    for i in range(ROWS_AN_HOUR + 5):
        note(journal, "refused", "aaaa-bbbb", reason="protected", ids=[str(i)])
        note(journal, "rehearsed", action="delete", ids=[str(i)])
    others = [entry for entry in journal.entries() if TOO_MANY in entry.detail]
    assert [(entry.event, entry.operation, entry.repeated) for entry in others] == [
        ("refused", None, 4),
        ("rehearsed", None, 4),
    ]
    assert len(journal.entries()) == 2 * (ROWS_AN_HOUR + 1)


def sent(journal: Journal, operation: str) -> None:
    who = {"operation": operation, "principal": "me", "tool": "delete_message"}
    journal.append("sending", **who, details={"ids": ["1"], "to": "Deleted"})
    journal.append("sent", **who, details={"outcomes": {"1": "deleted"}})


@pytest.mark.parametrize("differing", [False, True], ids=["the same", "each another"])
def test_twenty_thousand_refused_calls_stay_under_a_megabyte_and_are_all_counted(
    tmp_path: Path, differing: bool
) -> None:
    journal = Journal(Folder(tmp_path), lambda: NOON)
    sent(journal, "aaaa-bbbb")
    with writing(tmp_path) as db:
        for i in range(20_000):
            ids = [str(10**12 + n + (i if differing else 0)) for n in range(200)]
            details = {"reason": "protected", "ids": ids}
            add_note(db, NOON, "refused", operation=None, principal="me", tool="delete_message", details=details)
    sent(journal, "cccc-dddd")
    assert bytes_of(tmp_path) < 1_000_000
    refusals = [entry for entry in journal.entries() if entry.event == "refused"]
    assert sum(1 + entry.repeated for entry in refusals) == 20_000
    assert [operation.outcomes for operation in journal.operations()] == [{"1": "deleted"}] * 2
    assert journal.verify().faults == ()


def test_the_file_does_not_grow_with_repeated_refusals(tmp_path: Path) -> None:
    journal = Journal(Folder(tmp_path), lambda: NOON)
    note(journal, reason="level")
    note(journal, reason="level")
    before = bytes_of(tmp_path)
    for _ in range(200):
        note(journal, reason="level")
    assert bytes_of(tmp_path) == before


def a_draft(**fields: Any) -> PlanDraft:
    target = Target("1", "Alive", "2026-11-24T11:00:00Z", None)
    preview = Preview(action="delete", messages=1, newest="2026-11-24T11:00:00Z", warnings=["It is new."])
    plain: dict[str, Any] = {"preview": preview, "targets": (target,), "left_out": {"2": "already"}}
    return PlanDraft("reversible", "Delete 1 message?", None, **plain | fields)


def planned(store: PlanStore, digest: str = "digest", **fields: Any) -> Plan:
    return store.add("delete_message", digest, a_draft(**fields), principal="me", account_id="~", extension_id="~")


def test_a_plan_asked_for_again_is_the_same_plan_while_it_is_young(tmp_path: Path) -> None:
    clock = Clock()
    store = PlanStore(Folder(tmp_path), clock)
    first = planned(store)
    clock.time += REUSED_FOR - timedelta(seconds=1)
    assert planned(store) == first
    clock.time += timedelta(seconds=1)
    second = planned(store)
    assert second.id != first.id
    assert second.expires == clock.time + LIFETIME
    assert [entry.operation for entry in Journal(Folder(tmp_path)).entries()] == [first.id, second.id]


def test_a_different_call_gets_a_different_plan(tmp_path: Path) -> None:
    store = PlanStore(Folder(tmp_path), lambda: NOON)
    plans_made = [
        planned(store),
        planned(store, "another call"),
        planned(store, targets=(Target("1", "Alive", "2026-11-24T11:59:00Z", None),)),
        planned(store, preview=Preview(action="delete", messages=1)),
        planned(store, misfits={"types": 1}),
    ]
    assert len({plan.id for plan in plans_made}) == 5


def test_a_plan_that_was_shown_or_answered_is_not_reused(tmp_path: Path) -> None:
    store = PlanStore(Folder(tmp_path), lambda: NOON)
    answers: tuple[Callable[[str], object], ...] = (
        store.ask,
        store.approve,
        store.deny,
        lambda plan_id: store.claim(plan_id, "open", by="chat"),
    )
    for answered in answers:
        plan = planned(store)
        answered(plan.id)
        assert planned(store).id != plan.id
        store.deny(planned(store).id)


def test_too_many_unused_plans_are_refused_for_that_principal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MAX_UNUSED", 3)
    clock = Clock()
    store = PlanStore(Folder(tmp_path), clock)
    for i in range(10):
        assert store.claim(planned(store, f"carried out {i}").id, "open", by="policy")
    made = [planned(store, f"call {i}") for i in range(3)]
    with pytest.raises(TooManyPlans):
        planned(store, "one more")
    assert planned(store, "call 0") == made[0]
    store.add("delete_message", "theirs", a_draft(), principal="you", account_id="~", extension_id="~")
    clock.time += timedelta(hours=1)
    assert planned(store, "one more")


async def test_a_looping_model_gets_one_plan_then_a_refusal_that_says_what_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MAX_UNUSED", 1)
    one, other = desk.ids(availability="Alive")[:2]
    async with desk.client() as client:
        first = await call(client, "delete_message", message_id=[one])
        assert await call(client, "delete_message", message_id=[one]) == first
        for _ in range(3):
            answer = await call(client, "delete_message", message_id=[other])
            assert answer["status"] == "refused"
            assert answer["said"] == f"{TOO_MANY_PLANS} {NOTHING_DONE}"
        done = await call(client, "delete_message", message_id=[one], plan_id=first["plan_id"])
    assert done["status"] == "done"
    refusal = next(entry for entry in desk.journal.entries() if entry.event == "refused")
    assert (refusal.details, refusal.repeated) == ({"reason": "too_many_plans"}, 2)


async def test_a_refusal_of_one_question_does_not_answer_the_next(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(answer=NO) as client:
        assert (await call(client, "delete_message", message_id=[target]))["status"] == "declined"
    async with desk.client(answer=YES) as client:
        assert (await call(client, "delete_message", message_id=[target]))["status"] == "done"
