"""`rc-mcp doctor`: each fault and its remedy."""

import os
import shlex
import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from click.testing import CliRunner

from rc_mcp.cli import main
from rc_mcp.cli.doctor import BETTER_MODELS, READY, STOPPED, _state_folder  # pyright: ignore[reportPrivateUsage]
from rc_mcp.cli.emulator import login_to
from rc_mcp.emulator import Emulator
from rc_mcp.guard.state.database import FILE, VERSION
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Journal
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.settings import SettingsError, load_settings
from rc_mcp.views.other_stores import QUEUE_TEXTS
from rc_mcp.wiring import client_for
from tests.desk import Desk, Faults, call
from tests.speech import MODEL, site_packages, write_model

pytestmark = pytest.mark.anyio


WITHOUT_OCR = str(Path(__file__).parent / "without_ocr")
"""To try OCR takes longer than all the rest, so it can only be loaded where a test is about it."""


async def doctor(emulator: Emulator, state_dir: Path, **variables: str) -> tuple[int, str]:
    """Run the command, configured for this emulator, and return its exit code and output."""
    login = {
        "RC_SERVER_URL": emulator.server_url,
        "RC_MEDIA_URL": emulator.media_url,
        "RC_APP_CLIENT_ID": emulator.client_id,
        "RC_APP_CLIENT_SECRET": emulator.client_secret,
        "RC_USER_JWT": emulator.jwt,
        "RC_MCP_STATE_DIR": str(state_dir),
    }
    environment = {**os.environ, **login, "PYTHONPATH": WITHOUT_OCR, **variables}
    ended = await anyio.run_process([sys.executable, "-m", "rc_mcp", "doctor"], check=False, env=environment)
    return ended.returncode, (ended.stdout + ended.stderr).decode()


async def test_a_working_installation_has_no_fault(tmp_path: Path) -> None:
    with Emulator() as emulator:
        before = emulator.store.messages()
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path, PYTHONPATH="")
        assert emulator.store.messages() == before
    assert code == 0, said
    assert "fault" not in said
    assert QUEUE_TEXTS in said
    assert said.endswith(f"{READY}\n")


async def test_doctor_says_which_credentials_are_from_a_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Emulator() as emulator:
        async with emulator.serve():
            _, without = await doctor(emulator, tmp_path / "state")
            login = {
                "RC_APP_CLIENT_ID": emulator.client_id,
                "RC_APP_CLIENT_SECRET": emulator.client_secret,
                "RC_USER_JWT": emulator.jwt,
            }
            (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in login.items()))
            code, said = await doctor(emulator, tmp_path / "state", **dict.fromkeys(login, ""))
    assert code == 0, said
    assert f"From .env in this folder: {', '.join(login)}." in said
    assert "From .env" not in without


@pytest.mark.parametrize(
    ("here", "named", "not_named"),
    [
        ({}, {"RC_APP_CLIENT_ID", "get-credentials.md", "rc-mcp demo", "install HOST --demo"}, {"rc-mcp serve"}),
        ({"RC_APP_CLIENT_ID": "app"}, {"rc-mcp login"}, {"RC_APP_CLIENT_SECRET", "--demo"}),
        ({"RC_USER_JWT": "jwt"}, {"RC_APP_CLIENT_ID"}, {"RC_USER_JWT is not set"}),
    ],
)
def test_missing_credentials_are_reported_with_the_next_step(
    here: dict[str, str], named: set[str], not_named: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(SettingsError) as missing:
        client_for(load_settings())
    said = str(missing.value)
    assert {word for word in named if word not in said} == set()
    assert {word for word in not_named if word in said} == set()


@pytest.mark.parametrize(("count", "noun"), [(0, "0 plans "), (1, "1 plan "), (2, "2 plans ")])
async def test_the_waiting_plans_are_counted(count: int, noun: str, desk: Desk) -> None:
    async with desk.client() as client:
        await call(client, "list_messages")
        for message_id in desk.ids(availability="Alive")[:count]:
            await call(client, "delete_message", message_id=[message_id], purge=True)
    PlanStore(desk.state).waiting()  # creates the folder
    assert f", {noun}" in _state_folder(load_settings(RC_MCP_STATE_DIR=str(desk.state_dir))).what


async def test_it_creates_no_state_folder(tmp_path: Path) -> None:
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path / "of" / "state")
    assert code == 0, said
    assert f"state folder {tmp_path / 'of' / 'state'}, " in said
    assert not (tmp_path / "of").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that its owner cannot write to")
