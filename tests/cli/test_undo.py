"""`rc-mcp undo`, `rc-mcp stop` and `rc-mcp resume`: the user's controls outside the assistant."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from click.testing import CliRunner, Result

from rc_mcp.cli import main
from rc_mcp.cli.emulator import login_to
from rc_mcp.cli.stop import NEVER_USED, NOT_RECORDED, NOT_STOPPED, PERHAPS_IN_PROGRESS, QUIET, RESUMED, WAITING
from rc_mcp.cli.undo import MEANS, NOT_ALL_BACK
from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.restore import NOTHING_RESTORED, OF_A_DEMO, undoable
from rc_mcp.guard.restore import undo as restore
from rc_mcp.guard.state import database
from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.database import FILE, MIGRATIONS
from rc_mcp.guard.state.folder import has_stop_file
from rc_mcp.guard.state.journal import DEMO
from tests.desk import YES, Desk, call

pytestmark = pytest.mark.anyio


async def rc_mcp(desk: Desk, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with credentials in the environment."""
    login = login_to(desk.emulator) | {"RC_MCP_STATE_DIR": str(desk.state_dir)}
    command = [sys.executable, "-m", "rc_mcp", *arguments]
    with anyio.fail_after(120):
        return await anyio.run_process(command, check=False, env={**os.environ, **login, **variables})


async def deleted(desk: Desk, *ids: str) -> str:
    async with desk.client(answer=YES) as client:
        return (await call(client, "delete_message", message_id=list(ids)))["operation_id"]


def reason_against(desk: Desk, operation: str) -> str:
    """Return why the guard cannot undo this operation."""
    with pytest.raises(GuardError) as refusal:
        undoable(desk.journal, operation)
    return str(refusal.value)


