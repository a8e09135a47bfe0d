"""`rc-mcp policy check`: whether a file is right, and what it would come to in a mailbox. It deletes nothing."""

import os
import re
import sys
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.cli.policy import check_on
from rc_mcp.emulator import Emulator
from rc_mcp.guard.policy_file import PolicyError, load_policy
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient
from tests.desk import Faults, login_to, no_waiting

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples/policy.toml"


async def check(*arguments: str | Path, **variables: str) -> tuple[int, str, str]:
    """The command: its exit code, and what it printed to stdout and to stderr."""
    ended = await anyio.run_process(
        [sys.executable, "-W", "error", "-m", "rc_mcp", "policy", "check", *map(str, arguments)],
        check=False,
        env={**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1", **variables},
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def login(emulator: Emulator, folder: Path) -> dict[str, str]:
    return login_to(emulator) | {"RC_MCP_STATE_DIR": str(folder)}


def counts(said: str, line: str) -> list[int]:
    """The numbers behind a line of a table."""
    [numbers] = re.findall(rf"^{re.escape(line)} +([\d, ]+)$", said, re.MULTILINE)
    return [int(number) for number in numbers.split()]


async def test_the_example_is_tried_on_the_demos_mailbox_without_an_account() -> None:
    code, said, errors = await check(EXAMPLE, "--demo")
    assert (code, errors) == (0, "")
    assert said.startswith(f"{EXAMPLE} is valid.\nIt is a dry run: nothing is deleted at all.\n")
    [(whole, alive)] = re.findall(r"Tried on (\d+) messages of the demo's mailbox: (\d+) Alive", said)
    for line in ("types VoiceMail, SMS", "older_than 14 days", "read_status Read", "direction Inbound"):
        assert sum(counts(said, line)) == int(alive)
    fit, unfit = counts(said, "could be deleted")
    assert 0 < fit < min(counts(said, "types VoiceMail, SMS")[0], counts(said, "older_than 14 days")[0])
    assert fit + unfit == int(alive) < int(whole)
    together = counts(said, "together")[0]
    assert together == sum(counts(said, entry)[0] for entry in ("+15035550122", "104", "Maria Costa"))
    assert "at most 50 in one call, 100 an hour, 200 a day" in said
    assert "[unattended.purge] not there, so nothing is purged unless somebody agrees" in said
    assert "[limits] over everything, max_per_plan 100, max_per_day 500" in said


async def test_each_protected_entry_says_how_many_messages_it_fits_and_one_that_fits_none_is_called_out(
    tmp_path: Path,
) -> None:
    numbers = ["+1 (503) 555-0134", "+44 (0)20 7946 0000"]
    names = ["Maria Costa", "Nobody Here"]
    (tmp_path / "policy.toml").write_text(f"[protected]\n{numbers = }\n{names = }\n")
    code, said, _ = await check(tmp_path / "policy.toml", "--demo")
    assert code == 0
    fits = {entry: counts(said, entry) for entry in (*numbers, *names)}
    assert [entry for entry, [n] in fits.items() if n == 0] == [numbers[1], names[1]]
    for entry, [n] in fits.items():
        assert (f"{entry!r} fits no message here. Check how it is written." in said) is (n == 0)


async def test_a_policy_that_allows_and_protects_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").touch()
    code, said, _ = await check(tmp_path / "policy.toml", "--demo")
    assert code == 0
    assert "[protected] nobody" in said
    assert "[unattended.delete] not there, so nothing is deleted unless somebody agrees" in said
    assert "[limits] over everything, only the 200 messages of one plan" in said


async def test_a_purge_rule_is_tried_on_deleted_messages_too(tmp_path: Path) -> None:
    rule = 'types = ["SMS"]\nolder_than = "36h"\nread_status = "Any"\nmax_per_call = 1\nmax_per_day = 2000\n'
    (tmp_path / "policy.toml").write_text(f"[unattended.purge]\n{rule}")
    code, said, _ = await check(tmp_path / "policy.toml", "--demo")
    assert code == 0
    [whole] = re.findall(r"Tried on (\d+) messages", said)
    assert sum(counts(said, "older_than 36 hours")) == sum(counts(said, "could be purged")) == int(whole)
    assert "purged without a question, at most 1 in one call, 2,000 a day" in said


async def test_every_fault_of_a_file_is_told_and_nothing_is_tried(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[limits]\nmax_per_dya = 1\nmax_per_hour = 0\n")
    code, said, errors = await check(tmp_path / "policy.toml", "--demo")
    assert (code, said) == (1, "")
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path / "policy.toml")
    assert tuple(errors.splitlines()) == caught.value.faults
    assert len(caught.value.faults) == 2


async def test_without_a_login_the_file_is_checked_all_the_same(tmp_path: Path) -> None:
    code, said, _ = await check(EXAMPLE, RC_MCP_STATE_DIR=str(tmp_path))
    assert code == 0
    assert "It was not tried on a mailbox (--demo tries it on a made-up one)." in said
    assert "RC_USER_JWT is not set" in said


async def test_it_is_tried_on_the_accounts_mailbox_and_only_reads(tmp_path: Path) -> None:
    with Emulator() as emulator:
        before = emulator.store.messages()
        async with emulator.serve():
            code, said, _ = await check(EXAMPLE, **login(emulator, tmp_path))
        assert emulator.store.messages() == before
        assert {r.method for r in emulator.requests if "oauth" not in r.path} == {"GET"}
    assert code == 0
    assert f"Tried on {len(before)} messages of your mailbox" in said


async def test_of_a_large_mailbox_it_takes_the_newest(tmp_path: Path) -> None:
    with Emulator(messages=10_100, rate_limits=False) as emulator:
        async with emulator.serve():
            code, said, _ = await check(EXAMPLE, **login(emulator, tmp_path))
    assert code == 0
    assert "Tried on the newest 10,000 messages of your mailbox" in said


async def test_a_mailbox_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with Emulator() as emulator:
        code, said, errors = await check(EXAMPLE, **login(emulator, tmp_path) | {"RC_SERVER_URL": "http://127.0.0.1:9"})
    assert code == 1
    assert "is valid" in said
    assert "The mailbox could not be read whole" in errors


async def test_what_could_be_read_of_a_mailbox_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
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
    assert "The mailbox could not be read whole" in said.err
    assert "Tried on 1,000 messages of a mailbox" in said.out