async def test_a_place_where_no_state_folder_can_be_created_is_a_fault(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, closed / "state")
    assert code == 1
    assert f"fault state folder {closed / 'state'}: {closed} " in said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes no new folder")
async def test_a_place_that_takes_no_folder_in_spite_of_its_permissions_is_a_fault() -> None:
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, Path("/proc/nothing"))
    assert code == 1
    assert "fault state folder /proc/nothing: /proc " in said


async def test_a_changed_journal_is_a_fault_with_its_first_entry(tmp_path: Path) -> None:
    journal = Journal(Folder(tmp_path))
    for n in range(3):
        journal.append("refused", operation=None, principal="me", tool="delete_message", details={"n": n})
    with Emulator() as emulator:
        async with emulator.serve():
            sound = await doctor(emulator, tmp_path)
            with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
                db.execute("DROP TRIGGER entry_stays")
                db.execute("UPDATE entry SET detail = '{}' WHERE number = 2")
            code, said = await doctor(emulator, tmp_path)
    assert sound[0] == 0, sound[1]
    assert code == 1
    assert f"fault state folder {tmp_path}: " in said
    assert journal.verify().faults[0] in said


async def test_a_broken_policy_is_a_fault_and_a_dry_run_is_noted(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    with Emulator() as emulator:
        async with emulator.serve():
            for text, verdict, named in (
                ("[limits]\nmax = 1\n", "fault policy", "line 2"),
                ("dry_run = true\n", "note  policy", "dry run"),
                ("", "ok    policy", "rc-mcp policy check"),
            ):
                policy.write_text(text)
                code, said = await doctor(emulator, tmp_path / "state", RC_MCP_POLICY=str(policy))
                assert code == (1 if verdict.startswith("fault") else 0)
                assert verdict in said
                assert named in said


async def test_an_address_book_that_cannot_be_read_is_a_fault_and_entries_left_out_are_noted(tmp_path: Path) -> None:
    book = tmp_path / "contacts.csv"
    with Emulator() as emulator:
        async with emulator.serve():
            for text, verdict, named in (
                ('Name,Phone\nA,1\n"Canary,2\n', "fault contacts", "line 3"),
                ("Name,Phone\nA,1\nCanary,2,3\n", "note  contacts", "line 3"),
                ("Name,Phone\nA,1\nB,2\n", "ok    contacts", "2 contacts"),
            ):
                book.write_text(text)
                code, said = await doctor(emulator, tmp_path / "state", RC_MCP_CONTACTS=str(book))
                assert code == (1 if verdict.startswith("fault") else 0)
                assert verdict in said
                assert named in said
                assert "Canary" not in said


async def test_a_key_that_does_not_fit_the_local_copy_is_a_fault(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Emulator() as emulator:
        async with emulator.serve():
            for key, verdict, code in (("a" * 16, "ok   ", 0), ("canary", "fault", 1), ("b" * 16, "fault", 1)):
                command = shlex.join([sys.executable, "-c", f"print({key!r})"])
                ended, said = await doctor(emulator, state, RC_MCP_MIRROR_KEY_COMMAND=command)
                assert (ended, f"{verdict} encryption" in said) == (code, True)
                assert key not in said
                if key == "a" * 16:
                    assert not (state / "mirror.db").exists()  # it changes nothing
                    Mirror(state, key).close()


async def test_a_wrong_jwt_is_a_fault_with_the_variables_to_check(tmp_path: Path) -> None:
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path, RC_USER_JWT="worn-out-secret")
    assert code == 1
    assert "fault login" in said
    assert "RC_USER_JWT" in said
    assert "worn-out-secret" not in said


async def test_missing_permissions_are_named(tmp_path: Path) -> None:
    with Emulator(permissions=["ReadMessages"]) as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path)
    assert code == 0, said
    editing = "update_message, patch_message, delete_message, delete_message_by_filter"
    assert f": {editing}\n" in said
    retention = "read_message_store_configuration, update_message_store_configuration"
    assert f": {retention}\n" in said
    assert said.count("EditMessages") == said.count("EditAccounts") == 2


