"""`rc-mcp approvals`: approval and denial outside the assistant."""

import os
import select
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from zoneinfo import ZoneInfo

import anyio
import pytest
from click.testing import CliRunner, Result
from mcp import Client

from rc_mcp.cli import main
from rc_mcp.cli.approvals import ENDED, OF_A_DEMO, UNCHANGED
from rc_mcp.cli.doctor import _state_folder  # pyright: ignore[reportPrivateUsage]
from rc_mcp.emulator import Draft, Party
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state.database import FILE
from rc_mcp.guard.state.journal import DEMO
from rc_mcp.settings import load_settings
from tests.desk import Desk, call

pytestmark = pytest.mark.anyio
on_posix = pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals need POSIX")


def run(desk: Desk, *arguments: str) -> Result:
    """Run the command in the server's state folder."""
    return CliRunner().invoke(main, ["approvals", *arguments], env={"RC_MCP_STATE_DIR": str(desk.state_dir)})


async def purge(desk: Desk, plan_id: str | None = None) -> dict[str, object]:
    """Request a purge from a client that cannot ask, and return the answer."""
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = {"plan_id": plan_id} if plan_id else {}
        return await call(client, "delete_message", message_id=[target], purge=True, **plan)


async def test_a_waiting_plan_is_listed_shown_approved_and_then_carried_out(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    assert plan in run(desk).stdout
    assert plan in run(desk, "list").stdout
    shown = run(desk, "show", plan)
    assert "Purge 1 " in shown.stdout
    assert ": PURGE 1" not in shown.stdout
    assert f"rc-mcp approvals approve {plan}\n" in shown.stdout
    assert (await purge(desk, plan))["status"] == "refused"
    approved = run(desk, "approve", plan, "--phrase", "PURGE 1")
    assert approved.exit_code == 0
    assert "Purged" not in {desk.availability(i) for i in desk.ids()}
    assert (await purge(desk, plan))["status"] == "done"


async def test_a_plan_of_a_demo_is_marked_as_one(desk: Desk) -> None:
    real = str((await purge(desk))["plan_id"])
    async with Client(desk.server(principal=f"{DEMO}1")) as client:
        asked = await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:2], purge=True)
    demo = str(asked["plan_id"])
    for shown in (run(desk, "list").stdout, run(desk, "show", real).stdout + run(desk, "show", demo).stdout):
        assert shown.count("(demo)") == 1
    assert "(demo)" in run(desk, "show", demo).stdout
    settings = load_settings(RC_MCP_STATE_DIR=str(desk.state_dir))
    assert ", 1 plan awaiting approval (and 1 of demos" in _state_folder(settings).what
    assert OF_A_DEMO in run(desk, "list").stdout
    assert OF_A_DEMO in run(desk, "approve", demo, "--phrase", "PURGE 2").stdout
    assert OF_A_DEMO not in run(desk, "approve", real, "--phrase", "PURGE 1").stdout


