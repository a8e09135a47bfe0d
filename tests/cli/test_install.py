"""`rc-mcp install`: the host finds the server, and everything else in its file is unchanged."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rc_mcp.cli import main
from rc_mcp.cli.install import LOGGED_IN, files, jsonc
from rc_mcp.cli.install import entry as starting
from rc_mcp.cli.install.connectors import CONNECTORS
from rc_mcp.cli.install.dry_run import MASK
from rc_mcp.cli.install.entry import is_reference
from rc_mcp.cli.install.hosts import CREDENTIALS, HOSTS, Machine, NoPlaceError, System
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.settings import Settings, load_settings
from rc_mcp.time_limits import CALL_S
from rc_mcp.wiring import is_logged_in, login_store

pytestmark = pytest.mark.process  # install tries the command that it writes

Install = Callable[..., Result]
SECRET = "jwt-that-must-stay-secret"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A simulated machine, with Linux by default, isolated from the real one."""
    for name in (*CREDENTIALS, "RC_MCP_ACCESS", "RC_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))  # no login of the real user
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user" / "state"))
    monkeypatch.chdir(tmp_path)
    found = Machine("linux", tmp_path / "home", tmp_path / "project", {})
    monkeypatch.setattr(Machine, "this", lambda: found)
    return found


@pytest.fixture
def install(machine: Machine) -> Install:
    return lambda *arguments: CliRunner().invoke(main, ["install", *map(str, arguments)])


def content(host: str, machine: Machine) -> dict[str, Any]:
    text = HOSTS[host].file(machine).read_text("utf-8")
    return tomllib.loads(text) if host == "codex" else jsonc.parse(text, comments=True)


def entry(host: str, machine: Machine, name: str = "ringcentral") -> dict[str, Any]:
    return content(host, machine)[HOSTS[host].section][name]


def started(written: dict[str, Any]) -> list[str]:
    """The command line of an entry."""
    command: Any = written["command"]
    return [*command] if isinstance(command, list) else [command, *written["args"]]


def variables(host: str, machine: Machine, name: str = "ringcentral") -> dict[str, Any]:
    return entry(host, machine, name).get(HOSTS[host].environment, {})


def backups(file: Path) -> list[Path]:
    return sorted(file.parent.glob(f"{file.name}.*.bak"))


@pytest.mark.parametrize(
    ("system", "host", "file"),
    [
        ("darwin", "claude-desktop", "home/Library/Application Support/Claude/claude_desktop_config.json"),
        ("win32", "claude-desktop", "home/AppData/Roaming/Claude/claude_desktop_config.json"),
        ("linux", "claude-desktop", "home/.config/Claude/claude_desktop_config.json"),
        ("darwin", "vscode", "home/Library/Application Support/Code/User/mcp.json"),
        ("win32", "vscode", "home/AppData/Roaming/Code/User/mcp.json"),
        ("linux", "vscode", "home/.config/Code/User/mcp.json"),
        *((system, "claude-code", "project/.mcp.json") for system in ("darwin", "win32", "linux")),
        *((system, "cursor", "home/.cursor/mcp.json") for system in ("darwin", "win32", "linux")),
        *((system, "codex", "home/.codex/config.toml") for system in ("darwin", "win32", "linux")),
        *((system, "gemini", "home/.gemini/settings.json") for system in ("darwin", "win32", "linux")),
        *((system, "opencode", "home/.config/opencode/opencode.jsonc") for system in ("darwin", "win32", "linux")),
    ],
)
def test_each_host_has_its_file_at_the_path_of_the_system(
    system: System, host: str, file: str, machine: Machine, tmp_path: Path
) -> None:
    assert HOSTS[host].file(replace(machine, system=system)) == tmp_path / file


@pytest.mark.parametrize(
    ("system", "variable", "host", "file"),
    [
        ("win32", "APPDATA", "vscode", "Code/User/mcp.json"),
        ("linux", "XDG_CONFIG_HOME", "vscode", "Code/User/mcp.json"),
        ("linux", "CODEX_HOME", "codex", "config.toml"),
        ("darwin", "XDG_CONFIG_HOME", "opencode", "opencode/opencode.jsonc"),
    ],
)
def test_a_folder_named_by_the_environment_takes_precedence(
    system: System, variable: str, host: str, file: str, machine: Machine, tmp_path: Path
) -> None:
    moved = replace(machine, system=system, environment={variable: str(tmp_path / "moved")})
    assert HOSTS[host].file(moved) == tmp_path / "moved" / file


def test_claude_desktop_as_a_windows_package_is_found_in_the_package(machine: Machine) -> None:
    windows = replace(machine, system="win32")
    package = machine.home / "AppData/Local/Packages/Claude_abc123/LocalCache/Roaming/Claude"
    package.mkdir(parents=True)
    assert HOSTS["claude-desktop"].file(windows) == package / "claude_desktop_config.json"


def test_two_windows_packages_are_an_error(machine: Machine) -> None:
    for name in ("Claude_a", "Claude_b"):
        (machine.home / "AppData/Local/Packages" / name).mkdir(parents=True)
    with pytest.raises(NoPlaceError, match="--file"):
        HOSTS["claude-desktop"].file(replace(machine, system="win32"))


@pytest.mark.parametrize("host", HOSTS)
def test_the_written_command_starts_this_rc_mcp(host: str, machine: Machine, install: Install) -> None:
    done = install(host)
    assert done.exit_code == 0, done.output
    written = entry(host, machine)
    command, *arguments = started(written)
    assert Path(command).is_absolute()
    assert os.access(command, os.X_OK)
    assert arguments == ["-E", "-P", "-m", "rc_mcp", "serve"]
    assert variables(host, machine)["RC_MCP_ACCESS"] == "delete"
    assert written.get("type") == HOSTS[host].transport


@pytest.mark.parametrize("host", HOSTS)
def test_the_demo_needs_no_credentials(host: str, machine: Machine, install: Install) -> None:
    assert install(host, "--demo", "--access", "read").exit_code == 0
    written = entry(host, machine, "ringcentral-demo")
    assert started(written)[-4:] == ["serve", "--demo", "--access", "read"]
    assert written.keys() <= {"type", "command", "args", "timeout"}
    assert "inputs" not in content(host, machine)


@pytest.mark.parametrize("host", HOSTS)
def test_installing_twice_changes_nothing_more(host: str, machine: Machine, install: Install) -> None:
    install(host)
    file = HOSTS[host].file(machine)
    before = file.read_bytes()
    again = install(host)
    assert (again.exit_code, file.read_bytes(), backups(file)) == (0, before, [])
    assert str(file) in again.output.splitlines()[0]


@pytest.mark.parametrize("host", HOSTS)
def test_a_dry_run_shows_the_change_and_writes_nothing(
    host: str, machine: Machine, install: Install, tmp_path: Path
) -> None:
    shown = install(host, "--dry-run")
    assert shown.exit_code == 0
    assert "+++" in shown.output
    assert "RC_MCP_ACCESS" in shown.output
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("host", HOSTS)
def test_no_secret_is_written_without_the_option(
    host: str, machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_APP_CLIENT_ID", "app")
    monkeypatch.setenv("RC_USER_JWT", SECRET)
    done = install(host)
    file = HOSTS[host].file(machine)
    assert SECRET not in file.read_text("utf-8") + done.output
    asked = install(host, "--write-secrets")
    assert variables(host, machine)["RC_USER_JWT"] == SECRET
    assert str(file) in asked.stderr
    assert SECRET not in asked.output
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("host", sorted(HOSTS.keys() - {"claude-desktop", "codex", "opencode"}))
def test_a_host_that_has_no_value_for_a_reference_leaves_it_empty_or_unfilled(
    host: str, machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both cases the server treats it as unset or reports it; it never logs in with a placeholder."""
    install(host)
    for name in CREDENTIALS:
        reference = entry(host, machine)["env"][name]
        assert reference.startswith("${")
        monkeypatch.setenv(name, "" if reference.endswith(":-}") else "x")
    load_settings()


def test_codex_gets_the_names_of_the_variables_to_pass_on(machine: Machine, install: Install) -> None:
    install("codex")
    assert entry("codex", machine)["env_vars"] == list(CREDENTIALS)
    assert entry("codex", machine)["env"] == {"RC_MCP_ACCESS": "delete"}


def test_vs_code_asks_for_each_value_once_and_hides_the_secret_ones(machine: Machine, install: Install) -> None:
    install("vscode")
    asked = {one["id"]: one for one in content("vscode", machine)["inputs"]}
    used = {value.removeprefix("${input:").removesuffix("}") for value in entry("vscode", machine)["env"].values()}
    assert asked.keys() == used - {"delete"}
    assert {id_ for id_, one in asked.items() if one.get("password")} == {"rc-app-client-secret", "rc-user-jwt"}


@pytest.fixture
def log_in(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set variables, and store a login for them as `rc-mcp login` does."""

    def kept(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        login_store(load_settings()).save(Tokens("access", "refresh", "1", 0.0, 9e9))

    return kept


def server_settings(host: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a server that the host starts from a new terminal, in which nothing is set."""
    for name in [name for name in os.environ if name.startswith("RC_")]:
        monkeypatch.delenv(name)
    for name, value in variables(host, machine).items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("installed_before", [False, True])
@pytest.mark.parametrize("host", HOSTS)
def test_after_a_login_the_entry_works_in_a_new_terminal(
    host: str,
    installed_before: bool,
    elsewhere: bool,
    machine: Machine,
    install: Install,
    log_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if installed_before:
        install(host)
        monkeypatch.setenv("RC_APP_CLIENT_ID", "an-app-before")
        install(host)
    key = {"RC_SERVER_URL": "https://platform.devtest.ringcentral.com", "RC_MEDIA_URL": "https://media.test"}
    others = {**key, "RC_MCP_STATE_DIR": str(tmp_path / "state")} if elsewhere else {}
    log_in(RC_APP_CLIENT_ID="app-1", **others)
    done = install(host)
    assert (done.exit_code, done.stderr, LOGGED_IN in done.stdout) == (0, "", True)
    written = variables(host, machine)
    page = {} if HOSTS[host].asks else {"RC_MCP_APPROVAL_PAGE": "on"}
    assert written == {"RC_APP_CLIENT_ID": "app-1", **others, "RC_MCP_ACCESS": "delete", **page}
    assert entry(host, machine).get("env_vars", []) == []
    assert is_logged_in(server_settings(host, machine, monkeypatch))


def test_after_a_login_vs_code_asks_for_nothing(
    machine: Machine, install: Install, log_in: Callable[..., None]
) -> None:
    log_in(RC_APP_CLIENT_ID="app-1")
    install("vscode")
    assert "inputs" not in content("vscode", machine)


@pytest.mark.parametrize("host", HOSTS)
def test_after_a_login_only_the_secret_of_an_app_that_has_one_is_missing(
    host: str, machine: Machine, install: Install, log_in: Callable[..., None]
) -> None:
    log_in(RC_APP_CLIENT_ID="app-1", RC_APP_CLIENT_SECRET=SECRET)
    said = install(host).stdout
    assert "RC_APP_CLIENT_SECRET" in said
    assert "RC_USER_JWT" not in said
    assert LOGGED_IN not in said
    assert SECRET not in text_of(HOSTS[host].file(machine)) + said
    assert LOGGED_IN in install(host, "--write-secrets").stdout


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"RC_SERVER_URL": "https://other.test"}, id="another address"),
        pytest.param({"RC_MCP_STATE_DIR": "/another"}, id="another folder"),
        pytest.param({"RC_APP_CLIENT_ID": "other", "RC_APP_CLIENT_SECRET": SECRET}, id="another app with its secret"),
    ],
)
def test_an_entry_that_cannot_find_the_login_is_reported(
    there: dict[str, str], machine: Machine, install: Install, log_in: Callable[..., None]
) -> None:
    file = HOSTS["cursor"].file(machine)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"mcpServers": {"ringcentral": {"env": there}}}))
    log_in(RC_APP_CLIENT_ID="app-1")
    done = install("cursor")
    assert there.items() <= variables("cursor", machine).items()
    assert LOGGED_IN not in done.stdout
    assert next(iter(there)) in done.stderr


def test_a_jwt_in_the_entry_takes_precedence_over_a_login(
    machine: Machine, install: Install, log_in: Callable[..., None]
) -> None:
    file = HOSTS["cursor"].file(machine)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"mcpServers": {"ringcentral": {"env": {"RC_USER_JWT": SECRET}}}}))
    log_in(RC_APP_CLIENT_ID="app-1")
    assert LOGGED_IN not in install("cursor").stdout
    assert variables("cursor", machine)["RC_USER_JWT"] == SECRET


@pytest.mark.parametrize("host", HOSTS)
def test_a_folder_chooses_no_address_for_the_hosts_own_secrets(
    host: str, machine: Machine, install: Install, tmp_path: Path
) -> None:
    dotenv = {"RC_APP_CLIENT_ID": "a", "RC_USER_JWT": "b", "RC_SERVER_URL": "https://x.test", "RC_MCP_STATE_DIR": "/x"}
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in dotenv.items()))
    install(host)
    assert not variables(host, machine).keys() & {"RC_SERVER_URL", "RC_MCP_STATE_DIR"}
    install(host, "--write-secrets")
    assert dotenv.items() <= variables(host, machine).items()


@pytest.mark.parametrize("host", HOSTS)
def test_the_client_id_and_the_address_set_here_are_written_without_a_login_too(
    host: str, machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"RC_APP_CLIENT_ID": "app", "RC_SERVER_URL": "https://platform.devtest.ringcentral.com"}
    for name, value in key.items():
        monkeypatch.setenv(name, value)
    done = install(host)
    assert key.items() <= variables(host, machine).items()
    assert LOGGED_IN not in done.stdout
    monkeypatch.setenv("RC_SERVER_URL", "https://platform.ringcentral.com/")
    HOSTS[host].file(machine).unlink()
    install(host)
    assert "RC_SERVER_URL" not in variables(host, machine)


def steps(said: str) -> list[str]:
    """The numbered steps at the end of the output."""
    return re.findall(r"^  [0-9]\. (.*)$", said, re.MULTILINE)


@pytest.mark.parametrize("host", HOSTS)
def test_without_credentials_they_are_the_first_step_and_the_app_is_the_last(host: str, install: Install) -> None:
    done = install(host)
    first, *_, last = steps(done.stdout)
    assert "get-credentials.md" in first
    assert (last, done.stderr) == (HOSTS[host].then, "")
    assert steps(install(host, "--demo").stdout) == []


APP = {"RC_APP_CLIENT_ID": "a", "RC_APP_CLIENT_SECRET": "b"}


@pytest.mark.parametrize("installed_before", [False, True])
@pytest.mark.parametrize(
    "dotenv",
    [
        {**APP, "RC_USER_JWT": SECRET},
        {"RC_APP_CLIENT_ID": "a", "RC_USER_JWT": SECRET, "RC_MCP_TIMEZONE": "Asia/Kolkata"},
        APP,
    ],
    ids=["all", "an app without a secret", "the app of rc-mcp login"],
)
@pytest.mark.parametrize("host", [name for name, host in HOSTS.items() if host.starts_in_folder])
def test_a_server_that_starts_in_the_folder_of_a_dotenv_uses_the_credentials_in_it(
    host: str,
    dotenv: dict[str, str],
    installed_before: bool,
    machine: Machine,
    install: Install,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if installed_before:
        monkeypatch.setenv("RC_APP_CLIENT_ID", "a")
        install(host)
        monkeypatch.delenv("RC_APP_CLIENT_ID")
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in dotenv.items()))
    if dotenv == APP:
        login_store(load_settings()).save(Tokens("access", "refresh", "1", 0.0, 9e9))
    done = install(host)
    assert SECRET not in text_of(HOSTS[host].file(machine)) + done.output
    folder, app = steps(done.stdout)
    assert str(tmp_path) in folder
    assert (app, done.stderr) == (HOSTS[host].then, "")
    for name, value in variables(host, machine).items():
        monkeypatch.setenv(name, "" if is_reference(value) else value)
    started_here = load_settings()
    assert is_logged_in(started_here) or started_here.user_jwt


def test_an_entry_with_another_app_than_the_dotenv_is_reported_as_one_that_does_not_start_here(
    machine: Machine, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_APP_CLIENT_ID", "another")
    install("claude-code")
    monkeypatch.delenv("RC_APP_CLIENT_ID")
    (tmp_path / ".env").write_text(f"RC_APP_CLIENT_ID=a\nRC_USER_JWT={SECRET}\n")
    done = install("claude-code")
    assert variables("claude-code", machine)["RC_APP_CLIENT_ID"] == "another"
    assert "RC_USER_JWT is set in .env" in done.stderr
    assert ".env" in steps(done.stdout)[0]


@pytest.mark.parametrize("host", HOSTS)
def test_the_access_level_is_said_to_be_where_the_entry_has_it(host: str, machine: Machine, install: Install) -> None:
    def level(*options: str) -> str:
        return next(line for line in install(host, *options).stdout.splitlines() if line.startswith("Access level"))

    assert "RC_MCP_ACCESS" in level()
    assert "RC_MCP_ACCESS" not in level("--demo")
    assert "RC_MCP_ACCESS" not in level("--demo", "--access", "read")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", [["--access", "read"], ["--access=read"]])
def test_installing_the_demo_again_keeps_its_access_level(
    host: str, form: list[str], machine: Machine, install: Install
) -> None:
    assert "admin" in install(host, "--demo").stdout
    file = HOSTS[host].file(machine)
    file.unlink()
    install(host, "--demo", "--access", "triage")
    there = ', "'.join([*(f'{word}"' for word in form)])
    old = re.search(r'"--access",\s*"triage"', file.read_text("utf-8"))
    assert old is not None
    file.write_text(file.read_text("utf-8").replace(old[0], f'"{there}'), "utf-8")
    done = install(host, "--demo")
    assert started(entry(host, machine, "ringcentral-demo"))[-2:] == ["--access", "read"]
    assert "read" in done.stdout
    install(host, "--demo", "--access", "delete")
    assert started(entry(host, machine, "ringcentral-demo"))[-1] == "delete"


@pytest.mark.parametrize("host", HOSTS)
def test_a_dry_run_shows_our_options_and_the_command_that_writes_them(
    host: str, machine: Machine, install: Install, tmp_path: Path
) -> None:
    file = tmp_path / "a file.json"
    install(host, "--demo", "--access", "read", "--file", file)
    shown = install(host, "--demo", "--access", "triage", "--file", file, "--dry-run").stdout
    assert MASK not in shown
    assert [line[0] for line in shown.splitlines() if re.search(r'"(read|triage)"', line)] == ["-", "+"]
    *_, next_step = shown.splitlines()
    command = shlex.split(next_step.partition(": ")[2])
    assert command == ["rc-mcp", "install", host, "--demo", "--access", "triage", "--file", str(file)]
    install(*command[2:])
    assert install(*command[2:], "--dry-run").stdout.splitlines()[-1] != next_step  # nothing is left to write


def test_a_dry_run_does_not_say_that_secrets_were_written(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_APP_CLIENT_ID", "app")
    monkeypatch.setenv("RC_USER_JWT", SECRET)
    would = install("cursor", "--write-secrets", "--dry-run")
    does = install("cursor", "--write-secrets")
    assert would.stderr != does.stderr
    assert would.stdout.splitlines()[-1].endswith("rc-mcp install cursor --write-secrets")


def test_claude_desktop_gets_the_client_id_and_the_user_is_advised_about_secrets(
    machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "RC_APP_CLIENT_ID" in steps(install("claude-desktop").stdout)[1]
    monkeypatch.setenv("RC_APP_CLIENT_ID", "app")
    done = install("claude-desktop")
    usual = {"RC_MCP_ACCESS": "delete", "RC_MCP_APPROVAL_PAGE": "on"}  # it shows no questions
    assert entry("claude-desktop", machine)["env"] == {"RC_APP_CLIENT_ID": "app", **usual}
    assert "rc-mcp login" in done.output


ODD = """\
// servers of mine
{
\t"other": 1.50e+3, /* as it is */
\t"mcpServers": {
\t\t"files": {"command": "x", "env": {"TOKEN": "theirs-and-secret"}}, // mine
\t},
\t"name": "Å", // the end
}
"""


def test_comments_numbers_and_indentation_are_kept(machine: Machine, install: Install) -> None:
    file = machine.home / ".gemini" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(ODD, encoding="utf-8")
    assert install("gemini").exit_code == 0
    lines = file.read_text("utf-8").splitlines()
    assert [line for line in ODD.splitlines() if line not in lines] == []
    assert '\t\t"ringcentral": {' in lines
    assert entry("gemini", machine)["args"][-1] == "serve"
    assert [copy.read_text("utf-8") for copy in backups(file)] == [ODD]


def test_comments_in_toml_are_kept(machine: Machine, install: Install) -> None:
    file = machine.home / ".codex" / "config.toml"
    file.parent.mkdir(parents=True)
    before = '# mine\nmodel = "o" # fast\n\n[mcp_servers.files]\ncommand = "x"  # here\n\n[tui]\nnotifications = true\n'
    file.write_text(before)
    assert install("codex").exit_code == 0
    after = file.read_text().splitlines()
    assert [line for line in before.splitlines() if line not in after] == []
    assert content("codex", machine)["tui"] == {"notifications": True}
    assert [copy.read_text() for copy in backups(file)] == [before]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_and_a_byte_order_mark_are_kept(ending: str, machine: Machine, install: Install) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(("\ufeff{\n}\n").replace("\n", ending).encode())
    assert install("cursor").exit_code == 0
    written = file.read_bytes()
    assert written.startswith(b"\xef\xbb\xbf{")
    assert written.count(ending.encode()) == written.count(b"\n")


@pytest.mark.parametrize(
    ("host", "text"),
    [
        pytest.param("cursor", "{not json", id="not JSON"),
        pytest.param("cursor", '{"mcpServers": {} // note\n}', id="a comment where the host takes none"),
        pytest.param("vscode", '{"servers": {}, "servers": {}}', id="a name twice"),
        pytest.param("vscode", "[]", id="a list"),
        pytest.param("vscode", '{"servers": []}', id="servers that are a list"),
        pytest.param("vscode", '{"servers": {"ringcentral": "x"}}', id="an entry that is text"),
        pytest.param("vscode", '{"servers": {"ringcentral": {"env": 1}}}', id="variables that are a number"),
        pytest.param("vscode", '{"inputs": {}}', id="inputs that are an object"),
        pytest.param("vscode", '{"servers": {"x": {}}} trailing', id="text after the end"),
        pytest.param("codex", "= 1", id="not TOML"),
        pytest.param("codex", "mcp_servers = 1", id="servers that are a number"),
        pytest.param("gemini", "\xff", id="not UTF-8"),
        *(
            pytest.param(host, f'{{"x": {"[" * depth}{"]" * depth}}}', id=f"JSON nested {depth:,} deep for {host}")
            for host in ("cursor", "vscode")
            for depth in (150, 900, 100_000)
        ),
        pytest.param("codex", f"x = {'[' * 100_000}{']' * 100_000}", id="TOML nested deep"),
        pytest.param("codex", f"[{'.'.join('a' * 3_000)}]", id="TOML with tables nested deep"),
        pytest.param("codex", f"x = {'9' * 5_000}", id="TOML with an endless number"),
        pytest.param(
            "cursor",
            r'{"mcpServers": {"ringcentral": {"env": {"A": "\ud800"}}}}',
            id="half a surrogate in our entry",
        ),
    ],
)
def test_a_file_that_cannot_be_parsed_is_not_changed(host: str, text: str, machine: Machine, install: Install) -> None:
    file = HOSTS[host].file(machine)
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    refused = install(host)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"rc-mcp: {file} ")
    assert "Traceback" not in refused.output
    assert [path.read_bytes() for path in file.parent.iterdir()] == [text.encode("latin-1")]


def test_a_dry_run_refuses_a_change_that_could_not_be_written(machine: Machine, install: Install) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    file.write_text(r'{"mcpServers": {"ringcentral": {"env": {"A": "\ud800"}}}}')
    refused = install("cursor", "--dry-run")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"rc-mcp: {file} ")


def test_half_a_surrogate_pair_in_another_entry_is_kept(machine: Machine, install: Install) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    file.write_text(r'{"mcpServers": {"theirs": {"env": {"A": "\ud800"}}}}')
    assert install("cursor").exit_code == 0
    assert r'{"A": "\ud800"}' in file.read_text()


def test_installing_again_keeps_the_users_values(machine: Machine, install: Install) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    env = {"RC_MCP_ACCESS": "read", "RC_MCP_STATE_DIR": "/s", "RC_USER_JWT": SECRET}
    file.write_text(json.dumps({"mcpServers": {"ringcentral": {"command": "old", "disabled": True, "env": env}}}))
    done = install("cursor")
    written = entry("cursor", machine)
    assert written["disabled"] is True
    assert {name: written["env"][name] for name in env} == env
    assert written["command"] != "old"
    assert str(file) in done.stderr
    assert install("cursor", "--access", "triage").exit_code == 0
    assert entry("cursor", machine)["env"]["RC_MCP_ACCESS"] == "triage"


def test_a_dry_run_shows_no_secrets(machine: Machine, install: Install) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    others = {"command": "x", "args": ["--key", "theirs-1"], "env": {"TOKEN": "theirs-2"}}
    mine = {"command": "old", "env": {"RC_USER_JWT": SECRET}}
    file.write_text(json.dumps({"mcpServers": {"other": others, "ringcentral": mine}}))
    shown = install("cursor", "--dry-run").output
    assert "RC_APP_CLIENT_ID" in shown
    assert [word for word in ("theirs-1", "theirs-2", SECRET) if word in shown] == []


def test_a_dry_run_shows_no_secret_from_the_same_line(machine: Machine, install: Install) -> None:
    file = machine.home / ".gemini" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"apiKey": "theirs", "security": {"auth": ["theirs-2"]}, "mcpServers": {}}))
    shown = install("gemini", "--dry-run").output
    assert "RC_APP_CLIENT_ID" in shown
    assert "theirs" not in shown


def test_a_dry_run_shows_what_is_written_where_another_entry_has_the_same_words(
    machine: Machine, install: Install
) -> None:
    for host in HOSTS:
        install(host, "--demo")
        shown = install(host, "--dry-run").stdout
        install(host)
        for word in (*started(entry(host, machine)), *variables(host, machine).values(), HOSTS[host].environment):
            assert word in shown, host
        assert MASK not in shown


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("cursor", '{"mcpServers": {"ringcentral": {"env": {"RC_USER_JWT": "%s"}}}}'),
        ("gemini", '{"theirs": "%s", "mcpServers": {"other": {"args": ["%s"]}, "%s": {}}}'),
        ("gemini", '{"mcpServers": {"ringcentral": {"headers": {"Authorization": "%s"}, "args": ["--key=%s", "%s"]}}}'),
        ("claude-code", '{"mcpServers": {"ringcentral": {"env": {"RC_USER_JWT": "${RC_USER_JWT:-%s}"}}}}'),
        ("cursor", '{"mcpServers": {"ringcentral": {"env": {"HTTPS_PROXY": "http://me:%s@proxy"}}}}'),
        ("vscode", '{"inputs": [{"id": "rc-user-jwt", "type": "promptString", "default": "%s"}]}'),
        ("opencode", '{"mcp": {"ringcentral": {"command": ["docker", "-e", "RC_USER_JWT=%s"]}}}'),
        ("opencode", '{"mcp": {"ringcentral": {"environment": {"RC_MCP_HTTP_TOKEN": "%s"}}}}'),
        ("cursor", '{"mcpServers": {"ringcentral": {"env": {"RC_SERVER_URL": "https://me:%s@example.com"}}}}'),
        ("claude-desktop", '{"mcpServers": {"ringcentral": {"command": "env RC_USER_JWT=%s rc-mcp"}}}'),
        ("codex", "[mcp_servers.ringcentral]\nenv = {{ RC_USER_JWT = '''{}''' }}\nurl = \"{}\"\n"),
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_a_dry_run_shows_no_secret_wherever_it_is_and_however_it_is_written(
    host: str, text: str, escaped: bool, machine: Machine, install: Install
) -> None:
    if escaped and "'''" in text:
        text = text.replace("'''", '"')
    secret = "".join(f"\\u{ord(c):04x}" for c in SECRET) if escaped else SECRET
    file = HOSTS[host].file(machine)
    file.parent.mkdir(parents=True)
    file.write_text(text.replace("%s", secret) if host != "codex" else text.format(secret, secret))
    shown = install(host, "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "RC_MCP_ACCESS" in shown.stdout
    assert SECRET not in shown.output
    assert secret not in shown.output


def test_a_dry_run_with_secrets_shows_all_but_them(
    machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_APP_CLIENT_ID", "app-1")
    monkeypatch.setenv("RC_USER_JWT", SECRET)
    for host in HOSTS:
        shown = install(host, "--write-secrets", "--dry-run").output
        assert "app-1" in shown
        assert "RC_USER_JWT" in shown
        assert SECRET not in shown


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_host_in_the_cloud_gets_steps_whose_commands_exist_and_nothing_is_written(
    connector: str, machine: Machine, install: Install, tmp_path: Path
) -> None:
    done = install(connector)
    assert (done.exit_code, list(tmp_path.rglob("*"))) == (0, [])
    commands = re.findall(r"`rc-mcp ([^`]+)`", done.stdout)
    assert {words.split()[0] for words in commands} == {"install", "serve"}
    for words in commands:
        name, *rest = words.split()
        command = main.get_command(click.Context(main), name)
        assert command is not None
        command.make_context(name, rest)  # parses the options, and runs nothing
    for option in (("--file", tmp_path / "x"), ("--access", "read"), ("--write-secrets",)):
        assert install(connector, *option).exit_code == 2


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ((), "opencode.jsonc"),
        (("opencode.json",), "opencode.json"),
        (("config.json", "opencode.json", "opencode.jsonc"), "opencode.jsonc"),
        (("config.json",), "config.json"),
    ],
)
def test_opencode_gets_the_entry_in_the_file_that_takes_precedence(
    there: tuple[str, ...], chosen: str, machine: Machine, install: Install
) -> None:
    folder = machine.home / ".config" / "opencode"
    folder.mkdir(parents=True)
    for name in there:
        (folder / name).write_text('{"model": "m", /* mine */}')
    assert install("opencode").exit_code == 0
    assert HOSTS["opencode"].file(machine) == folder / chosen
    assert content("opencode", machine).keys() == {*(["model"] if there else []), "mcp"}
    changed = [name for name in ("config.json", "opencode.json", "opencode.jsonc") if "mcp" in text_of(folder / name)]
    assert changed == [chosen]


def text_of(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""


def test_opencode_waits_longer_than_a_call_may_take_and_keeps_what_its_user_set(
    machine: Machine, install: Install
) -> None:
    install("opencode")
    assert entry("opencode", machine)["timeout"] > 1000 * CALL_S
    file = HOSTS["opencode"].file(machine)
    file.write_text(
        '{"mcp": {"ringcentral": {"timeout": 5, "enabled": false, "environment": {"RC_MCP_ACCESS": "read"}}}}'
    )
    install("opencode")
    kept = entry("opencode", machine)
    assert (kept["timeout"], kept["enabled"], kept["environment"]) == (5, False, {"RC_MCP_ACCESS": "read"})


def test_a_dry_run_shows_that_a_secret_would_be_replaced(
    machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_APP_CLIENT_ID", "app")
    monkeypatch.setenv("RC_USER_JWT", "first")
    install("cursor", "--write-secrets")
    monkeypatch.setenv("RC_USER_JWT", SECRET)
    changed = [line for line in install("cursor", "--write-secrets", "--dry-run").stdout.splitlines() if MASK in line]
    assert [line[0] for line in changed if "RC_USER_JWT" in line] == ["-", "+"]
    assert not [line for line in changed if SECRET in line or "first" in line]


_GIT = {"url": "https://example.com/rc-mcp", "vcs_info": {"vcs": "git", "commit_id": "abc"}}


@pytest.mark.parametrize(
    ("source", "requirement"),
    [
        (None, "rc-mcp[keyring]==1.2.3"),
        ({"url": "file:///src/rc-mcp", "dir_info": {}}, "rc-mcp[keyring] @ file:///src/rc-mcp"),
        (_GIT, "rc-mcp[keyring] @ git+https://example.com/rc-mcp@abc"),
    ],
)
def test_uvx_starts_the_installed_version_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any] | None, requirement: str
) -> None:
    (tmp_path / "uvx").write_text("#!/bin/sh\n")
    (tmp_path / "uvx").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    def ours(_: str) -> object:
        return SimpleNamespace(version="1.2.3", read_text={"direct_url.json": source and json.dumps(source)}.get)

    def there(module: str) -> bool:
        return module == "keyring"

    monkeypatch.setattr(sys, "prefix", str(Path("/cache/archive-v0/1234")))
    monkeypatch.setattr(starting, "distribution", ours)
    monkeypatch.setattr(starting, "find_spec", there)
    uvx, *rest = starting.command_line()
    assert uvx == str(tmp_path / "uvx")
    assert rest == ["--from", requirement, "python", "-E", "-P", "-m", "rc_mcp"]


def test_uvx_is_never_found_in_the_working_folder(
    machine: Machine, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "uvx"
    theirs.write_text("#!/bin/sh\n")
    theirs.chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(Path("/cache/archive-v0/1234")))
    monkeypatch.setenv("PATH", os.pathsep.join(["", "."]))
    monkeypatch.delenv("UV", raising=False)
    refused = install("cursor")
    assert (refused.exit_code, HOSTS["cursor"].file(machine).exists()) == (1, False)
    assert "uvx" in refused.stderr
    (tmp_path / "bin").mkdir()
    ours = theirs.rename(tmp_path / "bin" / "uvx")
    monkeypatch.setenv("UV", str(ours.with_name("uv")))
    assert starting.command_line()[0] == str(ours)


def hostile(folder: Path) -> Path:
    """A project with its own `rc_mcp`, and modules that Python runs at startup."""
    (folder / "rc_mcp").mkdir(parents=True)
    for name in (
        "rc_mcp/__init__.py",
        "rc_mcp/__main__.py",
        "rc_mcp.py",
        "sitecustomize.py",
        "usercustomize.py",
        "click.py",
    ):
        (folder / name).write_text("print('canary', flush=True)\n")
    (folder / ".env").write_text("PYTHONPATH=.\n")
    return folder


@pytest.mark.parametrize("path", [None, "", os.pathsep, f"{os.pathsep}/nowhere", "."])
@pytest.mark.parametrize("host", HOSTS)
def test_the_written_command_never_runs_code_from_its_working_folder(
    host: str, path: str | None, machine: Machine, install: Install
) -> None:
    assert install(host, "--demo").exit_code == 0
    written = entry(host, machine, "ringcentral-demo")
    environment = {**os.environ} | ({} if path is None else {"PYTHONPATH": path})
    command = [*started(written)[:-2], "--version"]
    ended = subprocess.run(
        command, cwd=hostile(machine.here), env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, "canary" in ended.stdout + ended.stderr) == (0, False)
    assert ended.stdout.startswith("rc-mcp, version ")


def test_an_installation_by_pip_install_user_is_started_safely_too(tmp_path: Path) -> None:
    """There, Python belongs to the system, and packages and scripts are in the user's folders."""
    venv.EnvBuilder(system_site_packages=True, symlinks=os.name != "nt").create(tmp_path / "system")
    python = str(tmp_path / "system" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    environment = {**os.environ, "HOME": str(tmp_path / "user"), "APPDATA": str(tmp_path / "user")}

    def ran(*command: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    user = Path(ran(python, "-E", "-c", "import site; print(site.getusersitepackages())").strip())
    assert tmp_path in user.parents
    user.mkdir(parents=True)
    (user / "ours.pth").write_text("\n".join(path for path in sys.path if path))
    file = tmp_path / "mcp.json"
    ran(python, "-m", "rc_mcp", "install", "cursor", "--demo", "--file", str(file))
    written = json.loads(file.read_text())["mcpServers"]["ringcentral-demo"]
    shown = ran(written["command"], *written["args"][:-2], "--version", folder=hostile(tmp_path / "project"))
    assert shown.startswith("rc-mcp, version ")
    assert "canary" not in shown


def test_a_python_that_only_finds_rc_mcp_through_pythonpath_is_refused(
    machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    venv.create(tmp_path / "empty", symlinks=os.name != "nt")
    python = tmp_path / "empty" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    refused = install("cursor")
    assert (refused.exit_code, HOSTS["cursor"].file(machine).exists()) == (1, False)
    assert "PYTHONPATH" in refused.stderr


def test_without_a_home_folder_the_file_option_is_required(
    tmp_path: Path, machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> Machine:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Machine, "this", nowhere)
    ended = install("cursor", "--demo")
    assert (ended.exit_code, "--file" in ended.stderr) == (1, True)
    assert install("cursor", "--demo", "--file", tmp_path / "mcp.json").exit_code == 0


def test_a_dry_run_hides_our_secrets_in_any_quotation_marks(machine: Machine, install: Install) -> None:
    file = machine.home / ".codex" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f"[mcp_servers.ringcentral]\ncommand = 'old'\nenv = {{ RC_USER_JWT = '{SECRET}' }}\n")
    shown = install("codex", "--dry-run").output
    assert "old" in shown
    assert SECRET not in shown


def test_a_change_by_another_program_is_not_overwritten(
    machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    install("cursor", "--demo")
    theirs = '{"mcpServers": {"theirs": {"command": "x"}}}'

    def then_they_write(*arguments: Any) -> str:
        text = with_server(*arguments)
        file.write_text(theirs)
        return text

    with_server = files.with_server
    monkeypatch.setattr("rc_mcp.cli.install.with_server", then_they_write)
    refused = install("cursor")
    assert (refused.exit_code, file.read_text()) == (1, theirs)
    assert [path.name for path in file.parent.iterdir()] == ["mcp.json"]


@pytest.mark.skipif(os.name == "nt", reason="file modes need POSIX")
def test_only_the_owner_can_ever_read_the_backup_of_a_file_with_secrets(
    machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"mcpServers": {"theirs": {"env": {"TOKEN": SECRET}}}}))
    file.chmod(0o600)
    modes: list[int] = []

    def then_it_is_written(source: Path, copy: Path, **options: Any) -> None:
        modes.append(copy.stat().st_mode & 0o777)
        copystat(source, copy, **options)

    copystat = shutil.copystat
    monkeypatch.setattr(shutil, "copystat", then_it_is_written)
    assert install("cursor").exit_code == 0
    assert SECRET in backups(file)[0].read_text()
    assert modes == [0o600]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_stays_a_link(machine: Machine, install: Install, tmp_path: Path) -> None:
    file = machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    kept = tmp_path / "dotfiles.json"
    kept.write_text("{}")
    kept.chmod(0o640)
    file.symlink_to(kept)
    assert install("cursor").exit_code == 0
    assert file.is_symlink()
    assert "ringcentral" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_created_is_an_error(machine: Machine, install: Install) -> None:
    machine.home.mkdir()
    (machine.home / ".cursor").write_text("a file")
    refused = install("cursor")
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
    assert "Not a directory" in refused.stderr or os.name == "nt"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("claude", "claude-code"),
        ("Cursor", "cursor"),
        ("vs-code", "vscode"),
        ("gemini-cli", "gemini"),
        ("zzz", "codex"),
    ],
)
def test_a_mistyped_host_is_refused_with_the_name_that_was_meant(typed: str, meant: str, install: Install) -> None:
    refused = install(typed, "--demo")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert re.search(rf"\b{meant}\b", refused.stderr)


def test_another_file_can_be_named(machine: Machine, install: Install, tmp_path: Path) -> None:
    file = tmp_path / ".vscode" / "mcp.json"
    assert install("vscode", "--file", file).exit_code == 0
    assert "ringcentral" in json.loads(file.read_text("utf-8"))["servers"]
    assert not machine.home.exists()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # its speed depends on the machine
@given(
    whole=st.dictionaries(st.sampled_from(["a", "b", "servers", "//", "/*"]), json_values, max_size=4),
    servers=st.dictionaries(st.text(max_size=4), json_values, max_size=3),
    indent=st.sampled_from([None, 1, 2, 4, "\t"]),
)
def test_one_place_changes_and_nothing_else(whole: dict[str, Any], servers: dict[str, Any], indent: Any) -> None:
    whole = {**whole, "servers": servers}
    text = json.dumps(whole, indent=indent, ensure_ascii=False)
    new = jsonc.append(jsonc.put(text, ("servers", "x"), {"y": [1]}), ("inputs",), {"id": 1})
    assert json.loads(new) == {**whole, "servers": {**servers, "x": {"y": [1]}}, "inputs": [{"id": 1}]}


@given(
    st.lists(st.sampled_from(['"a"', "{", "}", "[", "]", ",", ":", "//x\n", "/*,*/", " ", "1", '"//"']), max_size=12)
)
def test_text_without_comments_is_parsed_like_plain_json(parts: list[str]) -> None:
    """Text that is also plain JSON must have the same value with comments allowed."""
    text = "".join(parts)
    try:
        plain = json.loads(text)
    except ValueError:
        return
    if text.count('"a"') < 2:  # a name twice is refused
        assert jsonc.parse(text, comments=True) == plain


@pytest.mark.parametrize("text", ["[,]", "[ ,]", "{,}", "[1,,]", ",", "[1] ,", '{"a":,}', "/* [1]", "[1] /"])
def test_an_extra_comma_is_an_error_even_with_comments(text: str) -> None:
    with pytest.raises(jsonc.NotUnderstoodError):
        jsonc.parse(text, comments=True)
