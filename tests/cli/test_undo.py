"""`rc-mcp undo`, `rc-mcp stop` and `rc-mcp resume`: a person's hand on it, from outside of the assistant."""

import os
import subprocess
import sys

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from rc_mcp.guard.alone import alone
from rc_mcp.guard.journal import DEMO
from rc_mcp.guard.undo import NOTHING_RESTORED
from tests.desk import YES, Desk, call, login_to

pytestmark = pytest.mark.anyio


async def rc_mcp(desk: Desk, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """The command as a person types it, with the credentials in the environment."""
    login = login_to(desk.emulator) | {"RC_MCP_STATE_DIR": str(desk.state_dir)}
    command = [sys.executable, "-m", "rc_mcp", *arguments]
    with anyio.fail_after(120):
        return await anyio.run_process(command, check=False, env={**os.environ, **login, **variables})


async def deleted(desk: Desk, *ids: str) -> str:
    async with desk.client(answer=YES) as client:
        return (await call(client, "delete_message", message_id=list(ids)))["operation_id"]


async def test_undo_restores_and_says_so(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")[:2]
    async with desk.emulator.serve():
        operation = await deleted(desk, *targets)
        ended = await rc_mcp(desk, "undo", operation)
    assert ended.returncode == 0, ended.stderr
    assert "2  restored, and read back" in ended.stdout.decode()
    assert all(t in ended.stdout.decode() for t in targets)
    assert [desk.availability(t) for t in targets] == ["Alive"] * 2


async def test_what_is_not_back_is_named_and_fails_the_command(desk: Desk) -> None:
    purged, restored = desk.ids(availability="Alive")[:2]
    async with desk.emulator.serve():
        operation = await deleted(desk, purged, restored)
        async with desk.guard() as guard:
            await guard.client.delete_message(purged, purge=True)
        ended = await rc_mcp(desk, "undo", operation)
    assert ended.returncode == 1
    assert f"purged meanwhile: final  {purged}" in ended.stdout.decode()
    assert "Not all of it is back" in ended.stderr.decode()


async def test_undo_does_not_say_that_messages_are_gone_when_the_gateway_answers_for_them(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.emulator.serve():
        operation = await deleted(desk, target)
        desk.emulator.faults.inject("gateway", operation="readMessage", times=None)
        ended = await rc_mcp(desk, "undo", operation)
        desk.emulator.faults.clear()
        again = await rc_mcp(desk, "undo", operation)
    said = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 1
    assert f"not known yet: run this again in a minute  {target}" in said
    assert "gone" not in said
    assert again.returncode == 0, again.stderr


async def test_undo_of_nothing_and_without_a_login_are_errors_in_words(desk: Desk) -> None:
    async with desk.emulator.serve():
        unknown = await rc_mcp(desk, "undo", "none-such")
        operation = await deleted(desk, desk.ids(availability="Alive")[0])
        no_login = await rc_mcp(desk, "undo", operation, RC_USER_JWT="")
    unreachable = await rc_mcp(desk, "undo", operation, RC_SERVER_URL="http://127.0.0.1:9")
    assert (unknown.returncode, no_login.returncode, unreachable.returncode) == (1, 2, 1)
    assert b"'none-such'" in unknown.stderr
    assert b"RC_USER_JWT" in no_login.stderr
    assert unreachable.stderr.endswith(f"{NOTHING_RESTORED}\n".encode())


async def test_what_cannot_be_undone_is_said_before_a_login_is_asked_for(desk: Desk) -> None:
    async with desk.guard() as guard:
        who = {"operation": "demo-oper", "principal": f"{DEMO}1", "tool": "delete_message"}
        guard.journal.append("begun", **who, details={"account_id": "~", "extension_id": "~"})
    ended = await rc_mcp(desk, "undo", "demo-oper", RC_USER_JWT="")
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"'demo-oper' ")
    assert b"demo," in ended.stderr


async def test_a_journal_that_somebody_changed_is_an_error_in_words(desk: Desk) -> None:
    async with desk.guard() as guard:
        who = {"operation": "with-none", "principal": guard.principal, "tool": "delete_message"}
        guard.journal.append("sending", **who, details={"ids": ["1"], "to": "Deleted"})
        guard.journal.append("sending", **{**who, "operation": "odd1-oddd"}, details={"ids": 1})
    async with desk.emulator.serve():
        for operation in ("with-none", "odd1-oddd"):
            ended = await rc_mcp(desk, "undo", operation)
            assert (ended.returncode, b"Traceback" in ended.stderr) == (1, False)
            assert ended.stderr.endswith(f"{NOTHING_RESTORED}\n".encode())


async def test_no_other_setting_keeps_a_stop_from_stopping(desk: Desk) -> None:
    wrong = {"RC_MCP_ACCESS": "all", "RC_MCP_HTTP_TOKEN": "short", "RC_MCP_TIMEZONE": "Mars/Olympus"}
    stopped = await rc_mcp(desk, "stop", **wrong)
    assert (stopped.returncode, stopped.stderr) == (0, b"")
    assert str(desk.state_dir) in stopped.stdout.decode()
    assert (desk.state_dir / "STOP").exists()
    assert (await rc_mcp(desk, "audit", **wrong)).returncode == 0
    assert (await rc_mcp(desk, "approvals", **wrong)).returncode == 0
    assert (await rc_mcp(desk, "resume", **wrong)).stdout.startswith(b"Resumed.")


async def test_stop_ends_all_deleting_until_resume(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    stopped = await rc_mcp(desk, "stop")
    assert stopped.returncode == 0
    assert b"Nothing is under way" in stopped.stdout
    async with desk.client(answer=YES) as client:
        assert (await call(client, "delete_message", message_id=[target]))["status"] == "refused"
        resumed = await rc_mcp(desk, "resume")
        assert resumed.stdout.startswith(b"Resumed.")
        assert (await call(client, "delete_message", message_id=[target]))["status"] == "done"
    assert b"not stopped" in (await rc_mcp(desk, "resume")).stdout


@pytest.mark.parametrize("kind", ["a link to nothing", "a link to itself", "a folder"])
async def test_a_stop_of_another_kind_is_a_stop_that_is_kept_and_taken_away(desk: Desk, kind: str) -> None:
    desk.state_dir.mkdir()
    stop = desk.state_dir / "STOP"
    if kind == "a folder":
        stop.mkdir()
    else:
        stop.symlink_to(stop if kind == "a link to itself" else desk.state_dir / "nowhere")
    stopped = await rc_mcp(desk, "stop")
    assert (stopped.returncode, stopped.stdout.startswith(b"Stopped:")) == (0, True)
    assert stop.is_symlink() or stop.is_dir()
    assert not (desk.state_dir / "nowhere").exists()
    assert (await rc_mcp(desk, "resume")).stdout.startswith(b"Resumed.")
    assert list(desk.state_dir.glob("STOP")) == []


async def test_a_stop_that_cannot_be_taken_away_stays(desk: Desk) -> None:
    (desk.state_dir / "STOP" / "full").mkdir(parents=True)
    resumed = await rc_mcp(desk, "resume")
    assert (resumed.returncode, resumed.stderr.startswith(b"Still stopped:")) == (1, True)


async def test_stop_waits_for_what_is_under_way(desk: Desk) -> None:
    desk.state_dir.mkdir()
    environment = {**os.environ, "RC_MCP_STATE_DIR": str(desk.state_dir)}
    with anyio.fail_after(120):
        async with alone(desk.state_dir):
            command = [sys.executable, "-m", "rc_mcp", "stop"]
            process = await anyio.open_process(command, env=environment, stderr=subprocess.DEVNULL)
            assert process.stdout is not None
            said = BufferedByteReceiveStream(process.stdout)
            await said.receive_until(b"Waiting for a change that is under way", 1000)
            assert (desk.state_dir / "STOP").exists()
        await said.receive_until(b"Nothing is under way", 1000)
        await process.aclose()


async def test_a_stop_that_cannot_be_set_is_no_stop_and_says_so(desk: Desk) -> None:
    desk.state_dir.write_text("not a folder")
    ended = await rc_mcp(desk, "stop")
    assert ended.returncode == 1
    assert b"NOT stopped" in ended.stderr
    assert (await rc_mcp(desk, "resume")).returncode == 1


async def test_a_stop_stands_where_it_cannot_be_told_what_is_under_way(desk: Desk) -> None:
    (desk.state_dir / "changing.lock").mkdir(parents=True)
    ended = await rc_mcp(desk, "stop")
    assert (ended.returncode, b"Traceback" in ended.stderr) == (0, False)
    assert ended.stdout.startswith(b"Stopped:")
    assert b"cannot be told" in ended.stderr
    assert (desk.state_dir / "STOP").exists()
