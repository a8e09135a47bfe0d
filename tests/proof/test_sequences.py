"""Fixed sequences of events that once lost messages or gave wrong reports; the proof meets them only by chance."""

from collections import Counter
from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from rc_mcp.guard.state.journal import Aim, Record, Was
from tests.proof.faults import RESTORED, Event
from tests.proof.host import LOCK_FAULTS
from tests.proof.judge import Violation, Window
from tests.proof.machine import Machine
from tests.proof.office import office

ASKS, OLDER_ASKS, CHAT, OLDER_CHAT = "asks, 2026", "asks, 2025", "cannot ask, 2026", "cannot ask, 2025"
POLICY_ASKS, POLICY = "policy, asks, 2025", "policy, cannot ask, 2026"
HUMAN, NO_PURGE, PAGE, APP = "human, 2025", "no purge, 2026", "page, 2026", "app, 2025"
NEWEST, PAGER, ANNA, VOICEMAIL = 1 << 0, 1 << 2, 1 << 6, 1 << 8
"""Messages of `office._drafts` as bits for `Machine.deletes`, from the newest at the start."""
BORIS = 1 << 2
"""The conversation with Boris, as a bit for `Machine.deletes_conversations`."""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Generator[type[Machine]]:
    with office(tmp_path_factory.mktemp("office")) as (here, portal):
        yield type("Machine", (Machine,), {"office": here, "portal": portal, "totals": Counter()})


@pytest.fixture
def machine(machines: type[Machine]) -> Generator[Machine]:
    """Yield a machine, and check its end too, after all late requests have arrived."""
    machine = machines()
    machine.begins("an ordinary day")
    yield machine
    machine.teardown()
    Violation.first = None


def deletes(machine: Machine, what: int, *faults: Event, at: str = ASKS, **more: Any) -> None:
    kind = 3 if more.get("purge") else 0
    machine.deletes(at, what, kind, list(faults), "yes", 1, more.get("then"))


def decides(
    machine: Machine, window: Window, *faults: Event, at: str = CHAT, said: str = "yes", ticked: str = "all"
) -> None:
    machine.decides_in_a_window((at, window), 0, True, said, ticked, list(faults), 1, None)


