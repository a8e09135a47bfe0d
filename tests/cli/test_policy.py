"""`rc-mcp policy check`: validates a file and shows its effect on a mailbox. It deletes nothing."""

import os
import re
import sys
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.cli.emulator import login_to
from rc_mcp.cli.policy_check import check_on
from rc_mcp.emulator import Emulator
from rc_mcp.guard.policy.policy_file import PolicyError, load_policy
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient
from tests.desk import Faults, no_waiting

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples/policy.toml"


async def check(*arguments: str | Path, **variables: str) -> tuple[int, str, str]:
    """Run the command, and return its exit code, stdout and stderr."""
    ended = await anyio.run_process(
        [sys.executable, "-W", "error", "-m", "rc_mcp", "policy", "check", *map(str, arguments)],
        check=False,
        env={**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1", **variables},
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def login(emulator: Emulator, folder: Path) -> dict[str, str]:
    return login_to(emulator) | {"RC_MCP_STATE_DIR": str(folder)}


def counts(said: str, line: str) -> list[int]:
    """Return the numbers in a row of a table."""
    [numbers] = re.findall(rf"^{re.escape(line)} +([\d, ]+)$", said, re.MULTILINE)
    return [int(number) for number in numbers.split()]


async def test_the_example_is_checked_on_the_demo_mailbox_without_an_account() -> None:
    code, said, errors = await check(EXAMPLE, "--demo")
    assert (code, errors) == (0, "")
    assert said.startswith(f"{EXAMPLE} is valid.\n")
    assert "dry run" in said
    [(whole, alive)] = re.findall(r"Checked (\d+) messages of the demo's mailbox: (\d+) Alive", said)
    for line in ("types VoiceMail, SMS", "older_than 14 days", "read_status Read", "direction Inbound"):
        assert sum(counts(said, line)) == int(alive)
    fit, unfit = counts(said, "could be deleted")
    assert 0 < fit < min(counts(said, "types VoiceMail, SMS")[0], counts(said, "older_than 14 days")[0])
    assert fit + unfit == int(alive) < int(whole)
    total = counts(said, "total")[0]
    assert total == sum(counts(said, entry)[0] for entry in ("+15035550122", "104", "Maria Costa"))
    assert "at most 50 in one call, 100 an hour, 200 a day" in said
    assert "could be purged" not in said
    assert "max_per_plan 100, max_per_day 500" in said


async def test_protected_entries_are_counted_and_those_without_a_match_are_listed(
    tmp_path: Path,
) -> None:
    numbers = ["+1 (503) 555-0134", "+44 (0)20 7946 0000"]
    names = ["Maria Costa", "No Match"]
    (tmp_path / "policy.toml").write_text(f"[protected]\n{numbers = }\n{names = }\n")
    code, said, _ = await check(tmp_path / "policy.toml", "--demo")
    assert code == 0
    fits = {entry: counts(said, entry) for entry in (*numbers, *names)}
    assert [entry for entry, [n] in fits.items() if n == 0] == [numbers[1], names[1]]
    for entry, [n] in fits.items():
        assert (f"{entry!r} " in said) is (n == 0)


async def test_an_empty_policy_allows_and_protects_nothing(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").touch()
    code, said, _ = await check(tmp_path / "policy.toml", "--demo")
    assert code == 0
    assert re.findall(r"^\[([a-z.]+)\]", said, re.MULTILINE) == [
        *["protected", "unattended.delete", "unattended.purge", "limits"]
    ]
    assert "could be" not in said
    assert " 200 " in said


async def test_a_purge_rule_is_checked_on_deleted_messages_too(tmp_path: Path) -> None:
    rule = 'types = ["SMS"]\nolder_than = "36h"\nread_status = "Any"\nmax_per_call = 1\nmax_per_day = 2000\n'
    (tmp_path / "policy.toml").write_text(f"[unattended.purge]\n{rule}")
    code, said, _ = await check(tmp_path / "policy.toml", "--demo")
    assert code == 0
    [whole] = re.findall(r"Checked (\d+) messages", said)
    assert sum(counts(said, "older_than 36 hours")) == sum(counts(said, "could be purged")) == int(whole)
    assert "at most 1 in one call, 2,000 a day" in said


async def test_every_fault_of_a_file_is_reported_and_no_mailbox_is_read(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[limits]\nmax_per_dya = 1\nmax_per_hour = 0\n")
    code, said, errors = await check(tmp_path / "policy.toml", "--demo")
    assert (code, said) == (1, "")
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path / "policy.toml")
    assert tuple(errors.splitlines()) == caught.value.faults
    assert len(caught.value.faults) == 2


async def test_without_a_login_the_file_is_still_validated(tmp_path: Path) -> None:
    code, said, _ = await check(EXAMPLE, RC_MCP_STATE_DIR=str(tmp_path))
    assert code == 0
    assert "--demo" in said
    assert "RC_USER_JWT" in said


async def test_it_only_reads_the_accounts_mailbox(tmp_path: Path) -> None:
    with Emulator() as emulator:
        before = emulator.store.messages()
        async with emulator.serve():
            code, said, _ = await check(EXAMPLE, **login(emulator, tmp_path))
        assert emulator.store.messages() == before
        assert {r.method for r in emulator.requests if "oauth" not in r.path} == {"GET"}
    assert code == 0
    assert f"Checked {len(before)} messages of your mailbox" in said


async def test_a_large_mailbox_is_sampled_by_its_newest_messages(tmp_path: Path) -> None:
    with Emulator(messages=10_100, rate_limits=False) as emulator:
        async with emulator.serve():
            code, said, _ = await check(EXAMPLE, **login(emulator, tmp_path))
    assert code == 0
    assert "Checked the newest 10,000 messages of your mailbox" in said


async def test_an_unreadable_mailbox_is_an_error(tmp_path: Path) -> None:
    with Emulator() as emulator:
        code, said, errors = await check(EXAMPLE, **login(emulator, tmp_path) | {"RC_SERVER_URL": "http://127.0.0.1:9"})
    assert code == 1
    assert said.startswith(f"{EXAMPLE} ")
    assert errors.startswith("rc-mcp: ")


async def test_a_partly_readable_mailbox_is_still_checked(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator(messages=1_100, rate_limits=False) as emulator:
        faults = Faults(emulator)
        pages: list[str] = []

        def only_the_first(request: httpx.Request) -> None:
            if request.url.path.endswith("/message-store"):
                pages.append(str(request.url))
                if len(pages) > 1:
                    raise httpx.ConnectError("gone", request=request)

        faults.before(only_the_first)
        auth = JWTAuth(emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt)
        client = MessageStoreClient(
            auth,
            server_url=emulator.server_url,
            media_url=emulator.media_url,
            transport=faults,
            time=no_waiting(),
        )
        await check_on(client, load_policy(EXAMPLE), "a mailbox")
    said = capsys.readouterr()
    assert said.err.startswith("rc-mcp: ")
    assert "Checked 1,000 messages of a mailbox" in said.out
