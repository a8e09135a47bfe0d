"""What operators see and do, by the command and over HTTP: the same."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from starlette.responses import PlainTextResponse

from rc_mcp import time_limits
from rc_mcp.cli import main
from rc_mcp.cli.database import NO_TENANTS
from rc_mcp.cli.policy_check import EMPTY
from rc_mcp.cli.stop import NOT_STOPPED, QUIET_TENANT, RESUMED, WAITING
from rc_mcp.guard.refusals import Busy
from rc_mcp.guard.state.journal import Journal
from rc_mcp.team.database import Database
from rc_mcp.team.operator_api import BY, METRICS, with_operators
from rc_mcp.team.operators import NoTenant, Operators
from rc_mcp.team.people import Person, admit
from rc_mcp.team.tenant_state import GuardDatabase
from tests.team import replicas

pytestmark = [pytest.mark.anyio, pytest.mark.process]

TOKEN = SecretStr("an-operators-token-of-24-or-more")
POLICY = '[protected]\nnames = ["Courthouse"]\n'
TENANT, OTHER = "4010000001", "4020000001"
NO_TENANT = str(NoTenant())
OTHERS = PlainTextResponse("the others")
"""The application at all other addresses."""
AWAY = "postgresql://a-user:a-password@127.0.0.1:9/a-database"

Command = Callable[..., Awaitable[Result]]


@dataclass
class Team:
    """Two tenants with one person each."""

    states: GuardDatabase
    one: Person
    other: Person

    def journal(self, person: Person) -> Journal:
        return Journal(self.states.of(person.account_id))

    def refuse(self, person: Person, reason: str) -> None:
        """Journal that the guard refused a call of this person."""
        row = {"operation": None, "principal": person.id, "tool": "delete_message", "details": {"reason": reason}}
        self.journal(person).append("refused", **row)  # type: ignore[arg-type]


@pytest.fixture
def states(database_url: str) -> Generator[GuardDatabase]:
    with GuardDatabase(database_url) as states:
        yield states


@pytest.fixture
async def team(database: Database, states: GuardDatabase) -> Team:
    one = await admit(database, "https://rc.test", TENANT, "5010000001")
    return Team(states, one, await admit(database, "https://rc.test", OTHER, "5020000001"))


@pytest.fixture
async def http(database: Database, states: GuardDatabase) -> AsyncGenerator[httpx.AsyncClient]:
    """An operator's client."""
    app = with_operators(
        Operators(database, states.of), TOKEN, lambda: b"a_metric 1\n", PlainTextResponse("the others")
    )
    headers = {"Authorization": f"Bearer {TOKEN.get_secret_value()}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7", headers=headers) as client:
        yield client


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Command:
    """Run a command, as an operator does."""
    monkeypatch.setenv("RC_MCP_DATABASE_URL", database_url)

    async def run(*words: str, typed: str = "") -> Result:
        return await anyio.to_thread.run_sync(partial(CliRunner().invoke, main, words, input=typed))

    return run


async def test_tenants_are_counted_and_nobody_is_named(team: Team, http: httpx.AsyncClient) -> None:
    answer = (await http.get("/operator/tenants")).json()

    shown = [{k: v for k, v in tenant.items() if k != "since"} for tenant in answer["tenants"]]
    assert shown == [
        {"account_id": each, "people": 1, "stopped": False, "has_policy": False} for each in (TENANT, OTHER)
    ]
    assert answer["has_more"] is False
    assert len((await http.get("/operator/tenants", params={"after": TENANT})).json()["tenants"]) == 1


async def test_the_command_lists_the_ids_of_tenants(team: Team, run: Command) -> None:
    listed = await run("database", "tenants")

    assert [line.split()[:2] for line in listed.output.splitlines()[1:]] == [[TENANT, "1"], [OTHER, "1"]]


async def test_without_tenants_the_command_says_so(run: Command) -> None:
    assert (await run("database", "tenants")).output.strip() == NO_TENANTS


async def test_stop_and_resume_hold_for_one_tenant_and_are_journaled(team: Team, http: httpx.AsyncClient) -> None:
    stop, resume = f"/operator/tenants/{TENANT}/stop", f"/operator/tenants/{TENANT}/resume"

    stopped = [(await http.post(stop)).json() for _ in range(2)]
    assert [await team.states.of(each).is_stopped() for each in (TENANT, OTHER)] == [True, False]
    resumed = [(await http.post(resume)).json() for _ in range(2)]

    assert stopped == [{"stopped": True, "changed": changed, "not_recorded": None} for changed in (True, False)]
    assert resumed == [{"stopped": False, "changed": changed, "not_recorded": None} for changed in (True, False)]
    entries = team.journal(team.one).entries()
    assert [(entry.event, entry.tool) for entry in entries] == [("stopped", BY), ("resumed", BY)]
    assert team.journal(team.other).entries() == []