def test_a_clock_set_ahead_does_not_permit_a_second_delete(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", "20 requests late"))
    machine.sets_a_clock("one", 3)
    deletes(machine, ANNA)
    assert counted(machine, "held back: in doubt") == 1


def test_a_clock_set_back_does_not_hold_a_message_back_for_hours(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", "drop"))
    machine.sets_a_clock("one", -185)
    machine.time_goes_by(6)
    deletes(machine, ANNA)
    assert counted(machine, "messages deleted") == 1


def test_a_request_counts_from_when_it_left_even_if_its_process_stood_still_before(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending = Record.sending

    async def stand_still_after(record: Record, was: Mapping[str, Was], to: Aim) -> None:
        await sending(record, was, to)
        machine.office.clock.go_on(timedelta(minutes=11))

    with monkeypatch.context() as patch:
        patch.setattr(Record, "sending", stand_still_after)
        deletes(machine, ANNA, Event("DELETE", "20 requests late"))
    deletes(machine, ANNA)
    assert counted(machine, "held back: in doubt") == 1


def test_a_restarted_machine_waits_for_requests_that_it_cannot_date(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", "20 requests late"))
    machine.starts_again("one")
    machine.sets_a_clock("one", 61)
    deletes(machine, ANNA)
    assert counted(machine, "DELETEs") == 1
    machine.time_goes_by(2)
    deletes(machine, ANNA)


def test_a_restarted_machine_does_not_wait_forever(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", "drop"))
    machine.starts_again("one")
    deletes(machine, ANNA)
    machine.time_goes_by(6)
    deletes(machine, ANNA)
    assert counted(machine, "held back: in doubt") == 1
    assert counted(machine, "messages deleted") == 1


def test_a_clock_set_back_does_not_extend_a_plan(machine: Machine) -> None:
    deletes(machine, ANNA, at=CHAT)
    machine.time_goes_by(11)
    machine.sets_a_clock("one", -4)
    machine.uses_a_plan(None, 0, [], "yes", 1, None)
    assert counted(machine, "messages deleted") == 0


@pytest.mark.parametrize(("day", "set_by"), [("clocks go forward", 0), ("an ordinary day", 61)])
def test_an_hour_of_a_cap_is_an_hour(machine: Machine, day: str, set_by: int) -> None:
    machine.begins(day)
    deletes(machine, NEWEST | PAGER | ANNA | VOICEMAIL, at=POLICY_ASKS)
    for _ in range(3):
        machine.another_app("a message arrives", 0)
    machine.time_goes_by(25)
    machine.sets_a_clock("one", set_by)
    deletes(machine, 1 << 4 | 1 << 6 | 1 << 8, at=POLICY_ASKS)  # three that arrived
    assert counted(machine, "messages deleted") == 4


@pytest.mark.parametrize("day", ["an ordinary day", "clocks go forward"])
def test_a_span_back_is_elapsed_time(machine: Machine, day: str) -> None:
    machine.begins(day)
    machine.time_goes_by(25)
    machine.deletes_conversations(ASKS, BORIS, 0, "90m", [], "yes", 1)
    assert counted(machine, "messages deleted") == 1


def test_an_age_is_elapsed_time_when_clocks_go_forward(machine: Machine) -> None:
    machine.begins("clocks go forward")
    machine.time_goes_by(25)
    deletes(machine, PAGER, at=POLICY)
    assert counted(machine, "messages deleted") == 0


@pytest.mark.parametrize("fault", [fault for fault, number in LOCK_FAULTS.items() if number])
def test_nothing_is_sent_without_a_lock(machine: Machine, fault: str) -> None:
    deletes(machine, ANNA, at=CHAT)
    machine.uses_a_plan(None, 0, [], "yes", 1, fault)
    assert counted(machine, "messages deleted") == 0
    machine.uses_a_plan(None, 0, [], "yes", 1, None)
    assert counted(machine, "messages deleted") == 1


def test_a_lock_that_locks_nothing_purges_nothing(machine: Machine) -> None:
    deletes(machine, ANNA, at=CHAT)
    deletes(machine, ANNA | VOICEMAIL, at=OLDER_CHAT)
    who = [(CHAT, 1, True, "yes"), (OLDER_CHAT, 0, True, "yes")]
    machine.works_together(who, [30, 3], [], "locks: lock nothing")


@pytest.mark.parametrize("fault", ["404 of the gateway", "404 CMN-120", "404 of the extension"])
@pytest.mark.parametrize("purge", [False, True])
def test_only_an_error_about_a_message_shows_that_it_does_not_exist(machine: Machine, purge: bool, fault: str) -> None:
    deletes(machine, ANNA, Event(0, fault), purge=purge)
    assert counted(machine, "answered: error") == 1


def test_a_404_when_read_back_does_not_show_that_a_deleted_message_was_purged(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", "404 for the reading back"))
    assert counted(machine, "answered: unknown") == 1


def test_a_404_of_the_gateway_does_not_confirm_a_purge(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", "false 204, then the gateway"), purge=True)
    assert counted(machine, "answered: unknown") == 1


def test_a_404_of_the_gateway_does_not_refuse_a_delete(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", "404 of the gateway, late"))
    deletes(machine, ANNA)
    assert counted(machine, "held back: in doubt") == 1


@pytest.mark.parametrize("at", [0, "PATCH"])
def test_a_404_of_the_gateway_does_not_show_that_a_message_to_restore_is_gone(machine: Machine, at: int | str) -> None:
    deletes(machine, ANNA)
    machine.undoes(0, [Event(at, "404 of the gateway")], None)
    machine.restores_or_marks(ASKS, ANNA, restore=True, events=[Event(at, "404 of the gateway")])


def test_a_second_period_waits_for_the_first(machine: Machine) -> None:
    machine.sets_the_period(ASKS, [14, 60], [Event("PUT", "20 requests late")], "yes")
    assert counted(machine, "PUTs of the retention period") == 1
    assert counted(machine, "held back: in doubt") == 1


def test_a_period_whose_token_a_proxy_refused_is_not_final(machine: Machine) -> None:
    machine.sets_the_period(ASKS, [14, 60], [Event("PUT", "401 of a proxy, late")], "yes")
    assert counted(machine, "PUTs of the retention period") == 1


@pytest.mark.parametrize("then", ["undo", "restore"])
@pytest.mark.parametrize("fault", ["6 requests late", "20 requests late"])
def test_a_message_that_may_still_be_deleted_is_not_reported_as_restored(
    machine: Machine, fault: str, then: str
) -> None:
    deletes(machine, ANNA, Event("DELETE", fault), then=then)


@pytest.mark.parametrize("kind", [0, 3])
def test_a_message_that_arrives_late_with_an_early_time_is_kept(machine: Machine, kind: int) -> None:
    arrives = Event("DELETE", "an early message arrives", at_message=1)
    machine.deletes_conversations(ASKS, BORIS, kind, None, [arrives], "yes", 1)
    assert counted(machine, "messages purged" if kind else "messages deleted") == 2


@pytest.mark.parametrize("lasting", [False, True])
def test_a_list_of_all_conversations_adds_nothing_to_a_plan(machine: Machine, lasting: bool) -> None:
    machine.deletes_conversations(ASKS, BORIS, 0, None, [Event("LIST", "all conversations", lasting)], "yes", 1)


@pytest.mark.parametrize("purge", [False, True])
def test_a_message_deleted_and_restored_by_an_app_is_not_reported_as_failed(machine: Machine, purge: bool) -> None:
    deletes(machine, ANNA, Event(3, "app restores", at_message=6), purge=purge)


def test_a_message_deleted_and_restored_by_an_app_is_not_settled_as_failed(machine: Machine) -> None:
    deletes(machine, ANNA, Event("DELETE", RESTORED))
    machine.time_goes_by(2)
    deletes(machine, VOICEMAIL)  # a change begins with settling


def test_a_foreign_folder_brings_no_token(machine: Machine) -> None:
    machine.starts_elsewhere(ASKS, "a token")
    deletes(machine, ANNA)
    assert counted(machine, "messages deleted") == 1


@pytest.mark.parametrize("brings", ["a policy", "a state folder", "an access level", "an address", "everything"])
def test_a_foreign_folder_brings_no_rules(machine: Machine, brings: str) -> None:
    machine.starts_elsewhere(CHAT, brings)
    deletes(machine, VOICEMAIL, at=CHAT)
    assert counted(machine, "messages deleted") == 0


@pytest.mark.parametrize("window", ["app", "browser"])
def test_a_window_deletes_only_what_was_left_in_a_plan(machine: Machine, window: Window) -> None:
    deletes(machine, ANNA | VOICEMAIL, at=CHAT)
    decides(machine, window, ticked="another too")
    decides(machine, window, ticked="none")
    assert counted(machine, "messages deleted") == 0
    decides(machine, window, ticked="first")
    assert counted(machine, f"plans carried out: {window}") == counted(machine, "messages deleted") == 1


def test_a_window_purges_with_the_phrase_for_what_is_left_and_never_by_a_button(machine: Machine) -> None:
    deletes(machine, ANNA | VOICEMAIL, at=CHAT, purge=True)
    decides(machine, "app")
    decides(machine, "browser", at=NO_PURGE)
    decides(machine, "browser", said="whole phrase", ticked="first")
    assert counted(machine, "messages purged") == 0
    decides(machine, "browser", ticked="first")
    assert counted(machine, "messages purged") == 1


def test_a_button_is_not_enough_where_only_people_may_approve(machine: Machine) -> None:
    deletes(machine, ANNA, at=CHAT)
    decides(machine, "app", at=HUMAN)
    assert counted(machine, "messages deleted") == 0
    decides(machine, "browser", at=HUMAN)
    assert counted(machine, "messages deleted") == 1


def test_a_server_without_the_right_sets_no_period_in_a_window(machine: Machine) -> None:
    machine.sets_the_period(CHAT, [90], [], "yes")
    decides(machine, "browser", at=NO_PURGE)
    assert counted(machine, "PUTs of the retention period") == 0
    decides(machine, "app")
    assert counted(machine, "PUTs of the retention period") == 1


@pytest.mark.parametrize(("place", "elsewhere"), [(PAGE, CHAT), (APP, OLDER_CHAT)])  # pairs on one machine
def test_no_claim_of_a_model_counts_for_a_plan_that_is_shown_in_a_window(
    machine: Machine, place: str, elsewhere: str
) -> None:
    deletes(machine, ANNA, at=place)
    machine.uses_a_plan(None, 0, [], "yes", 1, None)
    machine.uses_a_plan(elsewhere, 0, [], "yes", 1, None)
    assert counted(machine, "messages deleted") == 0
    decides(machine, "browser", at=elsewhere)
    assert counted(machine, "messages deleted") == 1


def test_a_late_delete_of_a_window_holds_the_next_one_back(machine: Machine) -> None:
    deletes(machine, ANNA | VOICEMAIL, at=CHAT)
    decides(machine, "app", Event("DELETE", "20 requests late"))
    deletes(machine, ANNA, at=CHAT)
    decides(machine, "browser")
    assert counted(machine, "held back: in doubt") == 1


def counted(machine: Machine, what: str) -> int:
    return machine.office.judge.counts.get(what, 0)
