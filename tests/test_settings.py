"""Settings: from the environment and a `.env`, and never a way to lure credentials away."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rc_mcp.cli import main
from rc_mcp.settings import SettingsError, load_settings, load_state_dir


def test_the_environment_wins_over_a_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("RC_MCP_ACCESS=admin\nRC_MCP_APPROVAL=human\n")
    monkeypatch.setenv("RC_MCP_ACCESS", "read")
    settings = load_settings()
    assert (settings.access, settings.approval) == ("read", "human")


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_MCP_ACCESS", "admin")
    assert load_settings(RC_MCP_ACCESS="read").access == "read"
    assert load_settings(RC_MCP_ACCESS=None).access == "admin"


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


@pytest.mark.parametrize(
    "name", ["RC_MCP_POLICY", "RC_MCP_STATE_DIR", "RC_MCP_EXTENSIONS", "RC_MCP_DOWNLOAD_DIR", "rc_mcp_policy"]
)
@pytest.mark.parametrize("login", ["RC_USER_JWT", "RC_ACCESS_TOKEN", "that of rc-mcp login"])
def test_a_dotenv_file_has_no_say_over_a_login_that_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, login: str
) -> None:
    (tmp_path / ".env").write_text(f"RC_APP_CLIENT_ID=public\n{name}=1\n")
    monkeypatch.setenv("RC_APP_CLIENT_ID" if login == "that of rc-mcp login" else login, "canary")
    with pytest.raises(SettingsError, match=name.upper()) as caught:
        load_settings()
    assert "canary" not in str(caught.value)
    monkeypatch.setenv(name.upper(), "2")
    load_settings()


def test_a_dotenv_file_does_not_say_whom_a_server_with_a_login_from_elsewhere_lets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("RC_MCP_HTTP_TOKEN=a-token-that-strangers-know\n")
    monkeypatch.setenv("RC_USER_JWT", "canary")
    with pytest.raises(SettingsError, match="RC_MCP_HTTP_TOKEN stands in") as caught:
        load_settings()
    assert "strangers" not in str(caught.value)
    monkeypatch.setenv("RC_MCP_HTTP_TOKEN", "a-token-that-nobody-else-knows")
    load_settings()


def test_a_dotenv_file_may_hold_both(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RC_SERVER_URL=https://platform.ringcentral.biz\nRC_ACCESS_TOKEN=x\n")
    assert load_settings().server_url == "https://platform.ringcentral.biz"


def test_a_folder_may_be_named_as_a_shell_names_it_and_is_the_same_from_everywhere(tmp_path: Path) -> None:
    settings = load_settings(RC_MCP_STATE_DIR="~/state", RC_MCP_DOWNLOAD_DIR="here", RC_MCP_POLICY="policy.toml")
    assert settings.state_dir == Path.home() / "state"
    assert settings.download_dir == Path.cwd() / "here"
    assert settings.policy == Path.cwd() / "policy.toml"
    with pytest.raises(SettingsError, match="RC_MCP_STATE_DIR: names a home folder that is not there"):
        load_settings(RC_MCP_STATE_DIR="~nobody-of-that-name/state")


def test_a_dotenv_file_that_is_no_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match=r"^\.env .* UTF-8"):
        load_settings()
    monkeypatch.setenv("RC_MCP_STATE_DIR", "~/state")
    assert load_state_dir() == Path.home() / "state"
    monkeypatch.setenv("RC_MCP_STATE_DIR", "~nobody-of-that-name/state")
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
    (tmp_path / ".env").write_text("RC_MCP_HTTP_TO\u212aEN=a-token-that-strangers-know\n", "utf-8")
    monkeypatch.setenv("RC_USER_JWT", "canary")
    with pytest.raises(SettingsError, match="RC_MCP_HTTP_TOKEN stands in"):
        load_settings()


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_what_is_no_time_zone_is_refused_by_the_name_of_its_variable(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^RC_MCP_TIMEZONE: .*such as America/New_York"):
        load_settings(RC_MCP_TIMEZONE=name)