async def test_control_characters_in_a_changed_file_do_not_reach_the_terminal(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    with closing(sqlite3.connect(desk.state_dir / FILE)) as file, file:
        changed = file.execute("UPDATE plan SET body = replace(body, 'Purge 1', '\\u001b[2JPurge 1')").rowcount
    assert changed == 1
    for shown in (run(desk), run(desk, "show", plan), run(desk, "approve", plan)):
        assert "[2JPurge 1 " in shown.stdout
        assert "\x1b" not in shown.stdout


async def test_a_character_that_the_terminal_lacks_is_replaced(desk: Desk) -> None:
    target = desk.emulator.store.add(Draft(type="SMS", sender=Party(name="Zoë", phone_number="+15035550199")))["id"]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[str(target)], purge=True))["plan_id"]
    environment = {**os.environ, "RC_MCP_STATE_DIR": str(desk.state_dir), "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "rc_mcp", "approvals", "approve", plan, "--phrase", "PURGE 1"]
    ended = await anyio.run_process(command, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "?Zoë ".encode("latin-1") in ended.stdout  # Latin-1 lacks this quotation mark


async def test_a_denied_plan_is_not_carried_out(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    assert run(desk, "deny", plan).exit_code == 0
    assert "rc-mcp approvals approve" not in run(desk, "show", plan).stdout
    assert run(desk, "approve", plan, "--phrase", "PURGE 1").exit_code == 1
    assert (await purge(desk, plan))["status"] == "refused"
    assert "Purged" not in {desk.availability(i) for i in desk.ids()}


async def test_a_plan_can_only_be_approved_once(desk: Desk) -> None:
    plan = str((await purge(desk))["plan_id"])
    assert run(desk, "approve", plan, "--phrase", "PURGE 1").exit_code == 0
    again = run(desk, "approve", plan, "--phrase", "PURGE 1")
    assert (again.exit_code, again.stdout, ENDED["approved"] in again.stderr) == (1, "", True)


@pytest.mark.parametrize("command", ["approve", "deny", "show"])
@pytest.mark.parametrize("end", ["denied", "used", "expired", "approved and expired", "used and expired"])
async def test_a_plan_that_ended_says_how_before_any_question(desk: Desk, command: str, end: str) -> None:
    if end.endswith("expired"):
        desk.clock.time -= timedelta(minutes=11)
    target = desk.ids(availability="Alive")[:1]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=target))["plan_id"]
        if end.startswith("used"):
            assert (await call(client, "delete_message", message_id=target, plan_id=plan))["status"] == "done"
    if end == "denied":
        assert desk.plans.deny(plan)
    if end.startswith("approved"):
        assert desk.plans.approve(plan)
    before = desk.journal.verify()
    ended = run(desk, command, plan)
    assert desk.journal.verify() == before
    if command == "show" and not end.endswith("expired"):
        assert (ended.exit_code, ended.stderr) == (0, "")
        return
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert (
        ended.stderr
        == f"Plan {plan} {ENDED[end.split()[0] if end.startswith('used') else end.split()[-1]]}. {UNCHANGED}\n"
    )


@on_posix
async def test_a_plan_that_is_denied_while_the_terminal_asks_says_so(desk: Desk) -> None:
    plan = await delete(desk)
    code, shown = in_a_terminal(desk, plan, "yes\n", lambda: desk.plans.deny(plan))
    assert (code, state(desk, plan)) == (1, "denied")
    assert shown.endswith(f"Plan {plan} {ENDED['denied']}. {UNCHANGED}\n")


def in_a_terminal(desk: Desk, plan: str, answer: str, during: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """Run `approvals approve` in a terminal and type `answer` when asked; return exit code and output."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "RC_MCP_STATE_DIR": str(desk.state_dir)}
    command = [sys.executable, "-P", "-m", "rc_mcp", "approvals", "approve", plan]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = ""
        while select.select([ours], [], [], 60)[0]:
            try:
                read = os.read(ours, 4096).decode()
            except OSError:  # Linux: the other end was closed
                break
            if not read:
                break
            shown += read
            if answer and shown.endswith(("[y/N]: ", "PURGE 1: ")):
                during()
                os.write(ours, answer.encode())
                answer = ""
        code = process.wait(60)
    os.close(ours)
    return code, shown.replace("\r", "")


def state(desk: Desk, plan: str) -> str | None:
    found = desk.plans.get(plan)
    return found[1] if found else None


async def delete(desk: Desk) -> str:
    """Request a delete from a client that cannot ask, and return the plan's id."""
    async with desk.client() as client:
        answer = await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:1])
    return str(answer["plan_id"])


@on_posix
@pytest.mark.parametrize("kind", ["delete", "purge"])
async def test_the_terminal_shows_first_then_asks_and_only_then_approves(desk: Desk, kind: str) -> None:
    plan = await delete(desk) if kind == "delete" else str((await purge(desk))["plan_id"])
    states: list[str | None] = []
    answer = "y\n" if kind == "delete" else "PURGE 1\n"
    code, shown = in_a_terminal(desk, plan, answer, lambda: states.append(state(desk, plan)))
    assert code == 0, shown
    assert states == ["open"]
    assert state(desk, plan) == "approved"
    question = " [y/N]: " if kind == "delete" else " PURGE 1: "
    assert 0 < shown.index("1 message") < shown.index(question) < shown.rindex(plan)


@on_posix
@pytest.mark.parametrize("answer", ["\n", "n\n", "PURGE 1\nn\n", "\x04"])
async def test_only_y_in_the_terminal_approves_a_delete(desk: Desk, answer: str) -> None:
    plan = await delete(desk)
    code, shown = in_a_terminal(desk, plan, answer)
    assert (code, state(desk, plan)) == (1, "open")
    assert shown.endswith(f"Plan {plan} was not approved. {NOTHING_DONE}\n")


