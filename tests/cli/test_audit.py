"""`rc-mcp audit`: operations for users and programs, and whether the journal was changed."""

import json
import sqlite3
import time
from collections.abc import Generator
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from rc_mcp.cli import main
from rc_mcp.cli.audit import CHANGED, HEAD_MISSING, NO_JOURNAL, NO_JOURNAL_WITH_HEAD, NOTHING_ASKED
from rc_mcp.guard.state.database import FILE, writing
from rc_mcp.guard.state.journal import ROWS_AN_HOUR, Event, add_note
from rc_mcp.guard.state.plans import LIFETIME
from tests.desk import DECLINE, YES, Desk, call

pytestmark = pytest.mark.anyio
DRY_RUN = """
dry_run = true
[unattended.delete]
types = ["VoiceMail", "Fax", "SMS", "Pager"]
older_than = "1h"
read_status = "{}"
max_per_call = 5
max_per_day = 5
"""


def run(desk: Desk, *arguments: str) -> Result:
    """Run the command in the server's state folder."""
    return CliRunner().invoke(main, ["audit", *arguments], env={"RC_MCP_STATE_DIR": str(desk.state_dir)})


def assert_empty(shown: Result, desk: Desk) -> None:
    """Check that one line names the state folder, and that no entry is listed."""
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("\n") == 1
    assert shown.stdout.startswith(NOTHING_ASKED)
    assert f"(state folder {desk.state_dir})" in shown.stdout


async def happen(desk: Desk) -> str:
    """Decline a delete, approve one, and have a purge refused; return the id of the approved operation."""
    targets = desk.ids(availability="Alive")[:2]
    async with desk.client(answer=DECLINE) as client:
        await call(client, "delete_message", message_id=targets)
    async with desk.client(answer=YES) as client:
        operation = (await call(client, "delete_message", message_id=targets))["operation_id"]
    async with desk.client(RC_MCP_ACCESS="delete") as client:
        await call(client, "delete_message", message_id=targets, purge=True)
    return operation


async def test_it_shows_request_approval_and_result(desk: Desk) -> None:
    operation = await happen(desk)
    shown = run(desk)
    assert shown.exit_code == 0, shown.output
    heading, declined, deleted, refused, *_ = shown.stdout.splitlines()
    assert heading.split() == [
        "when",
        f"({datetime.now().astimezone().tzname()})",
        *["operation", "request", "approved", "result"],
    ]
    assert "declined in the app" in declined
    assert all(word in deleted for word in (operation, "delete 2 messages", "in the app", "2 deleted"))
    assert "refused: level" in refused


async def test_only_the_newest_are_shown_and_it_says_so(desk: Desk) -> None:
    await happen(desk)
    newest, everything = run(desk, "--last", "1"), run(desk, "--last", "3")
    assert "refused: level" in newest.stdout
    assert "declined in the app" not in newest.stdout
    assert "--last" in newest.stdout.splitlines()[-1]
    assert "--last" not in everything.stdout
    assert everything.stdout == run(desk).stdout


async def test_a_dry_run_shows_the_request_and_whether_the_policy_allowed_it(desk: Desk) -> None:
    rules = desk.folder / "policy.toml"
    for read_status in ("Read", "Unread"):
        rules.write_text(DRY_RUN.format(read_status), "utf-8")
        async with desk.client(RC_MCP_POLICY=str(rules)) as client:
            await call(client, "delete_message", message_id=desk.ids(availability="Alive", readStatus="Read")[-2:])
    _, agreed, asked, *_ = run(desk).stdout.splitlines()
    assert all("delete 2 messages" in line and "dry run, not done" in line for line in (agreed, asked))
    assert "by the policy" in agreed
    *_, entry = desk.journal.entries()
    assert "read_status" in entry.details["against"]
    assert asked.rstrip().endswith(entry.details["against"])


async def test_json_has_every_complete_entry(desk: Desk) -> None:
    operation = await happen(desk)
    entries = [json.loads(line) for line in run(desk, "--json").stdout.splitlines()]
    assert [e["event"] for e in entries if e["operation"] == operation] == [
        "asked", "approved", "begun", "sending", "sent", "done",
    ]  # fmt: skip
    assert [e["number"] for e in entries] == list(range(1, len(entries) + 1))


@pytest.mark.parametrize("last", [1, 2, 3, 9])
async def test_json_of_the_last_has_all_entries_of_the_rows_that_the_table_shows(desk: Desk, last: int) -> None:
    await happen(desk)
    entries = [json.loads(line) for line in run(desk, "--json", "--last", str(last)).stdout.splitlines()]
    operations, notes, _ = desk.journal.latest(last)
    expected = sorted([e.number for operation in operations for e in operation.entries] + [e.number for e in notes])
    assert [e["number"] for e in entries] == expected
    assert len({e["operation"] for e in entries}) == min(last, 3)


