"""Stored plans: each is used once, and a plan that cannot be read is refused."""

import sqlite3
from pathlib import Path

import pytest

from rc_mcp.guard.refusals import NOTHING_DONE, Busy, GuardError
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import DEMO
from rc_mcp.guard.state.plans import Plan, PlanDraft, PlanStore
from rc_mcp.views.changes import Preview

pytestmark = pytest.mark.anyio


def a_plan(store: PlanStore, digest: str = "digest") -> Plan:
    draft = PlanDraft("reversible", "Delete 1 message?", None, Preview(action="delete", messages=1))
    return store.add("delete_message", digest, draft, principal="me", account_id="~", extension_id="~")


def test_a_plan_is_answered_once(tmp_path: Path) -> None:
    store = PlanStore(Folder(tmp_path))
    plan = a_plan(store)
    assert store.waiting() == [plan]
    assert (store.approve(plan.id), store.approve(plan.id)) == (True, False)
    assert (store.deny(plan.id), store.deny(plan.id), store.approve(plan.id)) == (True, False, False)
    assert store.claim(plan.id, "open", "approved", by="client") is False
    assert store.waiting() == []


@pytest.mark.parametrize(("principal", "is_demo"), [("me", False), (f"{DEMO}1", True)])
def test_a_plan_says_whether_a_demo_made_it(principal: str, is_demo: bool, tmp_path: Path) -> None:
    draft = PlanDraft("reversible", "Delete 1 message?", None, Preview(action="delete", messages=1))
    plan = PlanStore(Folder(tmp_path)).add(
        "delete_message", "digest", draft, principal=principal, account_id="~", extension_id="~"
    )
    assert plan.is_demo is is_demo


def test_only_the_plan_that_was_shown_is_approved(tmp_path: Path) -> None:
    store = PlanStore(Folder(tmp_path))
    shown, another = a_plan(store), a_plan(store, "another call")
    assert store.approve(shown.id, another) is False
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("UPDATE plan SET body = replace(body, 'Delete 1', 'Delete 9')")
    db.commit()
    db.close()
    assert store.approve(shown.id, shown) is False
    found = store.get(shown.id)
    assert found is not None
    assert found[1] == "open"
    assert store.approve(shown.id, found[0]) is True


def test_a_claim_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    store = PlanStore(Folder(tmp_path))
    plan = a_plan(store)
    assert store.claim(plan.id, "approved", by="chat") is False
    found = store.get(plan.id)
    assert found is not None
    assert found[1] == "open"
    db = sqlite3.connect(tmp_path / FILE)
    assert db.execute("SELECT event FROM entry").fetchall() == [("asked",)]
    db.close()


def test_a_plan_and_its_row_in_the_journal_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    store = PlanStore(Folder(tmp_path))
    plan = a_plan(store)
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    db.close()
    with pytest.raises(GuardError):
        store.claim(plan.id, "open", by="client")
    with pytest.raises(GuardError):
        a_plan(store, "another call")
    assert store.waiting() == [plan]


def test_a_stored_plan_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    store = PlanStore(Folder(tmp_path))
    plan = a_plan(store)
    db = sqlite3.connect(tmp_path / FILE)
    with db:
        db.execute("UPDATE plan SET body = '{}'")
    db.close()
    with pytest.raises(GuardError, match=NOTHING_DONE):
        store.claim(plan.id, "open", by="client")


async def test_only_one_change_runs_at_a_time(tmp_path: Path) -> None:
    async with one_change_at_a_time(Folder(tmp_path)):
        with pytest.raises(Busy, match=NOTHING_DONE):
            async with one_change_at_a_time(Folder(tmp_path), patience_s=0.05):
                pass
    async with one_change_at_a_time(Folder(tmp_path), patience_s=0):
        pass


async def test_nothing_is_done_without_the_lock(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GuardError, match=NOTHING_DONE):
        async with one_change_at_a_time(Folder(tmp_path / "file")):
            pass