@on_posix
@pytest.mark.parametrize("answer", ["\n", "y\n", "yes\n", "purge 1\n", "PURGE 2\n", "PURGE 1 \u0430\n", "\x04"])
async def test_a_wrong_phrase_in_the_terminal_approves_no_purge(desk: Desk, answer: str) -> None:
    plan = str((await purge(desk))["plan_id"])
    code, shown = in_a_terminal(desk, plan, answer)
    assert (code, state(desk, plan)) == (1, "open")
    assert shown.endswith(f"Plan {plan} was not approved. {NOTHING_DONE}\n")


@on_posix
@pytest.mark.parametrize("change", ["replace(body, 'Purge 1', 'Purge 9')", "replace(body, 'PURGE 1', 'PURGE 9')"])
async def test_an_answer_counts_only_for_the_plan_that_was_shown(desk: Desk, change: str) -> None:
    plan = str((await purge(desk))["plan_id"])

    def changes() -> None:
        with closing(sqlite3.connect(desk.state_dir / FILE)) as file, file:
            assert file.execute(f"UPDATE plan SET body = {change}").rowcount == 1  # noqa: S608

    code, shown = in_a_terminal(desk, plan, "PURGE 1\n", changes)
    assert (code, state(desk, plan)) == (1, "open")
    assert UNCHANGED in shown


@pytest.mark.parametrize(
    "words", [[], ["--yes"], ["--phrase", "PURGE 2"], ["--phrase", ""], ["--yes", "--phrase", "y"]]
)
async def test_without_a_terminal_a_purge_needs_its_phrase(desk: Desk, words: list[str]) -> None:
    plan = str((await purge(desk))["plan_id"])
    ended = run(desk, "approve", plan, *words)
    assert (ended.exit_code, state(desk, plan)) == (1, "open")
    assert "Purge 1 " in ended.stdout
    assert ended.stderr.endswith(f"Plan {plan} was not approved. {NOTHING_DONE}\n")
    assert "PURGE 1" in ended.stderr
    assert run(desk, "approve", plan, "--phrase", "PURGE 1").exit_code == 0
    assert (await purge(desk, plan))["status"] == "done"


@pytest.mark.parametrize("words", [[], ["--phrase", "yes"], ["--yes", "--phrase", "PURGE 1"]])
async def test_without_a_terminal_a_delete_needs_the_yes_option(desk: Desk, words: list[str]) -> None:
    plan = await delete(desk)
    ended = run(desk, "approve", plan, *words)
    assert (ended.exit_code, state(desk, plan)) == (1, "open")
    assert ended.stderr.endswith(f"Plan {plan} was not approved. {NOTHING_DONE}\n")
    assert "--yes" in ended.stderr
    assert run(desk, "approve", plan, "--yes").exit_code == 0
    assert state(desk, plan) == "approved"


async def test_a_plan_shows_its_expiry_in_the_users_time_zone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await delete(desk)
    monkeypatch.setenv("RC_MCP_TIMEZONE", "Asia/Kolkata")
    [waiting] = desk.plans.waiting()
    until = f"until {waiting.expires.astimezone(ZoneInfo('Asia/Kolkata')):%H:%M:%S} IST"
    assert until in run(desk, "list").stdout
    assert until in run(desk, "show", plan).stdout


@pytest.mark.parametrize("command", ["show", "approve", "deny"])
def test_an_unknown_plan_is_an_error(desk: Desk, command: str) -> None:
    ended = run(desk, command, "none-such")
    assert ended.exit_code == 1
    assert "'none-such'" in ended.stderr
    assert str(desk.state_dir) in ended.stderr
    assert ended.stderr.endswith(f"{NOTHING_DONE}\n")
    assert not desk.state_dir.exists()


def test_without_plans_the_list_is_one_line_that_names_the_state_folder(desk: Desk) -> None:
    assert (run(desk).exit_code, run(desk).stdout.count("\n")) == (0, 1)
    assert str(desk.state_dir) in run(desk).stdout
    assert not desk.state_dir.exists()


async def test_only_the_owner_can_read_stored_plans(desk: Desk) -> None:
    await purge(desk)
    assert desk.state_dir.stat().st_mode & 0o077 == 0
    assert all(f.stat().st_mode & 0o077 == 0 for f in desk.state_dir.iterdir())