@pytest.mark.parametrize("last", ["1", "2", "3"])
async def test_the_table_and_json_list_the_oldest_first(desk: Desk, last: str) -> None:
    await happen(desk)
    everything = run(desk).stdout.splitlines()[1:4]
    shown = run(desk, "--last", last).stdout.splitlines()[1 : 1 + int(last)]
    assert [line.split() for line in shown] == [line.split() for line in everything[-int(last) :]]
    numbers = [json.loads(line)["number"] for line in run(desk, "--json", "--last", last).stdout.splitlines()]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--json", "--last", "1"], ["verify"], ["--since", "1d"]])
def test_a_folder_that_no_server_used_is_not_created(desk: Desk, arguments: list[str]) -> None:
    assert run(desk, *arguments).exit_code == 0
    assert not desk.state_dir.exists()


def test_verify_says_that_there_is_no_journal_and_does_not_accept_a_noted_head(desk: Desk) -> None:
    assert run(desk, "verify").stdout == f"{NO_JOURNAL} (state folder {desk.state_dir}).\n"
    ended = run(desk, "verify", "0" * 64)
    assert (ended.exit_code, ended.stdout, HEAD_MISSING in ended.stderr) == (1, "", False)
    assert NO_JOURNAL_WITH_HEAD in ended.stderr
    assert not desk.state_dir.exists()


@pytest.mark.parametrize("head", ["", "abc", "0" * 63, "0" * 65, "g" * 64, "A" * 64, "٣" * 64, f"{'0' * 64}\n"])
async def test_verify_refuses_a_head_that_is_none_and_checks_nothing(desk: Desk, head: str) -> None:
    await happen(desk)
    ended = run(desk, "verify", head)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "HEAD" in ended.stderr
    assert HEAD_MISSING not in ended.stderr


def test_the_head_of_a_journal_without_entries_is_in_every_later_one(desk: Desk) -> None:
    with writing(desk.state_dir):
        pass
    empty = run(desk, "verify")
    assert empty.stdout.startswith("0 entries in ")
    head = desk.journal.verify().head
    assert head in empty.stdout
    assert run(desk, "verify", head).exit_code == 0
    desk.journal.append("stopped", operation=None, principal="", tool="stop", details={})
    assert run(desk, "verify", head).stdout.startswith("1 entry in ")
    desk.journal.append("resumed", operation=None, principal="", tool="resume", details={})
    assert run(desk, "verify", head).stdout.startswith("2 entries in ")
    assert " newest is shown" in run(desk, "--last", "1").stdout


async def test_since_limits_the_entries(desk: Desk) -> None:
    await happen(desk)
    assert run(desk, "--since", "1d").stdout.count("delete") >= 2
    assert_empty(run(desk, "--since", "2999-01-01"), desk)
    wrong = run(desk, "--since", "yesterday")
    assert wrong.exit_code == 2
    assert "--since" in wrong.stderr


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Set the machine's time zone to ten hours behind UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "HST10")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone of a process cannot be set")
@pytest.mark.usefixtures("far_from_utc")
async def test_since_without_a_zone_is_local_time_as_in_the_output(desk: Desk) -> None:
    await happen(desk)
    happened = desk.clock().astimezone().replace(tzinfo=None)
    minute = timedelta(minutes=1)
    assert "2 deleted" in run(desk, "--since", (happened - minute).isoformat()).stdout
    assert_empty(run(desk, "--since", (happened + minute).isoformat()), desk)
    assert_empty(run(desk, "--since", (desk.clock() + minute).isoformat()), desk)
    assert "2 deleted" in run(desk, "--since", "1h").stdout


def test_an_empty_journal_names_the_state_folder(desk: Desk) -> None:
    assert_empty(run(desk), desk)


async def test_an_approved_plan_is_pending_until_it_expires(desk: Desk) -> None:
    targets = desk.ids(availability="Alive")[:3]
    async with desk.client() as client:
        plans = [(await call(client, "delete_message", message_id=[t]))["plan_id"] for t in targets[:2]]
    assert desk.plans.approve(plans[0])
    until = f"{(desk.clock() + LIFETIME).astimezone():%H:%M}"
    agreed, asked = (next(line for line in run(desk).stdout.splitlines() if plan in line) for plan in plans)
    assert agreed.rstrip().endswith(f"in a terminal  approved, not yet carried out (until {until})")
    assert asked.rstrip().endswith(f"not approved, not yet carried out (until {until})")


async def test_an_expired_plan_is_not_pending(desk: Desk) -> None:
    desk.clock.time -= timedelta(minutes=11)
    targets = desk.ids(availability="Alive")[:2]
    async with desk.client() as client:
        plans = [(await call(client, "delete_message", message_id=[t]))["plan_id"] for t in targets]
    assert desk.plans.approve(plans[0])
    agreed, asked = (next(line for line in run(desk).stdout.splitlines() if plan in line) for plan in plans)
    assert agreed.rstrip().endswith("in a terminal  approved, expired, not carried out")
    assert asked.rstrip().endswith("not approved, expired, not carried out")


