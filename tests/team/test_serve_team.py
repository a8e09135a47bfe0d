"""rc-mcp serve --http --team as an operator starts it: one clear line when something is missing, and a graceful end."""

import subprocess
import sys
from collections.abc import Mapping

import httpx2 as httpx
import psycopg
import pytest
from click.testing import CliRunner

from rc_mcp.cli import main
from tests.serving import RC_MCP, served

pytestmark = pytest.mark.process

NEEDED = {
    "RC_MCP_DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "RC_MCP_PUBLIC_URL": "https://team.test",
    "RC_MCP_SECRET_KEYS": "a-key-of-the-tests-with-32-characters-or-more",
    "RC_APP_CLIENT_ID": "client",
}
SERVE = ["serve", "--http", "--team", "--port", "0"]


def refused(env: Mapping[str, str | None], *options: str, exit_code: int = 2) -> str:
    """Start a replica that does not start; return the line that says why."""
    ended = CliRunner().invoke(main, [*SERVE, *options], env=env)
    assert ended.exit_code == exit_code, ended.output
    assert ended.output.count("\n") == 1
    return ended.output


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_setting_is_named(name: str) -> None:
    assert f"{name} is not set" in refused({**NEEDED, name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RC_MCP_MIRROR", "on"),
        ("RC_MCP_CONTACTS", __file__),
        ("RC_MCP_APPROVAL_PAGE", "on"),
        ("RC_MCP_TRANSCRIBE", "all"),
        ("RC_MCP_EXTENSIONS", "1"),
        ("RC_USER_JWT", "jwt"),
        ("RC_ACCESS_TOKEN", "token"),
    ],
)
def test_what_a_team_cannot_have_is_named(name: str, value: str) -> None:
    assert f"{name} is set, but" in refused({**NEEDED, name: value})


@pytest.mark.parametrize("options", [["--demo"], ["--allow-host", "x.test"], ["--unauthenticated"]])
def test_an_option_for_one_person_is_refused(options: list[str]) -> None:
    assert f"{options[0]} does not go with --team" in refused(NEEDED, *options)


def test_a_team_is_served_over_http_only() -> None:
    ended = CliRunner().invoke(main, ["serve", "--team"])

    assert (ended.exit_code, "--team needs --http" in ended.output) == (2, True)


def test_plain_http_is_for_this_machine_only() -> None:
    assert "RC_MCP_PUBLIC_URL" in refused({**NEEDED, "RC_MCP_PUBLIC_URL": "http://messages.example.com"})


def test_a_database_that_does_not_answer_is_said_to_be_away_without_its_address() -> None:
    said = refused(NEEDED, exit_code=1)

    assert "does not answer (it cannot be reached)" in said
    assert "127.0.0.1" not in said


def test_an_older_database_is_said_to_be_one(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("UPDATE rc_mcp.version SET number = 0")

    assert "rc-mcp database migrate" in refused({**NEEDED, "RC_MCP_DATABASE_URL": database_url})


def test_without_the_extra_the_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['psycopg'] = None; from rc_mcp.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, *SERVE], env=NEEDED, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "rc-mcp[team]" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_replica_starts_says_that_it_is_ready_and_ends(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**NEEDED, "RC_MCP_DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    with served(*RC_MCP, *SERVE) as replica:
        address = replica.address.removesuffix("/mcp")
        assert httpx.get(f"{address}/healthz").text == httpx.get(f"{address}/readyz").text == "ok\n"
        here = {"Host": "team.test"}
        about = httpx.get(f"{address}/.well-known/oauth-authorization-server", headers=here).json()
        assert about["issuer"] == "https://team.test"
        assert httpx.post(replica.address, json={}, headers=here).status_code == 401
    assert not any("Traceback" in line for line in replica.log)
    assert any("a team at https://team.test" in line for line in replica.log)