@pytest.mark.parametrize(
    ("method", "found", "permission"),
    [("PUT", "note  no changes of messages: ", "EditMessages"), ("GET", "fault reading: ", "ReadMessages")],
)
def test_a_plan_without_the_feature_is_not_reported_as_a_missing_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, found: str, permission: str
) -> None:
    with Emulator() as emulator:
        faults = Faults(emulator)
        plan = httpx.Response(403, json={"errorCode": "BIL-101"})
        faults.before(lambda request: plan if request.method == method else None)
        monkeypatch.setattr("rc_mcp.cli.doctor.has_ocr", lambda: False)  # that would start a process
        monkeypatch.setattr("rc_mcp.cli.doctor.client_for", partial(client_for, transport=faults))
        variables = {**login_to(emulator), "RC_MCP_STATE_DIR": str(tmp_path)}
        said = CliRunner().invoke(main, ["doctor"], env=variables).output
    assert found in said
    assert "BIL-101" in said
    assert permission not in said


async def test_a_404_of_the_gateway_does_not_count_as_permission(tmp_path: Path) -> None:
    with Emulator() as emulator:
        async with emulator.serve():
            emulator.faults.inject("gateway", operation="updateMessage", times=None)
            changing = await doctor(emulator, tmp_path)
            emulator.faults.inject("gateway", operation="listMessages", times=None)
            reading = await doctor(emulator, tmp_path)
    assert changing[0] == 0, changing[1]
    assert "note  permission to change" in changing[1]
    assert "ok    permission to change" not in changing[1]
    assert " 404 AGW-404" in changing[1]
    assert reading[0] == 1
    assert "fault reading: " in reading[1]
    assert " 404 AGW-404" in reading[1]


async def test_a_permission_that_the_level_does_not_need_is_not_reported(tmp_path: Path) -> None:
    with Emulator(permissions=["ReadMessages", "EditAccounts"]) as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path, RC_MCP_ACCESS="read")
    assert code == 0, said
    assert "EditMessages" not in said


async def test_a_stop_is_noted_with_the_command_that_ends_it(tmp_path: Path) -> None:
    (tmp_path / "STOP").touch()
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path)
    assert code == 0, said
    assert said.splitlines()[-1] == STOPPED
    assert READY not in said


async def test_a_stop_that_is_a_broken_link_is_noted_too(tmp_path: Path) -> None:
    (tmp_path / "STOP").symlink_to(tmp_path / "nowhere")
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path)
    assert code == 0, said
    assert said.splitlines()[-1] == STOPPED
    assert READY not in said


async def test_no_advice_gives_up_a_journal(tmp_path: Path) -> None:
    file = tmp_path / FILE
    with Emulator() as emulator:
        async with emulator.serve():
            for spoil in ("newer", "damaged", "a link to nothing"):
                file.unlink(missing_ok=True)
                if spoil == "newer":
                    with closing(sqlite3.connect(file)) as db:
                        db.execute(f"PRAGMA user_version = {VERSION + 1}")
                elif spoil == "damaged":
                    file.write_bytes(b"spoiled" * 1000)
                else:
                    file.symlink_to(tmp_path / "not mounted")
                code, said = await doctor(emulator, tmp_path)
                assert (code, "fault state folder" in said) == (1, True), said
                assert ("Upgrade" in said) == (spoil == "newer")
                assert "rc-mcp undo" in said
                assert "RC_MCP_STATE_DIR" not in said


