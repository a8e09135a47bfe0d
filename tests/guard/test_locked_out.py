"""Without a lock, changes are refused: no file system and no removal of the lock file lets two changes run."""

import errno
import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import pytest

from rc_mcp import locks as locking
from rc_mcp.guard import guard as guarding
from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.state import database
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal, Record
from rc_mcp.ringcentral import LoginNotKept
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.oauth import token_store
from tests.desk import Desk, call, refused

pytestmark = pytest.mark.anyio
fcntl = pytest.importorskip("fcntl", reason="Windows has locks of another kind")

Fail = Callable[[int | None], None]
FAULTS = [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINTR, errno.EACCES, errno.EROFS, errno.EIO, None]
"""The faults of locks. None: every process gets every lock."""


def name_of(fault: int | None) -> str:
    return "locks nothing" if fault is None else errno.errorcode[fault]


@pytest.fixture
def flock(monkeypatch: pytest.MonkeyPatch) -> Generator[Fail]:
    """Make the system answer every lock request with this fault."""

    def fail(fault: int | None) -> None:
        def answer(descriptor: object, operation: int) -> None:
            if fault is not None:
                raise OSError(fault, os.strerror(fault))

        monkeypatch.setattr(fcntl, "flock", answer)
        # Some file systems report EACCES for a held lock, so the process waits for that one.
        monkeypatch.setattr(guarding, "PATIENCE_S", 0.05)
        monkeypatch.setattr(database, "_PATIENCE_S", 0.05)
        monkeypatch.setattr(token_store, "LIMITS", replace(LIMITS, login_lock_s=0.05))

    yield fail
    monkeypatch.undo()


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
async def test_two_servers_without_a_lock_both_refuse_and_nothing_is_deleted(
    desk: Desk, flock: Fail, fault: int | None
) -> None:
    assert not desk.state_dir.exists()
    one, other = desk.ids(availability="Alive")[:2]
    asked = [[one], [one, other]]
    async with desk.client() as first, desk.client() as second:
        agreed = [
            (client, ids, (await call(client, "delete_message", message_id=ids))["plan_id"])
            for client, ids in zip((first, second), asked, strict=True)
        ]
        flock(fault)
        for client, ids, plan in agreed:
            said = await refused(client, "delete_message", message_id=ids, plan_id=plan)
            assert said.endswith(NOTHING_DONE)
    assert desk.sent("DELETE") == []
    assert [desk.availability(i) for i in (one, other)] == ["Alive", "Alive"]


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_the_state_is_not_created_without_a_lock(tmp_path: Path, flock: Fail, fault: int | None) -> None:
    flock(fault)
    for _ in range(2):
        with pytest.raises(GuardError, match=rf"\(\w+\).* {NOTHING_DONE}$"):
            Journal(Folder(tmp_path)).entries()
    assert not list(tmp_path.glob("*.db")) + list(tmp_path.glob("*.new"))


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
async def test_a_login_is_not_renewed_without_a_lock(tmp_path: Path, flock: Fail, fault: int | None) -> None:
    flock(fault)
    for _ in range(2):
        with pytest.raises(LoginNotKept):
            async with token_store.one_renewal_at_a_time(tmp_path / "login.lock"):
                pytest.fail("it was had")


async def test_a_lock_file_removed_before_the_request_left_ends_the_change(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    lock = desk.state_dir / "changing.lock"

    def removed(request: httpx.Request) -> None:
        if lock.exists():  # during the second reading of the plan's messages, under the lock
            lock.unlink()

    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        desk.faults.before(removed)
        answer = await call(client, "delete_message", message_id=[target], plan_id=plan)
    assert (answer["outcomes"], desk.sent("DELETE")) == ({target: "skipped"}, [])
    assert desk.availability(target) == "Alive"


@pytest.mark.parametrize("put_another", [False, True], ids=["removed", "replaced"])
async def test_a_process_that_lost_its_lock_file_sends_nothing(tmp_path: Path, put_another: bool) -> None:
    record = Record(Journal(Folder(tmp_path)), "aaaa-bbbb", "me", "delete_message")
    async with one_change_at_a_time(Folder(tmp_path)):
        await record.sending({"1": ("Alive", None)}, "Deleted")
        (tmp_path / "changing.lock").unlink()
        if put_another:
            (tmp_path / "changing.lock").touch()
        with pytest.raises(GuardError, match=NOTHING_DONE):
            await record.sending({"2": ("Alive", None)}, "Deleted")
        with pytest.raises(GuardError, match=NOTHING_DONE):
            await record.sending_retention(30, before=90)


@pytest.mark.parametrize("at", [1, 2], ids=["before it was locked", "before others were tried"])
@pytest.mark.parametrize("put_another", [False, True], ids=["removed", "replaced"])
async def test_a_lock_on_a_removed_file_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, put_another: bool
) -> None:
    file, real, calls = tmp_path / "x.lock", fcntl.flock, list[int]()

    def flock(descriptor: int, operation: int) -> None:
        calls.append(descriptor)
        if len(calls) == at:
            file.unlink()
            if put_another:
                file.touch()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    held = await locking.lock_on(file, 10)
    monkeypatch.undo()
    assert held is not None
    assert held.is_in_place()
    assert await locking.lock_on(file, 0) is None
    held.release()


def test_a_process_waits_for_a_lock_that_another_holds(tmp_path: Path) -> None:
    first = locking.wait_for_lock(tmp_path / "x.lock", 0)
    assert first is not None
    assert locking.wait_for_lock(tmp_path / "x.lock", 0.05) is None
    first.release()
    second = locking.wait_for_lock(tmp_path / "x.lock", 0)
    assert second is not None
    second.release()


def test_a_link_is_not_accepted_as_a_lock_file(tmp_path: Path) -> None:
    (tmp_path / "x.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"x\.lock"):
        locking.wait_for_lock(tmp_path / "x.lock", 0)
    assert not (tmp_path / "elsewhere").exists()


def test_the_database_is_not_created_while_another_process_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE_S", 0.05)
    held = locking.wait_for_lock((tmp_path / FILE).with_suffix(".lock"), 0)
    assert held is not None
    with pytest.raises(GuardError, match=NOTHING_DONE):
        Journal(Folder(tmp_path)).entries()
    held.release()
    assert Journal(Folder(tmp_path)).entries() == []
