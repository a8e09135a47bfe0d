"""Examples: every program runs as described, and every client configuration starts our server."""

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from mcp import Client, StdioServerParameters

from rc_mcp.cli import main
from rc_mcp.emulator import Emulator
from rc_mcp.settings import Settings, load_settings

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIGURATIONS = sorted((EXAMPLES / "clients").rglob("*.json"))
README = (EXAMPLES / "README.md").read_text("utf-8")
SECRETS = {"RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT", "RC_ACCESS_TOKEN"}
TIMEOUT_S = 120


def run(tmp_path: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example as a user would, and make sure that it leaves nothing behind in any folder it might use."""
    folders = {name: tmp_path / name for name in ("HOME", "TMPDIR", "RC_MCP_STATE_DIR")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    ran = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / program, *arguments],
        cwd=folders["HOME"],
        env={**os.environ, **{name: str(folder) for name, folder in folders.items()}, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    return ran


def test_inbox_triage_groups_unread_messages_by_sender_longest_wait_first(tmp_path: Path) -> None:
    triage = run(tmp_path, "inbox_triage.py")
    assert triage.returncode == 0, triage.stderr
    senders = re.findall(r"^(.*), unread for (?:(\d+) h )?(\d+) min$", triage.stdout, re.MULTILINE)
    waits = [int(hours or 0) * 60 + int(minutes) for _, hours, minutes in senders]
    assert waits == sorted(waits, reverse=True)
    assert "Maria Costa +15035550134" in [who for who, *_ in senders]
    assert "  text: And should I bring anything? 🙂" in triage.stdout
    assert "  voicemail: 12 s without a transcript, to be heard" in triage.stdout
    assert re.search(r"^All \d+ are still unread\.$", triage.stdout, re.MULTILINE)


def test_voicemail_query_reads_the_transcripts_of_one_caller(tmp_path: Path) -> None:
    found = run(tmp_path, "voicemail_query.py")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("1 unheard from 'quillmere' since ")
    assert "no lifting above the shoulder for four weeks" in found.stdout


@pytest.mark.parametrize("number", ["+13605550108", "360-555-0108", "(360) 555.0108", "001 360 555 0108"])
def test_voicemail_query_says_why_there_is_no_transcript_and_where_the_recording_is(
    tmp_path: Path, number: str
) -> None:
    found = run(tmp_path, "voicemail_query.py", number, "24h")
    assert found.returncode == 0, found.stderr
    assert (
        "no transcript of this recording (InProgress); it was not fetched. The recording: ringcentral://"
        in found.stdout
    )


def test_voicemail_query_for_an_unknown_number_finds_none(tmp_path: Path) -> None:
    found = run(tmp_path, "voicemail_query.py", "Nobody")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("0 unheard from 'Nobody'")


def test_voicemail_query_explains_itself_and_refuses_other_options(tmp_path: Path) -> None:
    helped, refused = (run(tmp_path / option, "voicemail_query.py", option) for option in ("--help", "--mark-read"))
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "since" in helped.stdout
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--mark-read" in refused.stderr


def test_voicemail_query_passes_on_the_fault_in_its_arguments(tmp_path: Path) -> None:
    found = run(tmp_path, "voicemail_query.py", "Quillmere", "last week")
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].startswith("date_from: ")


def test_find_message_finds_a_word_in_texts_faxes_and_voicemails_and_says_what_was_searched(tmp_path: Path) -> None:
    found = run(tmp_path, "find_message.py", "referral")
    assert found.returncode == 0, found.stderr
    kinds = re.findall(r"^(\w+), .*\n  (.*)$", found.stdout, re.MULTILINE)
    assert {kind for kind, _ in kinds} == {"SMS", "Pager", "VoiceMail", "Fax"}
    assert all("referral" in snippet.lower() for _, snippet in kinds)
    assert found.stdout.startswith(f"{len(kinds)} found for 'referral'\n")
    with Emulator() as emulator:
        assert f"Searched: {len(emulator.store.messages())} messages since " in found.stdout
    assert "not in the copy yet: 0." in found.stdout


def test_find_message_finds_one_voicemail_by_a_word_that_is_only_spoken(tmp_path: Path) -> None:
    found = run(tmp_path, "find_message.py", "swollen -type:fax")
    assert found.stdout.startswith("1 found for "), found.stderr
    assert "VoiceMail, " in found.stdout


def test_find_message_passes_on_the_fault_in_its_query(tmp_path: Path) -> None:
    found = run(tmp_path, "find_message.py", "colour:red")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.splitlines()[-1].startswith('"colour:" ')


def test_headless_cleanup_deletes_through_a_plan_never_purges_and_restores(tmp_path: Path) -> None:
    cleanup = run(tmp_path, "headless_cleanup.py")
    assert cleanup.returncode == 0, cleanup.stderr
    steps = re.findall(r"^(\w[\w ]*): (\w+)\. ", cleanup.stdout, re.MULTILINE)
    assert steps == [
        ("delete", "confirmation_required"),
        ("delete with its plan", "done"),
        ("delete with its plan", "refused"),
        ("purge", "confirmation_required"),
        ("purge with its plan", "refused"),
        ("patch", "done"),
    ]
    read_back = re.findall(r"^  read back: 7 in (.*)$", cleanup.stdout, re.MULTILINE)
    assert read_back == ["the mailbox", "Deleted", "Deleted", "the mailbox"]
    assert cleanup.stdout.endswith("Everything is back as it was.\n")


def test_nightly_cleanup_rehearses_under_the_example_policy_and_deletes_nothing(tmp_path: Path) -> None:
    rehearsal = run(tmp_path, "nightly_cleanup.py")
    assert rehearsal.returncode == 3, rehearsal.stderr
    found = int(rehearsal.stdout.split()[0])
    assert found
    assert set(re.findall(r"^\d+ asked: (\w+)", rehearsal.stdout, re.MULTILINE)) == {"refused"}
    night = run(tmp_path / "night", "nightly_cleanup.py", "--policy", without_the_dry_run(tmp_path))
    total = night.stdout.splitlines()[-1]
    assert " deleted" in total
    assert rehearsal.stdout.splitlines()[-1] == total.replace(" deleted", " would be deleted")


@pytest.mark.parametrize("token", ["", "a-token-for-nobody"])
def test_nightly_cleanup_reports_a_server_that_it_cannot_use_in_one_line(
    tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_MCP_HTTP_TOKEN", token)
    night = run(tmp_path, "nightly_cleanup.py", "--server", "http://127.0.0.1:9/mcp")
    assert (night.returncode, night.stdout, night.stderr.count("\n")) == (1, "", 1), night.stderr
    assert "RC_MCP_HTTP_TOKEN" in night.stderr


def without_the_dry_run(tmp_path: Path, **changed: int) -> str:
    """Write the example's policy as an operator changes it, and return its path."""
    rules = re.sub(r"^dry_run .*\n", "", (EXAMPLES / "policy.toml").read_text("utf-8"), flags=re.MULTILINE)
    for line, value in changed.items():
        rules = re.sub(rf"^{line} = .*", f"{line} = {value}", rules, count=1, flags=re.MULTILINE)
    path = tmp_path.with_suffix(".toml")
    path.write_text(rules, "utf-8")
    return str(path)


def test_nightly_cleanup_deletes_what_the_policy_approves_and_names_the_rest(tmp_path: Path) -> None:
    night = run(tmp_path, "nightly_cleanup.py", "--policy", without_the_dry_run(tmp_path), "--max-per-call", "4")
    assert night.returncode == 3, night.stderr
    found = int(night.stdout.split()[0])
    [left] = re.findall(r"^  the rules do not cover (\d+)$", night.stdout, re.MULTILINE)
    assert left
    assert night.stdout.endswith(f"total: {found - 1} deleted, 1 not covered\n")
    asked = re.findall(r"^(\d+) asked: (\w+)", night.stdout, re.MULTILINE)
    assert max(int(n) for n, _ in asked) == 4
    assert {status for _, status in asked} == {"done", "confirmation_required"}


def test_nightly_cleanup_ends_when_a_cap_is_used_up(tmp_path: Path) -> None:
    rules = without_the_dry_run(tmp_path, max_per_day=2)
    night = run(tmp_path, "nightly_cleanup.py", "--policy", rules, "--max-per-call", "2")
    assert night.returncode == 3, night.stderr
    found = int(night.stdout.split()[0])
    assert night.stdout.endswith(f"total: 2 deleted, 1 not covered, {found - 3} not asked for\n")


def test_rest_client_works_a_mailbox_over_http(tmp_path: Path) -> None:
    rest = run(tmp_path, "rest_client.py")
    assert rest.returncode == 0, rest.stderr
    assert re.findall(r"^Checked: (.*)$", rest.stdout, re.MULTILINE) == [
        "marked as read",
        "deleted",
        "found in Deleted",
        "restored, unread",
    ]


def test_every_program_is_in_the_readme() -> None:
    assert set(re.findall(r"`python (\w+\.py)", README)) == {path.name for path in EXAMPLES.glob("*.py")}


def test_every_configuration_is_in_the_readme() -> None:
    linked = {EXAMPLES / target for target in re.findall(r"\]\((clients/[^)]+)\)", README)}
    assert linked == set(CONFIGURATIONS)


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_configuration_starts_the_demo_and_an_account(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = servers_of(path)
    assert servers.keys() == {"ringcentral-demo", "ringcentral"}
    for server in servers.values():
        assert_starts_rc_mcp([server["command"], *server["args"]])
        assert server.get("type", "stdio") == "stdio"
    assert "--demo" in servers["ringcentral-demo"]["args"]
    assert "env" not in servers["ringcentral-demo"]
    for name, value in servers["ringcentral"]["env"].items():
        monkeypatch.setenv(name, expanded(value))
    load_settings().check_credentials()


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_configurations_name_real_variables_and_hold_no_secret(path: Path) -> None:
    environment: dict[str, str] = servers_of(path)["ringcentral"]["env"]
    assert environment.keys() <= variables()
    assert all(re.fullmatch(r"\$\{.+\}|your-[a-z-]+", environment[name]) for name in environment.keys() & SECRETS)


def test_vs_code_asks_for_every_value_it_uses_and_hides_the_secret_ones() -> None:
    configuration = json.loads((EXAMPLES / "clients" / "vscode" / "mcp.json").read_text("utf-8"))
    environment = configuration["servers"]["ringcentral"]["env"]
    used = {name: value for value in environment.values() for name in re.findall(r"\$\{input:(.+)\}", value)}
    asked = {asks["id"]: asks for asks in configuration["inputs"]}
    assert asked.keys() == used.keys()
    assert all(asks["type"] == "promptString" and asks["description"] for asks in asked.values())
    assert {name for name, asks in asked.items() if asks.get("password")} == {"rc-app-client-secret", "rc-user-jwt"}


def test_the_lines_for_claude_code_start_our_server_with_real_variables() -> None:
    [block] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [shlex.split(line) for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    assert [line[:3] for line in lines] == [["claude", "mcp", "add"]] * 2
    for line in lines:
        split = line.index("--")
        assert line[split - 3 : split - 1] == ["--transport", "stdio"]
        assert_starts_rc_mcp(line[split + 1 :])
        assert {line[i + 1].partition("=")[0] for i, word in enumerate(line) if word == "--env"} <= variables()


async def test_the_command_of_the_configurations_serves_a_mailbox(tmp_path: Path) -> None:
    demo = servers_of(EXAMPLES / "clients" / "claude-desktop" / "claude_desktop_config.json")["ringcentral-demo"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    server = StdioServerParameters(
        command=demo["command"], args=demo["args"], env={"PATH": path, "RC_MCP_STATE_DIR": str(tmp_path)}
    )
    with anyio.fail_after(TIMEOUT_S):
        async with Client(server) as client:
            listed = await client.call_tool("list_messages", {})
    assert listed.structured_content
    assert listed.structured_content["messages"]


def servers_of(path: Path) -> dict[str, Any]:
    """The entries of a host's file: VS Code calls them otherwise than the rest."""
    configuration = json.loads(path.read_text("utf-8"))
    return configuration["servers" if path.parent.name == "vscode" else "mcpServers"]


def assert_starts_rc_mcp(command: list[str]) -> None:
    """The command is the one that we install, and takes these arguments."""
    program, subcommand, *arguments = command
    [script] = entry_points(group="console_scripts", name=program)
    assert script.load() is main
    found = main.get_command(click.Context(main), subcommand)
    assert found is not None
    found.make_context(subcommand, arguments)


def variables() -> set[str]:
    """Return the variables that our settings read."""
    return {field.alias for field in Settings.model_fields.values() if field.alias}


def expanded(value: str) -> str:
    """Return a value as the host passes it on: its default, or the user's value if it has none."""
    return re.sub(r"\$\{.+?(?::-(.*))?\}", lambda found: found[1] or "from-the-user", value)
