"""RingCentral logins that all replicas share: renewed once, never lost, and never more than one session each."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.login.sessions import Terms
from rc_mcp.ringcentral import LoginEnded, LoginNotKept, PersonAuth
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.team import logins as team_logins
from rc_mcp.team.advisory_locks import AdvisoryLocks
from rc_mcp.team.database import Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import LOCKED, LOG_IN_AGAIN, REPLACED, SEALED_WITH_ANOTHER_KEY, Logins, login_name
from rc_mcp.team.people import Person, admit
from tests.desk import Clock

pytestmark = [pytest.mark.anyio, pytest.mark.process]

LIST = "/restapi/v1.0/account/~/extension/~/message-store"
AN_HOUR_S = 3_600


def new_session(emulator: Emulator, person: Person) -> Tokens:
    """Log this person in at RingCentral."""
    user = next(each for each in emulator.users if each.extension_id == person.extension_id)
    session = emulator.sessions.start(user, Terms(AN_HOUR_S, 604_800))
    at = emulator.clock().timestamp()
    return Tokens(session.access_token, session.refresh_token or "", person.extension_id, at, at + AN_HOUR_S - 60)


class Team:
    """People of one account at the emulator, and the logins as each replica has them."""

    def __init__(self, emulator: Emulator, clock: Clock, url: str, keys: KeyRing) -> None:
        self.emulator = emulator
        self.clock = clock
        self.url = url
        self.keys = keys

    def logins(self, database: Database, keys: KeyRing | None = None) -> Logins:
        return Logins(
            database,
            keys or self.keys,
            self.emulator.server_url,
            self.emulator.client_id,
            "",
            transport=httpx.ASGITransport(app=self.emulator.app),
        )

    def database(self) -> Database:
        return Database(self.url, now=self.clock)

    def new_session(self, person: Person) -> Tokens:
        return new_session(self.emulator, person)

    def is_alive(self, tokens: Tokens) -> bool:
        return self.emulator.sessions.user(tokens.access_token) is not None

    async def read(self, auth: PersonAuth, method: str = "GET", path: str = LIST) -> int:
        auth.allow(httpx.URL(self.emulator.server_url))
        transport = httpx.ASGITransport(app=self.emulator.app)
        with anyio.fail_after(60):
            async with httpx.AsyncClient(auth=auth, transport=transport, base_url=self.emulator.server_url) as http:
                return (await http.request(method, path)).status_code

    def refreshes(self) -> int:
        return sum(request.path.endswith("/token") for request in self.emulator.requests)

    def pass_time(self, seconds: float) -> None:
        self.emulator.clock.advance(seconds=seconds)
        self.clock.time = self.emulator.clock()


@pytest.fixture
async def team(database_url: str, keys: KeyRing) -> AsyncGenerator[Team]:
    clock = Clock()
    with Emulator(scenario="empty", rate_limits=False, now=clock, time_scale=0) as emulator:
        yield Team(emulator, clock, database_url, keys)


@pytest.fixture
async def one(team: Team) -> AsyncGenerator[Database]:
    """The database as one replica has it."""
    async with team.database() as database:
        yield database


@pytest.fixture
async def other(team: Team) -> AsyncGenerator[Database]:
    """The database as another replica has it."""
    async with team.database() as database:
        yield database


@pytest.fixture
async def person(team: Team, one: Database) -> Person:
    return await admit(one, team.emulator.server_url, team.emulator.account_id, team.emulator.extension_id)


async def test_a_login_kept_on_one_replica_is_used_on_another(
    team: Team, one: Database, other: Database, person: Person
) -> None:
    await team.logins(one).keep(person, team.new_session(person))

    assert await team.read(team.logins(other).auth_for(person)) == 200
    assert team.refreshes() == 0


async def test_64_callers_on_two_replicas_make_one_renewal(
    team: Team, one: Database, other: Database, person: Person
) -> None:
    replicas = [team.logins(one), team.logins(other)]
    await replicas[0].keep(person, team.new_session(person))
    team.pass_time(AN_HOUR_S)
    statuses: list[int] = []

    async def call(logins: Logins) -> None:
        statuses.append(await team.read(logins.auth_for(person)))

    async with anyio.create_task_group() as tasks:
        for logins in replicas * 32:
            tasks.start_soon(call, logins)

    assert (statuses, team.refreshes()) == ([200] * 64, 1)


async def test_nobody_reads_with_the_login_of_another(team: Team, one: Database, person: Person) -> None:
    colleague = await admit(one, "https://rc.test", person.account_id, team.emulator.users[1].extension_id)
    await team.logins(one).keep(person, team.new_session(person))
    async with one.transaction() as db:  # even if a row of the database is another's
        await db.execute(
            "INSERT INTO ringcentral_login SELECT %s, sealed FROM ringcentral_login WHERE person = %s",
            (colleague.id, person.id),
        )

    with pytest.raises(LoginEnded):
        await team.read(team.logins(one).auth_for(colleague))


async def test_a_new_login_ends_the_session_of_the_former(
    team: Team, one: Database, other: Database, person: Person
) -> None:
    sessions = [team.new_session(person)]
    await team.logins(one).keep(person, sessions[0])
    in_use = team.logins(other).auth_for(person)
    assert await team.read(in_use) == 200

    for _ in range(9):
        sessions.append(team.new_session(person))
        await team.logins(one).keep(person, sessions[-1])

    assert [team.is_alive(each) for each in sessions] == [False] * 9 + [True]
    assert await team.read(in_use) == 200  # another replica goes over to the new login
    assert team.refreshes() == 0


async def test_a_login_that_is_forgotten_is_ended_at_ringcentral(team: Team, one: Database, person: Person) -> None:
    tokens = team.new_session(person)
    await team.logins(one).keep(person, tokens)
    await team.logins(one).forget(person)

    assert not team.is_alive(tokens)
    with pytest.raises(LoginEnded, match=LOG_IN_AGAIN):
        await team.read(team.logins(one).auth_for(person))


async def test_a_login_that_ringcentral_ended_says_how_to_log_in_again(
    team: Team, one: Database, person: Person
) -> None:
    await team.logins(one).keep(person, team.new_session(person))
    team.emulator.sessions.end_all()

    with pytest.raises(LoginEnded, match=LOG_IN_AGAIN) as caught:
        await team.read(team.logins(one).auth_for(person))
    assert "rc-mcp login" not in str(caught.value)


async def test_a_login_whose_key_was_taken_away_has_ended(team: Team, one: Database, person: Person) -> None:
    first, second = "a first key of the tests, of 32 characters", "a second key of the tests, of 32 characters"
    await team.logins(one, KeyRing([first])).keep(person, team.new_session(person))
    assert await team.read(team.logins(one, KeyRing([second, first])).auth_for(person)) == 200

    with pytest.raises(LoginEnded, match=SEALED_WITH_ANOTHER_KEY):
        await team.read(team.logins(one, KeyRing([second])).auth_for(person))
    await team.logins(one, KeyRing([second])).keep(person, team.new_session(person))
    assert await team.read(team.logins(one, KeyRing([second])).auth_for(person)) == 200


async def test_the_clock_of_the_process_that_logged_in_does_not_matter(
    team: Team, one: Database, person: Person
) -> None:
    tokens = team.new_session(person)
    ten_minutes_ahead = replace(tokens, issued_at=tokens.issued_at + 600, good_until=tokens.good_until + 600)
    await team.logins(one).keep(person, ten_minutes_ahead)
    team.pass_time(AN_HOUR_S - 30)

    assert await team.read(team.logins(one).auth_for(person)) == 200
    assert team.refreshes() == 1


async def test_the_wait_for_another_replica_is_limited(
    team: Team, one: Database, other: Database, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await team.logins(one).keep(person, team.new_session(person))
    monkeypatch.setattr(team_logins, "LIMITS", replace(LIMITS, login_lock_s=0.1))

    async with AdvisoryLocks(team.url).held(login_name(person), 5) as is_held:
        assert is_held
        with pytest.raises(LoginNotKept, match=LOCKED):
            await team.read(team.logins(other).auth_for(person))
    assert await team.read(team.logins(other).auth_for(person)) == 200


async def test_a_renewal_that_lost_its_lock_does_not_overwrite_a_new_login(
    team: Team, one: Database, other: Database, person: Person
) -> None:
    await team.logins(one).keep(person, team.new_session(person))
    team.pass_time(AN_HOUR_S)
    newer: list[Tokens] = []

    class LosesItsLock(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            if request.url.path.endswith("/token"):
                await end_locks(one)
                newer.append(team.new_session(person))
                await team.logins(other).keep(person, newer[0])
            return answer

    auth = team.logins(one).auth_for(person)
    auth.allow(httpx.URL(team.emulator.server_url))
    async with httpx.AsyncClient(auth=auth, transport=LosesItsLock(app=team.emulator.app)) as http:
        with pytest.raises(LoginNotKept, match=REPLACED):
            await http.get(f"{team.emulator.server_url}{LIST}")

    assert await team.read(auth) == 200
    assert team.is_alive(newer[0])


async def test_without_the_database_a_call_says_so_and_a_new_login_is_ended(
    team: Team, one: Database, person: Person
) -> None:
    await team.logins(one).keep(person, team.new_session(person))
    fresh = team.new_session(person)
    async with Database("postgresql://localhost:1/none", now=team.clock) as away:
        with anyio.fail_after(60), pytest.raises(LoginNotKept, match="database does not answer"):
            await team.read(team.logins(away).auth_for(person))
        with pytest.raises(LoginNotKept, match="database does not answer"):
            await team.logins(away).keep(person, fresh)

    assert not team.is_alive(fresh)


async def end_locks(database: Database) -> None:
    """End the sessions that hold advisory locks, as a broken connection does."""
    async with database.transaction() as db:
        await db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
