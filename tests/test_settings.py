"""Settings: from the environment and a `.env`, and never a way to lure credentials away."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rc_mcp.cli import main
from rc_mcp.settings import (
    FOREIGN_PROGRAM,
    FOREIGN_SETTING,
    NO_HOME_OF_THAT_NAME,
    NO_SETTING,
    NO_SUCH_FILE,
    REFERENCE,
    UNREADABLE,
    Settings,
    SettingsError,
    load_settings,
    load_state_dir,
    load_time_zone,
)
from tests.conftest import MIRROR


@pytest.fixture(autouse=True)
def without_the_tests_own_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR)


def test_the_environment_wins_over_a_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("RC_ACCESS_TOKEN=mine\nRC_MCP_ACCESS=admin\nRC_MCP_APPROVAL=human\n")
    monkeypatch.setenv("RC_MCP_ACCESS", "read")
    settings = load_settings()
    assert (settings.access, settings.approval) == ("read", "human")


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_MCP_ACCESS", "admin")
    assert load_settings(RC_MCP_ACCESS="read").access == "read"
    assert load_settings(RC_MCP_ACCESS=None).access == "admin"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RC_MCP_POLCY", "RC_MCP_POLICY"),
        ("rc_mcp_acess", "RC_MCP_ACCESS"),
        ("RC_MCP_STATEDIR", "RC_MCP_STATE_DIR"),
        ("RC_MCP_USER_JWT", "RC_USER_JWT"),
        ("RC_MCP_TIME_ZONE", "RC_MCP_TIMEZONE"),
    ],
)
@pytest.mark.parametrize("place", ["the environment", ".env"])
def test_a_variable_that_no_setting_has_is_refused_with_the_name_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str, place: str
) -> None:
    if place == ".env":
        (tmp_path / ".env").write_text(f"RC_ACCESS_TOKEN=mine\n{name}=canary\n")
    else:
        monkeypatch.setenv(name, "canary")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == NO_SETTING.format(name=name.upper(), hint=f"Did you mean {meant}?")


def test_a_variable_like_no_setting_is_refused_without_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_MCP_QQQQ\x1b[2J", "canary")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith("RC_MCP_QQQQ??2J: ")
    assert "mean" not in str(caught.value)


def test_empty_variables_and_those_of_other_programs_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RC_MCP_POLCY": "", "RC_MCP": "x", "RC_OTHER": "x", "MCP_POLICY": "x"}.items():
        monkeypatch.setenv(name, value)
    assert load_settings().policy is None


@pytest.mark.parametrize("address", ["RC_SERVER_URL", "RC_MEDIA_URL", "rc_server_url", "Rc_Media_Url"])
@pytest.mark.parametrize("secret", ["RC_USER_JWT", "RC_APP_CLIENT_SECRET", "RC_ACCESS_TOKEN"])
def test_a_dotenv_file_cannot_send_credentials_of_the_environment_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, secret: str
) -> None:
    (tmp_path / ".env").write_text(f"{address}=https://evil.example\n")
    monkeypatch.setenv(secret, "canary")
    with pytest.raises(SettingsError, match=address.upper()) as caught:
        load_settings()
    assert "canary" not in str(caught.value)


OURS = sorted(str(field.alias) for field in Settings.model_fields.values())
TO_COME = ["RC_MCP_CONTACTS", "RC_MCP_MIRROR", "RC_MCP_DATABASE_URL", "RC_MCP_SECRET_KEYS", "RC_MCP_NOT_YET_THOUGHT_OF"]
IN_THE_ENVIRONMENT = ["RC_USER_JWT", "RC_ACCESS_TOKEN", "RC_APP_CLIENT_SECRET", "RC_APP_CLIENT_ID"]


@pytest.mark.parametrize("name", [*OURS, *TO_COME, "rc_mcp_policy", "Rc_Access_Token", "rc_mcp_contacts"])
@pytest.mark.parametrize("login", IN_THE_ENVIRONMENT)
def test_a_dotenv_file_adds_nothing_to_a_login_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, login: str
) -> None:
    monkeypatch.setenv(login, "canary")
    without = load_settings()
    (tmp_path / ".env").write_text(f"{name}=theirs\n")
    if name.upper() == login:
        assert load_settings() == without
        return
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == FOREIGN_SETTING.format(name=name.upper(), source="the environment")
    assert not [word for word in ("canary", "theirs") if word in str(caught.value)]


@pytest.mark.parametrize("name", [*OURS, *TO_COME])
def test_a_dotenv_file_names_the_app_of_a_login_kept_on_this_machine_and_nothing_more(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / ".env").write_text(f"RC_APP_CLIENT_ID=mine\n{name}=theirs\n")
    if name in {"RC_USER_JWT", "RC_ACCESS_TOKEN", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET"}:
        return
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == FOREIGN_SETTING.format(name=name, source="rc-mcp login")
    (tmp_path / ".env").write_text("RC_APP_CLIENT_ID=mine\nRC_APP_CLIENT_SECRET=too\n")
    assert load_settings().client_id == "mine"


@pytest.mark.parametrize("name", ["RC_MCP_POLICY", "RC_MCP_STATE_DIR", "RC_MCP_DOWNLOAD_DIR"])
def test_the_dotenv_file_does_not_override_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("RC_USER_JWT", "mine")
    monkeypatch.setenv(name, "/mine")
    (tmp_path / ".env").write_text(f"RC_USER_JWT=theirs\n{name}=/theirs\n")
    settings = load_settings()
    assert settings.user_jwt is not None
    assert settings.user_jwt.get_secret_value() == "mine"
    assert Path("/mine") in {settings.policy, settings.state_dir, settings.download_dir}


def test_a_dotenv_file_does_not_carry_a_variable_of_this_machine_to_an_address_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "canary")
    for line in ("RC_SERVER_URL=https://${SOME_SECRET}.example.test", 'RC_APP_CLIENT_ID="x${SOME_SECRET:-}"'):
        (tmp_path / ".env").write_text(f"RC_ACCESS_TOKEN=theirs\n{line}\n")
        with pytest.raises(SettingsError) as caught:
            load_settings()
        assert str(caught.value) == REFERENCE.format(name=line.partition("=")[0])


def test_a_dotenv_file_names_no_program_to_run_even_for_a_login_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("RC_ACCESS_TOKEN=theirs\nRC_MCP_MIRROR_KEY_COMMAND=./theirs\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == FOREIGN_PROGRAM.format(name="RC_MCP_MIRROR_KEY_COMMAND")
    monkeypatch.setenv("RC_MCP_MIRROR_KEY_COMMAND", "mine")
    assert load_settings().mirror_key_command == "mine"


def test_a_caller_with_its_own_login_takes_nothing_that_would_be_refused(tmp_path: Path) -> None:
    """As the demo does: a `.env` of the folder that it is tried in must not stop it."""
    (tmp_path / ".env").write_text("RC_APP_CLIENT_ID=mine\nRC_MCP_ACCESS=read\n")
    assert load_settings(RC_ACCESS_TOKEN="demo").access == "admin"
    (tmp_path / ".env").write_text("RC_ACCESS_TOKEN=mine\nRC_MCP_ACCESS=read\n")
    assert load_settings(RC_ACCESS_TOKEN="demo").access == "read"


def test_a_name_in_a_dotenv_file_does_not_reach_the_terminal_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("'RC_MCP_\x1b[2J'=1\n")
    ended = CliRunner().invoke(main, ["serve"])
    assert ended.exit_code == 2
    assert ended.stderr == f"rc-mcp: {FOREIGN_SETTING.format(name='RC_MCP_??2J', source='rc-mcp login')}\n"


@pytest.mark.parametrize("command", [["serve"], ["doctor"], ["undo", "some-oper"], ["logout"]])
def test_a_refused_dotenv_file_is_an_error_that_is_true_of_every_command(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / ".env").write_text("RC_MCP_POLICY=theirs\n")
    ended = CliRunner().invoke(main, command)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == f"rc-mcp: {FOREIGN_SETTING.format(name='RC_MCP_POLICY', source='rc-mcp login')}\n"
    assert "start" not in ended.stderr  # of these, only serve starts something


def test_the_zone_of_a_command_is_the_one_that_is_named_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("RC_MCP_TIMEZONE=Asia/Kolkata\n")
    assert load_time_zone() is None
    (tmp_path / ".env").write_text("RC_MCP_TIMEZONE=Asia/Kolkata\nRC_ACCESS_TOKEN=mine\n")
    assert str(load_time_zone()) == "Asia/Kolkata"
    monkeypatch.setenv("RC_MCP_TIMEZONE", "Mars/Olympus")
    assert load_time_zone() is None


def test_a_dotenv_file_without_the_login_does_not_set_the_http_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("RC_MCP_HTTP_TOKEN=a-token-that-others-know\n")
    monkeypatch.setenv("RC_USER_JWT", "canary")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == FOREIGN_SETTING.format(name="RC_MCP_HTTP_TOKEN", source="the environment")
    monkeypatch.setenv("RC_MCP_HTTP_TOKEN", "a-token-that-only-we-know")
    load_settings()


def test_a_dotenv_file_may_hold_both(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RC_SERVER_URL=https://platform.ringcentral.biz\nRC_ACCESS_TOKEN=x\n")
    assert load_settings().server_url == "https://platform.ringcentral.biz"


def test_a_folder_may_be_named_as_a_shell_names_it_and_is_the_same_from_everywhere(tmp_path: Path) -> None:
    settings = load_settings(RC_MCP_STATE_DIR="~/state", RC_MCP_DOWNLOAD_DIR="here", RC_MCP_POLICY="policy.toml")
    assert settings.state_dir == Path.home() / "state"
    assert settings.download_dir == Path.cwd() / "here"
    assert settings.policy == Path.cwd() / "policy.toml"
    with pytest.raises(SettingsError, match=f"^RC_MCP_STATE_DIR: {NO_HOME_OF_THAT_NAME}$"):
        load_settings(RC_MCP_STATE_DIR="~no-user-of-that-name/state")


def test_an_address_book_must_be_a_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "contacts.vcf"
    for wrong in [there, tmp_path]:
        monkeypatch.setenv("RC_MCP_CONTACTS", str(wrong))
        with pytest.raises(SettingsError, match=f"^RC_MCP_CONTACTS: {NO_SUCH_FILE}$"):
            load_settings()
    there.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RC_MCP_CONTACTS", there.name)
    assert load_settings().contacts == there


def test_a_dotenv_file_that_is_not_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match=f"^{re.escape(UNREADABLE)}$"):
        load_settings()
    monkeypatch.setenv("RC_MCP_STATE_DIR", "~/state")
    assert load_state_dir() == Path.home() / "state"
    monkeypatch.setenv("RC_MCP_STATE_DIR", "~no-user-of-that-name/state")
    with pytest.raises(SettingsError, match="RC_MCP_STATE_DIR"):
        load_state_dir()


def test_a_stop_goes_where_servers_look_and_not_where_a_dotenv_from_elsewhere_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = load_state_dir()
    (tmp_path / ".env").write_text(f"RC_MCP_STATE_DIR={tmp_path / 'theirs'}\n")
    monkeypatch.setenv("RC_USER_JWT", "canary")
    assert load_state_dir() == usual
    monkeypatch.delenv("RC_USER_JWT")
    (tmp_path / ".env").write_text(f"RC_USER_JWT=mine\nRC_MCP_STATE_DIR={tmp_path / 'mine'}\n")
    assert load_state_dir() == tmp_path / "mine"


def test_a_name_in_rare_letters_is_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("RC_MCP_HTTP_TO\u212aEN=a-token-that-others-know\n", "utf-8")
    monkeypatch.setenv("RC_USER_JWT", "canary")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == FOREIGN_SETTING.format(name="RC_MCP_HTTP_TOKEN", source="the environment")


def test_an_error_without_a_home_folder_names_the_variables_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("rc_mcp.settings.user_state_path", nowhere)
    monkeypatch.setattr("rc_mcp.settings.user_downloads_path", nowhere)
    for load in (load_settings, load_state_dir):
        with pytest.raises(SettingsError, match="RC_MCP_STATE_DIR"):
            load()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RC_USER_JWT", "RC_APP_CLIENT_SECRET", "RC_ACCESS_TOKEN"):
        monkeypatch.setenv(name, "canary")
    assert "canary" not in repr(load_settings())


@pytest.mark.parametrize(
    "address",
    [
        "http://platform.ringcentral.com",
        "https://",
        "https://user:pass@platform.ringcentral.com",
        "https://platform.ringcentral.com/path",
        "platform.ringcentral.com",
        "http://localhost.evil.example",
    ],
)
def test_an_address_credentials_should_not_go_to_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RC_SERVER_URL", address)
    with pytest.raises(SettingsError, match="RC_SERVER_URL"):
        load_settings()


@pytest.mark.parametrize("value", ["two words", "ends\n", "tab\there", "größe", "zero\u200bwidth"])
@pytest.mark.parametrize("name", ["RC_ACCESS_TOKEN", "RC_USER_JWT", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET"])
def test_a_credential_that_cannot_be_sent_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    ended = CliRunner().invoke(main, ["serve"])
    said = f"rc-mcp: {name}: has spaces, line breaks or characters that are not ASCII\n"
    assert (ended.exit_code, ended.stderr) == (2, said)


def test_the_time_zone_is_the_one_that_is_named_or_the_machines() -> None:
    assert str(load_settings(RC_MCP_TIMEZONE="Asia/Kolkata").timezone) == "Asia/Kolkata"
    assert load_settings().timezone.key


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "America", "/etc/localtime", "PST\n", "x" * 300])
def test_an_error_for_a_wrong_time_zone_names_its_variable(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^RC_MCP_TIMEZONE: .*America/New_York"):
        load_settings(RC_MCP_TIMEZONE=name)