async def test_the_commands_stop_and_resume_a_tenant(team: Team, run: Command) -> None:
    stopped = await run("stop", "--tenant", TENANT)
    assert (stopped.exit_code, await team.states.of(TENANT).is_stopped()) == (0, True)
    assert QUIET_TENANT.format(tenant=TENANT) in stopped.output
    assert WAITING not in stopped.output

    resumed = [(await run("resume", "--tenant", TENANT)).output.strip() for _ in range(2)]
    assert (resumed, await team.states.of(TENANT).is_stopped()) == ([RESUMED, NOT_STOPPED], False)


async def test_the_change_lock_is_free_without_patience_and_taken_while_a_change_has_it(team: Team) -> None:
    async with team.states.of(TENANT).changing(0):
        with pytest.raises(Busy):
            async with team.states.of(TENANT).changing(0):
                pass
        async with team.states.of(OTHER).changing(0):
            pass
    async with team.states.of(TENANT).changing(0):
        pass


async def test_the_journal_names_the_extension_of_each_person(
    team: Team, http: httpx.AsyncClient, run: Command
) -> None:
    team.refuse(team.one, "protected")
    team.refuse(team.other, "stopped")

    over_http = (await http.get(f"/operator/tenants/{TENANT}/audit", params={"since": "1d"})).json()
    printed = await run("audit", "--json", "--tenant", TENANT)
    table = await run("audit", "--tenant", TENANT, "--since", "1d")

    assert [entry["extension_id"] for entry in over_http["entries"]] == [team.one.extension_id]
    assert [json.loads(line) for line in printed.output.splitlines()] == over_http["entries"]
    assert team.one.extension_id in table.output
    assert "refused: protected" in table.output


async def test_only_the_newest_are_shown_and_there_are_more(team: Team, http: httpx.AsyncClient) -> None:
    for reason in ("one", "two", "three"):
        team.refuse(team.one, reason)

    answer = (await http.get(f"/operator/tenants/{TENANT}/audit", params={"last": 2})).json()

    assert [json.loads(entry["detail"])["reason"] for entry in answer["entries"]] == ["two", "three"]
    assert answer["has_more"] is True


async def test_verify_finds_a_changed_entry_of_a_tenant(
    team: Team, database_url: str, database: Database, run: Command
) -> None:
    team.refuse(team.one, "protected")
    before = await run("audit", "verify", "--tenant", TENANT)

    async with database.transaction() as db:
        await db.execute(f"ALTER TABLE rc_mcp_{TENANT}.entry DISABLE TRIGGER USER")  # type: ignore[arg-type]
        await db.execute(f"UPDATE rc_mcp_{TENANT}.entry SET detail = '{{}}'")  # type: ignore[arg-type]  # noqa: S608

    assert (before.exit_code, (await run("audit", "verify", "--tenant", TENANT)).exit_code) == (0, 1)
    assert (await run("audit", "verify", "--tenant", OTHER)).exit_code == 0


async def test_a_policy_is_set_shown_and_removed(
    team: Team, http: httpx.AsyncClient, run: Command, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)

    assert (await run("policy", "set", str(file), "--tenant", TENANT)).exit_code == 0
    assert (await run("policy", "show", "--tenant", TENANT)).stdout == POLICY
    assert (await http.get(f"/operator/tenants/{TENANT}/policy")).json() == {"policy": POLICY}
    assert (await http.get(f"/operator/tenants/{OTHER}/policy")).json() == {"policy": None}

    assert (await http.put(f"/operator/tenants/{TENANT}/policy", json={"policy": None})).status_code == 200
    assert (await run("policy", "show", "--tenant", TENANT)).stdout == ""
    assert (await http.put(f"/operator/tenants/{TENANT}/policy", json={"policy": POLICY})).status_code == 200
    assert (await run("policy", "remove", "--tenant", TENANT)).exit_code == 0
    assert (await http.get(f"/operator/tenants/{TENANT}/policy")).json() == {"policy": None}


async def test_a_policy_is_taken_from_standard_input_but_not_an_empty_one(team: Team, run: Command) -> None:
    given = [await run("policy", "set", "-", "--tenant", TENANT, typed=text) for text in (POLICY, "\n")]

    assert [each.exit_code for each in given] == [0, 1]
    assert EMPTY.format(name="standard input") in given[1].stderr
    assert (await run("policy", "show", "--tenant", TENANT)).stdout == POLICY


async def test_a_policy_with_a_fault_is_not_kept(
    team: Team, http: httpx.AsyncClient, run: Command, tmp_path: Path
) -> None:
    address = f"/operator/tenants/{TENANT}/policy"
    await http.put(address, json={"policy": POLICY})
    file = tmp_path / "policy.toml"
    file.write_text("[protectd]\n")

    refused = await http.put(address, json={"policy": "[protectd]\n"})
    by_command = await run("policy", "set", str(file), "--tenant", TENANT)

    assert (refused.status_code, by_command.exit_code) == (422, 1)
    assert [part in (refused.json()["faults"][0], by_command.stderr)[i] for i, part in enumerate(["protected"] * 2)]
    assert (await http.get(address)).json() == {"policy": POLICY}