async def test_an_unfinished_operation_is_marked_with_its_doubtful_messages(desk: Desk) -> None:
    async with desk.guard() as guard:
        who = {"operation": "cut2-shrt", "principal": guard.principal, "tool": "delete_message"}
        guard.journal.append("asked", **who, details={"action": "delete", "severity": "reversible", "ids": ["1"]})
        guard.journal.append("begun", **who, details={"account_id": "~", "extension_id": "~"})
        guard.journal.append("sending", **who, details={"ids": ["1"], "to": "Deleted"})
    assert ": 1 in doubt" in " ".join(run(desk).stdout.split())


async def test_verify_accepts_an_unchanged_journal_and_shows_its_head(desk: Desk) -> None:
    await happen(desk)
    verified = run(desk, "verify")
    assert verified.exit_code == 0, verified.output
    head = desk.journal.verify().head
    assert head in verified.stdout
    assert run(desk, "verify", head).exit_code == 0


async def test_verify_names_a_changed_entry(desk: Desk) -> None:
    await happen(desk)
    desk.tamper("UPDATE entry SET detail = '{}' WHERE number = 2")
    verified = run(desk, "verify")
    assert verified.exit_code == 1
    [fault] = desk.journal.verify().faults
    assert verified.stderr == f"{fault}\nrc-mcp: {CHANGED}\n"


async def test_verify_with_a_noted_head_detects_a_cut_off_end(desk: Desk) -> None:
    await happen(desk)
    head = desk.journal.verify().head
    desk.tamper("DELETE FROM entry WHERE number > 3")
    assert run(desk, "verify").exit_code == 0  # as the help says
    cut_off = run(desk, "verify", head)
    assert cut_off.exit_code == 1
    assert cut_off.stderr == f"{HEAD_MISSING}\nrc-mcp: {CHANGED}\n"


async def test_a_changed_entry_breaks_neither_the_terminal_nor_the_command(desk: Desk) -> None:
    await happen(desk)
    desk.tamper("""UPDATE entry SET tool = 'x' || char(27) || '[2J' WHERE event = 'refused'""")
    assert "\x1b" not in run(desk).stdout
    tamper_again = sqlite3.connect(desk.state_dir / FILE, isolation_level=None)
    tamper_again.execute("UPDATE entry SET detail = 'no JSON' WHERE number = 1")
    tamper_again.close()
    unreadable = run(desk)
    assert unreadable.exit_code == 1
    assert "rc-mcp audit verify" in unreadable.stderr


async def test_an_entry_in_bytes_breaks_no_command_and_fails_verification(desk: Desk) -> None:
    await happen(desk)
    desk.tamper("UPDATE entry SET detail = x'00ff' WHERE number = 2")
    entries = [json.loads(line) for line in run(desk, "--json").stdout.splitlines()]
    assert entries[1]["detail"] == repr(b"\x00\xff")
    for arguments in ((), ("verify",)):
        ended = run(desk, *arguments)
        assert (ended.exit_code, isinstance(ended.exception, SystemExit)) == (1, True)
    assert run(desk, "verify").stderr.endswith(f"rc-mcp: {CHANGED}\n")


@pytest.mark.parametrize("arguments", [[], ["--json"], ["verify"]])
def test_an_unusable_state_folder_is_an_error(desk: Desk, arguments: list[str]) -> None:
    desk.state_dir.write_text("not a folder")
    ended = run(desk, *arguments)
    assert ended.exit_code == 1
    assert "state folder" in ended.stderr


async def test_repeated_refusals_are_one_line_with_a_count(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(RC_MCP_ACCESS="delete") as client:
        for _ in range(3):
            await call(client, "delete_message", message_id=[target], purge=True)
    shown = run(desk)
    assert shown.exit_code == 0, shown.output
    (refused,) = [line for line in shown.stdout.splitlines() if "refused" in line]
    assert refused.rstrip().endswith("refused: level, and 2 similar")
    (entry,) = [json.loads(line) for line in run(desk, "--json").stdout.splitlines()]
    assert entry["repeated"] == 2


async def test_entries_beyond_the_hourly_limit_are_counted_in_one_line(desk: Desk) -> None:
    desk.state_dir.mkdir()
    with writing(desk.state_dir) as db:
        events: tuple[Event, ...] = ("refused", "rehearsed")
        for event in events:
            for i in range(ROWS_AN_HOUR + 1_235):
                details = {"action": "delete", "ids": [str(i)], "reason": "protected"}
                who = {"principal": "me", "tool": "delete_message"}
                add_note(db, desk.clock(), event, operation=None, **who, details=details)
    lines = [line.rstrip() for line in run(desk).stdout.splitlines() if "similar" in line]
    assert [line.split("  ")[-1].lstrip() for line in lines] == [
        "refused: too many to list, and 1,234 similar",
        "dry run, not done (too many to list), and 1,234 similar",
    ]
