"""Settings: from the environment and a `.env`, and never a way to lure credentials away."""

from pathlib import Path

import pytest

from rc_mcp.settings import SettingsError, load_settings


def test_the_environment_wins_over_a_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("RC_MCP_ACCESS=admin\nRC_MCP_APPROVAL=human\n")
    monkeypatch.setenv("RC_MCP_ACCESS", "read")
    settings = load_settings()
    assert (settings.access, settings.approval) == ("read", "human")


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_MCP_ACCESS", "admin")
    assert load_settings(RC_MCP_ACCESS="read").access == "read"
    assert load_settings(RC_MCP_ACCESS=None).access == "admin"


@pytest.mark.parametrize("address", ["RC_SERVER_URL", "RC_MEDIA_URL"])
@pytest.mark.parametrize("secret", ["RC_USER_JWT", "RC_APP_CLIENT_SECRET", "RC_ACCESS_TOKEN"])
def test_a_dotenv_file_cannot_send_credentials_of_the_environment_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, secret: str
) -> None:
    (tmp_path / ".env").write_text(f"{address}=https://evil.example\n")
    monkeypatch.setenv(secret, "canary")
    with pytest.raises(SettingsError, match=address) as caught:
        load_settings()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("login", ["RC_USER_JWT", "RC_APP_CLIENT_ID", "RC_ACCESS_TOKEN"])
def test_a_dotenv_file_cannot_bring_rules_for_a_login_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    (tmp_path / ".env").write_text("RC_MCP_POLICY=policy.toml\n")
    assert load_settings().policy == Path("policy.toml")
    monkeypatch.setenv(login, "canary")
    with pytest.raises(SettingsError, match="RC_MCP_POLICY") as caught:
        load_settings()
    assert "canary" not in str(caught.value)
    monkeypatch.setenv("RC_MCP_POLICY", "own.toml")
    assert load_settings().policy == Path("own.toml")


def test_a_dotenv_file_may_hold_both(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RC_SERVER_URL=https://platform.ringcentral.biz\nRC_ACCESS_TOKEN=x\n")
    assert load_settings().server_url == "https://platform.ringcentral.biz"


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


def test_the_time_zone_is_the_one_that_is_named_or_the_machines() -> None:
    assert str(load_settings(RC_MCP_TIMEZONE="Asia/Kolkata").timezone) == "Asia/Kolkata"
    assert load_settings().timezone.key


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "America", "/etc/localtime", "PST\n", "x" * 300])
def test_what_is_no_time_zone_is_refused_by_the_name_of_its_variable(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^RC_MCP_TIMEZONE: .*such as America/New_York"):
        load_settings(RC_MCP_TIMEZONE=name)