async def test_what_is_no_policy_is_refused(team: Team, http: httpx.AsyncClient) -> None:
    address = f"/operator/tenants/{TENANT}/policy"
    bodies = [b"", b"not json", b"[]", b'{"policy": 5}', b'{"policy": "\\ud800"}', b'{"policy": "\\u0000"}', b"{}"]

    refused = [await http.put(address, content=body) for body in bodies]

    assert {answer.status_code for answer in refused} == {400}
    assert all("Nothing was changed" in answer.json()["error"] for answer in refused)
    assert (await http.put(address, content=b" " * 3_000_000)).status_code == 413
    assert (await http.get(address)).json() == {"policy": None}


async def test_a_wrong_query_is_refused_by_name(team: Team, http: httpx.AsyncClient) -> None:
    for query in ("since=yesterday", "last=0", "last=100000", "last=x", "last=٣"):
        refused = await http.get(f"/operator/tenants/{TENANT}/audit?{query}")

        assert refused.status_code == 400
        assert refused.json()["error"].startswith(query.partition("=")[0])


async def test_an_unknown_tenant_has_nothing(team: Team, http: httpx.AsyncClient, run: Command) -> None:
    for account_id in ("4090000001", "x", "%00", "1; DROP TABLE tenant", "9" * 21, "٣"):
        address = f"/operator/tenants/{account_id}"
        answers = [await http.get(f"{address}/audit"), await http.get(f"{address}/policy")]
        answers += [await http.post(f"{address}/stop"), await http.post(f"{address}/resume")]
        answers += [await http.put(f"{address}/policy", json={"policy": POLICY})]
        assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(404, NO_TENANT)}

    for words in (["stop"], ["resume"], ["audit"], ["audit", "verify"], ["policy", "show"]):
        ended = await run(*words, "--tenant", "4090000001")
        assert (ended.exit_code, ended.stderr.count("\n")) == (1, 1)
        assert NO_TENANT in ended.stderr


async def test_without_the_token_there_is_no_answer(team: Team, http: httpx.AsyncClient) -> None:
    paths = ("/operator/tenants", f"/operator/tenants/{TENANT}/stop", "/operator/other", "/operator", METRICS)
    tokens = ("", "Bearer ", "Bearer another", f"Basic {TOKEN.get_secret_value()}")

    for method in ("GET", "POST", "PUT"):
        asked = [http.request(method, path, headers={"Authorization": t}) for path in paths for t in tokens]
        assert {(await each).status_code for each in asked} == {401}
    assert await team.states.of(TENANT).is_stopped() is False


async def test_metrics_are_served_and_all_other_addresses_belong_to_the_application(http: httpx.AsyncClient) -> None:
    assert (await http.get(METRICS)).text == "a_metric 1\n"
    assert [(await http.get(path)).text for path in ("/mcp", "/operators", "/metricsx")] == ["the others"] * 3
    assert (await http.get("/operator/other")).status_code == 404


async def test_a_replica_has_these_addresses_if_operators_have_a_token(database: Database, database_url: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN.get_secret_value()}"}
    async with (
        replicas.team(database, database_url, 0) as office,
        httpx.AsyncClient(headers=headers) as asking,
        office.replica(),
        office.replica(RC_MCP_HTTP_TOKEN=TOKEN.get_secret_value()),
    ):
        without, with_token = [
            [(await asking.get(f"{address}{path}")).status_code for path in ("/operator/tenants", METRICS)]
            for address in office.addresses
        ]

    assert with_token == [200, 200]
    assert without == [421, 421]


async def test_a_database_that_is_away_is_said_without_its_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time_limits, "DATABASE_S", 1.0)
    monkeypatch.setenv("RC_MCP_DATABASE_URL", AWAY)
    async with Database(AWAY) as away:
        app = with_operators(Operators(away, GuardDatabase(AWAY).of), TOKEN, bytes, OTHERS)
        headers = {"Authorization": f"Bearer {TOKEN.get_secret_value()}"}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
            answer = await client.get("/operator/tenants")
    ended = await anyio.to_thread.run_sync(partial(CliRunner().invoke, main, ["stop", "--tenant", TENANT]))

    assert (answer.status_code, ended.exit_code, ended.stderr.count("\n")) == (503, 1, 1)
    assert ended.stderr.startswith("rc-mcp: NOT stopped: ")
    said = answer.text + ended.output + "".join(capfd.readouterr())
    assert [word for word in ("a-user", "a-password", "127.0.0.1", "a-database") if word in said] == []