async def test_undo_restores_messages_and_lists_them(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")[:2]
    async with desk.emulator.serve():
        operation = await deleted(desk, *targets)
        ended = await rc_mcp(desk, "undo", operation)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.decode().startswith(f"2  {MEANS['restored']}")
    assert all(t in ended.stdout.decode() for t in targets)
    assert [desk.availability(t) for t in targets] == ["Alive"] * 2


async def test_a_message_that_is_not_restored_is_named_and_fails_the_command(desk: Desk) -> None:
    purged, restored = desk.ids(availability="Alive")[:2]
    async with desk.emulator.serve():
        operation = await deleted(desk, purged, restored)
        async with desk.guard() as guard:
            await guard.client.delete_message(purged, purge=True)
        ended = await rc_mcp(desk, "undo", operation)
    assert ended.returncode == 1
    assert f"1  {MEANS['purged']}  {purged}" in ended.stdout.decode()
    assert NOT_ALL_BACK in ended.stderr.decode()


async def test_undo_reports_messages_as_unknown_when_the_gateway_answers_404(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.emulator.serve():
        operation = await deleted(desk, target)
        desk.emulator.faults.inject("gateway", operation="readMessage", times=None)
        ended = await rc_mcp(desk, "undo", operation)
        desk.emulator.faults.clear()
        again = await rc_mcp(desk, "undo", operation)
    said = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 1
    assert f"1  {MEANS['unknown']}  {target}" in said
    assert MEANS["not_found"] not in said
    assert again.returncode == 0, again.stderr


async def test_undo_of_an_unknown_operation_or_without_a_login_is_an_error(desk: Desk) -> None:
    async with desk.emulator.serve():
        unknown = await rc_mcp(desk, "undo", "none-such")
        operation = await deleted(desk, desk.ids(availability="Alive")[0])
        no_login = await rc_mcp(desk, "undo", operation, RC_USER_JWT="")
    unreachable = await rc_mcp(desk, "undo", operation, RC_SERVER_URL="http://127.0.0.1:9")
    assert (unknown.returncode, no_login.returncode, unreachable.returncode) == (1, 2, 1)
    assert unknown.stderr.decode() == f"{reason_against(desk, 'none-such')}\n"
    assert b"RC_USER_JWT" in no_login.stderr
    assert unreachable.stderr.endswith(f"{NOTHING_RESTORED}\n".encode())


async def test_an_operation_that_cannot_be_undone_is_refused_before_login(desk: Desk) -> None:
    async with desk.guard() as guard:
        who = {"operation": "demo-oper", "principal": f"{DEMO}1", "tool": "delete_message"}
        guard.journal.append("begun", **who, details={"account_id": "~", "extension_id": "~"})
    ended = await rc_mcp(desk, "undo", "demo-oper", RC_USER_JWT="")
    assert ended.returncode == 1
    assert ended.stderr.decode() == f"{reason_against(desk, 'demo-oper')}\n"
    assert f"'demo-oper' {OF_A_DEMO}." in ended.stderr.decode()


async def test_undo_with_a_changed_journal_is_an_error_without_a_traceback(desk: Desk) -> None:
    async with desk.guard() as guard:
        who = {"operation": "with-none", "principal": guard.principal, "tool": "delete_message"}
        guard.journal.append("sending", **who, details={"ids": ["1"], "to": "Deleted"})
        guard.journal.append("sending", **{**who, "operation": "odd1-oddd"}, details={"ids": 1})
    async with desk.emulator.serve():
        for operation in ("with-none", "odd1-oddd"):
            ended = await rc_mcp(desk, "undo", operation)
            assert (ended.returncode, b"Traceback" in ended.stderr) == (1, False)
            assert ended.stderr.endswith(f"{NOTHING_RESTORED}\n".encode())


async def test_stop_refuses_a_folder_that_no_server_used_and_does_not_create_it(desk: Desk) -> None:
    ended = await rc_mcp(desk, "stop")
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.decode().startswith(f"{NEVER_USED} {desk.state_dir}: ")
    assert not desk.state_dir.exists()


async def test_stop_works_although_other_settings_are_wrong(desk: Desk) -> None:
    desk.state_dir.mkdir()
    wrong = {"RC_MCP_ACCESS": "all", "RC_MCP_HTTP_TOKEN": "short", "RC_MCP_TIMEZONE": "Mars/Olympus"}
    stopped = await rc_mcp(desk, "stop", **wrong)
    assert (stopped.returncode, stopped.stderr) == (0, b"")
    assert str(desk.state_dir) in stopped.stdout.decode()
    assert (desk.state_dir / "STOP").exists()
    assert (await rc_mcp(desk, "audit", **wrong)).returncode == 0
    assert (await rc_mcp(desk, "approvals", **wrong)).returncode == 0
    assert (await rc_mcp(desk, "resume", **wrong)).stdout.startswith(f"{RESUMED}\n".encode())
    assert not (desk.state_dir / "STOP").exists()


async def test_stop_ends_all_deleting_until_resume(desk: Desk) -> None:
    desk.state_dir.mkdir()
    target = desk.ids(availability="Alive")[0]
    stopped = await rc_mcp(desk, "stop")
    assert (stopped.returncode, stopped.stderr) == (0, b"")
    assert stopped.stdout.endswith(f"{QUIET}\n".encode())
    async with desk.client(answer=YES) as client:
        assert (await call(client, "delete_message", message_id=[target]))["status"] == "refused"
        resumed = await rc_mcp(desk, "resume")
        assert resumed.stdout == f"{RESUMED}\n".encode()
        assert (await call(client, "delete_message", message_id=[target]))["status"] == "done"
    assert (await rc_mcp(desk, "resume")).stdout == f"{NOT_STOPPED}\n".encode()


@pytest.mark.parametrize("kind", ["a link to nothing", "a link to itself", "a folder"])
async def test_a_stop_file_of_any_kind_is_kept_by_stop_and_removed_by_resume(desk: Desk, kind: str) -> None:
    desk.state_dir.mkdir()
    stop = desk.state_dir / "STOP"
    if kind == "a folder":
        stop.mkdir()
    else:
        stop.symlink_to(stop if kind == "a link to itself" else desk.state_dir / "nowhere")
    stopped = await rc_mcp(desk, "stop")
    assert (stopped.returncode, stopped.stderr) == (0, b"")
    assert str(desk.state_dir) in stopped.stdout.decode()
    assert stop.is_symlink() or stop.is_dir()
    assert not (desk.state_dir / "nowhere").exists()
    assert (await rc_mcp(desk, "resume")).stdout.startswith(f"{RESUMED}\n".encode())
    assert list(desk.state_dir.glob("STOP")) == []


async def test_a_stop_that_cannot_be_removed_stays(desk: Desk) -> None:
    (desk.state_dir / "STOP" / "full").mkdir(parents=True)
    resumed = await rc_mcp(desk, "resume")
    assert (resumed.returncode, resumed.stdout) == (1, b"")
    assert str(desk.state_dir / "STOP") in resumed.stderr.decode()
    assert (desk.state_dir / "STOP").exists()


async def test_stop_waits_for_a_change_in_progress(desk: Desk) -> None:
    desk.state_dir.mkdir()
    environment = {**os.environ, "RC_MCP_STATE_DIR": str(desk.state_dir)}
    with anyio.fail_after(120):
        async with one_change_at_a_time(desk.state):
            command = [sys.executable, "-m", "rc_mcp", "stop"]
            process = await anyio.open_process(command, env=environment, stderr=subprocess.DEVNULL)
            assert process.stdout is not None
            said = BufferedByteReceiveStream(process.stdout)
            await said.receive_until(f"{WAITING}\n".encode(), 1000)
            assert (desk.state_dir / "STOP").exists()
        await said.receive_until(f"{QUIET}\n".encode(), 1000)
        await process.aclose()


async def test_a_stop_that_cannot_be_set_is_an_error(desk: Desk) -> None:
    desk.state_dir.write_text("not a folder")
    ended = await rc_mcp(desk, "stop")
    assert ended.returncode == 1
    assert (ended.stdout, str(desk.state_dir) in ended.stderr.decode()) == (b"", True)
    assert (await rc_mcp(desk, "resume")).returncode == 1


async def test_stop_succeeds_although_changes_in_progress_cannot_be_checked(desk: Desk) -> None:
    (desk.state_dir / "changing.lock").mkdir(parents=True)
    ended = await rc_mcp(desk, "stop")
    assert (ended.returncode, ended.stderr) == (0, f"{PERHAPS_IN_PROGRESS}\n".encode())
    assert QUIET.encode() not in ended.stdout
    assert (desk.state_dir / "STOP").exists()


async def here(desk: Desk, *arguments: str) -> Result:
    """Run the command in this process, in the server's state folder; in a thread, since `stop` runs its own loop."""
    run = partial(CliRunner().invoke, main, arguments, env={"RC_MCP_STATE_DIR": str(desk.state_dir)})
    return await anyio.to_thread.run_sync(run)


async def test_stop_and_resume_are_entries_of_the_journal_and_shown_by_audit(desk: Desk) -> None:
    operation = await deleted(desk, *desk.ids(availability="Alive")[:2])
    for command in ("stop", "stop", "resume", "resume"):  # the second of each changes nothing
        assert (await here(desk, command)).exit_code == 0
    entries = [json.loads(line) for line in (await here(desk, "audit", "--json")).stdout.splitlines()]
    assert [(e["event"], e["operation"], e["principal"], e["tool"], e["detail"]) for e in entries[-2:]] == [
        ("stopped", None, "", "stop", "{}"),
        ("resumed", None, "", "resume", "{}"),
    ]
    assert entries[-3]["operation"] == operation
    assert (await here(desk, "audit", "verify", entries[-1]["hash"])).exit_code == 0
    shown = [line.split()[-4:] for line in (await here(desk, "audit")).stdout.splitlines()[2:4]]
    assert shown == [["-", "stop", "-", "stopped"], ["-", "resume", "-", "resumed"]]


async def test_without_a_journal_stop_and_resume_work_make_none_and_say_so(desk: Desk) -> None:
    desk.state_dir.mkdir()
    for command, stops in (("stop", True), ("resume", False)):
        ended = await here(desk, command)
        assert (ended.exit_code, has_stop_file(desk.state_dir)) == (0, stops)
        assert NOT_RECORDED in ended.stdout
    assert not (desk.state_dir / FILE).exists()


def spoil(desk: Desk) -> None:
    for file in desk.state_dir.glob(f"{FILE}*"):
        file.write_bytes(b"spoiled" * 1000)


def make_newer(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.state_dir / FILE)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def fill(desk: Desk) -> None:
    desk.tamper("UPDATE entry SET number = 9223372036854775807 WHERE number = 1")


def replace_by_a_folder(desk: Desk) -> None:
    (desk.state_dir / FILE).unlink()
    (desk.state_dir / FILE).mkdir()


UNWRITABLE: dict[str, Callable[[Desk], None]] = {
    "spoiled": spoil,
    "made by a newer version": make_newer,
    "a folder": replace_by_a_folder,
    "the last hash is not text": lambda desk: desk.tamper("UPDATE entry SET hash = x'00ff'"),
    "the last number is the greatest": fill,
}


@pytest.mark.parametrize("fault", UNWRITABLE)
async def test_stop_and_resume_work_and_say_so_when_the_journal_cannot_be_written(desk: Desk, fault: str) -> None:
    async with desk.client() as client:
        await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:1])
    UNWRITABLE[fault](desk)
    for command, stops in (("stop", True), ("resume", False)):
        ended = await here(desk, command)
        assert (ended.exit_code, has_stop_file(desk.state_dir)) == (0, stops)
        assert NOT_RECORDED in ended.stderr


async def test_stop_works_while_another_process_writes_the_journal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE_S", 0)
    await deleted(desk, desk.ids(availability="Alive")[0])
    with closing(sqlite3.connect(desk.state_dir / FILE, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        stopped = await here(desk, "stop")
    assert (stopped.exit_code, has_stop_file(desk.state_dir)) == (0, True)
    assert NOT_RECORDED in stopped.stderr
    assert (await here(desk, "resume")).exit_code == 0
    assert desk.journal.entries()[-1].event == "resumed"


async def test_after_a_stop_and_a_resume_deletes_undo_and_interrupted_requests_work_as_before(desk: Desk) -> None:
    first, second = desk.ids(availability="Alive")[:2]
    operation = await deleted(desk, first)
    on_its_way = desk.faults.keep_back("DELETE")
    in_doubt = await deleted(desk, second)
    assert on_its_way
    for command in ("stop", "resume"):
        assert (await here(desk, command)).exit_code == 0
    desk.clock.time += timedelta(minutes=2)
    async with desk.guard() as guard:
        await guard.settle_interrupted()
        assert (await restore(guard, operation)).status == "done"
    settled = desk.journal.operation(in_doubt)
    assert settled is not None
    assert settled.done is not None
    assert not desk.journal.verify().faults
