"""`rc-mcp approvals`: a person's yes and no outside of the assistant."""

import os
import sqlite3
import sys
from contextlib import closing

import anyio
import pytest
from click.testing import CliRunner, Result

from rc_mcp.cli import main
from rc_mcp.emulator import Draft, Party
from rc_mcp.guard.database import FILE
from tests.desk import Desk, call

pytestmark = pytest.mark.anyio


def run(desk: Desk, *arguments: str) -> Result:
    """The command, in the same state folder as the server."""
    return CliRunner().invoke(main, ["approvals", *arguments], env={"RC_MCP_STATE_DIR": str(desk.state_dir)})


async def purge(desk: Desk, plan_id: str | None = None) -> dict[str, object]:
    """What a client that cannot ask gets for a purge."""
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = {"plan_id": plan_id} if plan_id else {}
        return await call(client, "delete_message", message_id=[target], purge=True, **plan)


async def test_a_waiting_plan_is_listed_shown_approved_and_then_carried_out(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    assert plan in run(desk).stdout
    assert plan in run(desk, "list").stdout
    shown = run(desk, "show", plan)
    assert "Purge 1 message for good?" in shown.stdout
    assert "To agree, type" not in shown.stdout
    assert f"To agree: rc-mcp approvals approve {plan}" in shown.stdout
    assert (await purge(desk, plan))["status"] == "refused"
    approved = run(desk, "approve", plan)
    assert approved.exit_code == 0
    assert "Nothing has been done yet" in approved.stdout
    assert (await purge(desk, plan))["status"] == "done"


async def test_what_somebody_put_into_the_file_does_not_reach_the_terminal_as_it_is(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    with closing(sqlite3.connect(desk.state_dir / FILE)) as file, file:
        changed = file.execute("UPDATE plan SET body = replace(body, 'Purge 1', '\\u001b[2JPurge 1')").rowcount
    assert changed == 1
    for shown in (run(desk), run(desk, "show", plan), run(desk, "approve", plan)):
        assert "[2JPurge 1 message for good?" in shown.stdout
        assert "\x1b" not in shown.stdout


async def test_a_terminal_that_lacks_a_letter_shows_the_rest(desk: Desk) -> None:
    target = desk.emulator.store.add(Draft(type="SMS", sender=Party(name="Zoë", phone_number="+15035550199")))["id"]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[str(target)], purge=True))["plan_id"]
    environment = {**os.environ, "RC_MCP_STATE_DIR": str(desk.state_dir), "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "rc_mcp", "approvals", "approve", plan]
    ended = await anyio.run_process(command, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "?Zoë ".encode("latin-1") in ended.stdout  # which has no such quotation mark
    assert b"Approved" in ended.stdout


async def test_a_denied_plan_is_not_carried_out(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    assert run(desk, "deny", plan).exit_code == 0
    assert "To agree" not in run(desk, "show", plan).stdout
    assert run(desk, "approve", plan).exit_code == 1
    assert (await purge(desk, plan))["status"] == "refused"
    assert "Purged" not in {desk.availability(i) for i in desk.ids()}


async def test_a_plan_is_approved_once(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    assert run(desk, "approve", plan).exit_code == 0
    assert run(desk, "approve", plan).exit_code == 1


@pytest.mark.parametrize("command", ["show", "approve", "deny"])
def test_an_unknown_plan_is_an_error(desk: Desk, command: str) -> None:
    ended = run(desk, command, "none-such")
    assert ended.exit_code == 1
    assert "no plan" in ended.stderr


def test_without_plans_the_list_says_so(desk: Desk) -> None:
    assert run(desk).stdout == "No plan waits for an answer.\n"


async def test_plans_name_people_so_only_their_owner_can_read_them(desk: Desk) -> None:
    await purge(desk)
    assert desk.state_dir.stat().st_mode & 0o077 == 0
    assert all(f.stat().st_mode & 0o077 == 0 for f in desk.state_dir.iterdir())