async def test_ocr_that_cannot_be_loaded_is_noted_with_the_missing_library(tmp_path: Path) -> None:
    with Emulator() as emulator:
        async with emulator.serve():
            sound = await doctor(emulator, tmp_path / "state", PYTHONPATH="")
            broken = await doctor(emulator, tmp_path / "state")
    assert "ok    OCR" in sound[1]
    assert broken[0] == 0
    assert "note  OCR" in broken[1]
    assert "libGL.so.1" in broken[1]


async def test_a_model_that_transcribes_is_tried_and_described(tmp_path: Path) -> None:
    engine = {"RC_MCP_TRANSCRIBE": "missing", "PYTHONPATH": f"{WITHOUT_OCR}{os.pathsep}{site_packages()}"}
    with Emulator() as emulator:
        async with emulator.serve():
            sound = await doctor(emulator, tmp_path / "state", **engine, RC_MCP_TRANSCRIBE_MODEL=MODEL)
            absent = await doctor(emulator, tmp_path / "state", **engine, RC_MCP_TRANSCRIBE_MODEL="no-such-model")
    assert sound[0] == 0, sound[1]
    assert f"ok    transcription: {MODEL} 0.1.0, 78 MB, which knows only English" in sound[1]
    assert BETTER_MODELS in sound[1]
    assert absent[0] == 1
    assert "fault transcription: No package no-such-model" in absent[1]


async def test_a_missing_engine_is_a_fault_with_the_command_that_installs_it(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(
                emulator, tmp_path / "state", RC_MCP_TRANSCRIBE="all", RC_MCP_TRANSCRIBE_MODEL=str(folder)
            )
    assert code == 1
    assert "rc-mcp[transcribe]" in said


async def test_an_unreachable_server_is_a_fault(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    with Emulator() as emulator:
        code, said = await doctor(emulator, tmp_path, RC_SERVER_URL=nowhere, RC_MEDIA_URL=nowhere)
    assert code == 1
    assert "fault network" in said


async def test_an_unavailable_login_service_is_not_blamed_on_the_credentials(tmp_path: Path) -> None:
    with Emulator() as emulator:
        emulator.faults.inject("server_error", operation="token", times=None)
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path)
    assert code == 1
    assert "fault login" in said
    assert "RC_SERVER_URL" in said
    assert "RC_USER_JWT" not in said.partition("fault login")[2]


async def test_an_unusable_proxy_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    proxy = {"ALL_PROXY": "socks9://proxy.test", "NO_PROXY": "", "no_proxy": ""}
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path, **proxy)
    assert code == 1
    assert "fault network: " in said
    assert "ALL_PROXY" in said
    assert "RC_SERVER_URL" not in said


async def test_a_state_folder_that_cannot_be_used_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, tmp_path / "file")
    assert code == 1
    assert "RC_MCP_STATE_DIR" in said
    assert "rc-mcp undo" not in said


@pytest.mark.skipif(os.name != "posix", reason="Windows stores permissions elsewhere")
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
async def test_a_state_folder_that_others_can_write_to_is_a_fault_with_the_command_that_fixes_it(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "a state"
    folder.mkdir()
    folder.chmod(mode)
    with Emulator() as emulator:
        async with emulator.serve():
            code, said = await doctor(emulator, folder)
            assert (code, "fault state folder" in said) == (1, True), said
            assert f"chmod 700 '{folder}'" in said
            folder.chmod(0o755)
            assert (await doctor(emulator, folder))[0] == 0


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["approvals", "--help"]])
def test_help_and_version_need_no_configuration(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 0
