"""`rc-mcp database`: what an operator sees of a database, and what not."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict

from rc_mcp.cli import main
from rc_mcp.cli.database import READY
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import login_name
from rc_mcp.team.people import admit
from tests.team import postgres
from tests.team.replicas import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.process]

Command = Callable[..., Result]
ROLE = Path(__file__).parents[2] / "examples" / "team" / "role.sh"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `rc-mcp database ...` for the database at this address."""

    def run(command: str, url: str) -> Result:
        monkeypatch.setenv("RC_MCP_DATABASE_URL", url)
        return CliRunner().invoke(main, ["database", command])

    return run


def statement(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        for each in statements:
            db.execute(each.encode())


async def test_a_migrated_database_is_ready(run: Command, database: Database, database_url: str) -> None:
    await admit(database, "https://rc.test", "4010000001", "5010000001")

    checked = run("check", database_url)

    assert (checked.exit_code, checked.output.splitlines()[-1]) == (0, READY)
    assert "tenants: 1 (0 stopped, 0 with a policy), 1 people" in checked.output


async def test_logins_that_no_key_opens_are_a_fault_and_counted(
    run: Command, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for extension_id, key in (("501", KEY), ("502", "a key that is no longer in the ring")):
        person = await admit(database, "https://rc.test", "401", extension_id)
        sealed = KeyRing([key]).seal(b"a login", login_name(person))
        async with database.transaction() as db:
            await db.execute("INSERT INTO ringcentral_login (person, sealed) VALUES (%s, %s)", (person.id, sealed))

    assert "note  logins: not checked" in run("check", database_url).output
    monkeypatch.setenv("RC_MCP_SECRET_KEYS", KEY)
    checked = run("check", database_url)

    assert checked.exit_code == 1
    assert "fault logins: no key opens 1 of 2" in checked.output


async def test_a_check_changes_nothing(run: Command, database: Database, database_url: str) -> None:
    run("check", database_url)

    async with database.transaction() as db:
        assert await (await db.execute("SELECT count(*) FROM file_link")).fetchone() == (0,)


def test_an_empty_database_needs_the_migration(run: Command, postgres_url: str) -> None:
    with postgres.fresh(postgres_url, "template0") as url:
        before = run("check", url)
        migrated = run("migrate", url)
        after = run("check", url)

    assert (before.exit_code, migrated.exit_code, after.exit_code) == (1, 0, 0)
    assert "Run rc-mcp database migrate" in before.output


def test_a_database_of_a_newer_version_is_left_as_it_is(run: Command, database_url: str) -> None:
    statement(database_url, "UPDATE rc_mcp.version SET number = 99")

    assert [run(command, database_url).exit_code for command in ("check", "migrate", "check")] == [1, 1, 1]
    assert "newer" in run("check", database_url).output


def test_a_read_only_database_is_a_fault_with_its_name(run: Command, database_url: str) -> None:
    name = conninfo_to_dict(database_url)["dbname"]
    statement(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    checked = run("check", database_url)

    assert checked.exit_code == 1
    assert "writing: it is read-only; deletes are refused" in checked.output


def test_a_role_that_may_not_make_schemas_is_a_fault(run: Command, database_url: str) -> None:
    role = "narrow"
    statement(
        database_url,
        f"DROP ROLE IF EXISTS {role}",
        f"CREATE ROLE {role} LOGIN PASSWORD 'a-password-of-nobody'",
        f"GRANT USAGE ON SCHEMA rc_mcp TO {role}",
        f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA rc_mcp TO {role}",
    )
    try:
        checked = run("check", database_url.replace("//postgres:", f"//{role}:"))
    finally:
        statement(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    assert checked.exit_code == 1
    assert "may not create schemas" in checked.output


def test_the_role_of_the_example_has_the_rights_that_are_needed(run: Command, postgres_url: str) -> None:
    folder = str(conninfo_to_dict(postgres_url)["host"])
    environment = {"PATH": f"{postgres.PROGRAMS}:/usr/bin:/bin", "PGHOST": folder, "DATABASE_PASSWORD": "it's secret"}
    subprocess.run([str(ROLE)], env=environment, check=True, capture_output=True)
    url = f"postgresql://rc_mcp@/rc_mcp?host={folder}"
    try:
        migrated, checked = run("migrate", url), run("check", url)
    finally:
        statement(postgres_url, "DROP DATABASE rc_mcp WITH (FORCE)", "DROP ROLE rc_mcp")

    assert (migrated.exit_code, checked.exit_code) == (0, 0)
    assert "ok    role: it may create schemas, and is no superuser" in checked.output


@pytest.mark.parametrize("command", ["check", "migrate"])
def test_what_cannot_be_reached_is_said_without_the_address(command: str, run: Command) -> None:
    ended = run(command, "postgresql://a-user:a-password@127.0.0.1:9/a-database?connect_timeout=2")

    assert ended.exit_code == 1
    assert "cannot be reached" in ended.output
    assert [word for word in ("a-user", "a-password", "127.0.0.1", "a-database") if word in ended.output] == []


@pytest.mark.parametrize(
    ("url", "fault"),
    [("", "RC_MCP_DATABASE_URL is not set"), ("mysql://x", "must be an address such as postgresql://")],
)
def test_a_wrong_address_is_one_line(url: str, fault: str, run: Command) -> None:
    ended = run("check", url)

    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert fault in ended.stderr
