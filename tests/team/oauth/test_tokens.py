"""Codes and tokens: what each is good for, how long, and what happens when one is stolen."""

from datetime import timedelta
from time import time
from types import SimpleNamespace
from unittest.mock import MagicMock

import anyio
import pytest

from rc_mcp.ringcentral import LoginEnded, LoginNotKept, MessageStoreClient
from rc_mcp.team.logins import Logins
from rc_mcp.team.oauth import grants
from rc_mcp.team.oauth.addresses import Addresses
from rc_mcp.team.oauth.grants import BELIEVED_S, Grants
from rc_mcp.team.people import Person
from tests.desk import Clock
from tests.team.oauth.site import Browser, McpClient, Site

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def works(site: Site, token: str) -> bool:
    """Whether a token is good on a replica that has not seen it."""
    return await site.replica().verify_token(token) is not None


async def test_a_code_that_comes_back_ends_what_it_gave(site: Site, client: McpClient, browser: Browser) -> None:
    code = (await browser.log_in(client.address()))["code"]
    tokens = (await client.exchange(code)).json()
    assert await works(site, tokens["access_token"])

    again = await client.exchange(code)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await works(site, tokens["access_token"])
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_of_many_exchanges_of_a_code_none_keeps_its_tokens(
    site: Site, client: McpClient, browser: Browser
) -> None:
    code = (await browser.log_in(client.address()))["code"]
    good: list[str] = []

    async def exchange() -> None:
        answer = await client.exchange(code)
        assert answer.status_code in {200, 400}
        if answer.status_code == 200:
            good.append(answer.json()["access_token"])

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(exchange)

    assert len(good) <= 1
    assert not any([await works(site, token) for token in good])


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "of another login, but of a good length, forty-three"}, "invalid_grant"),
        ({"redirect_uri": "https://client.example/callback/"}, "invalid_request"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"client_id": "6f5902ac-237e-4de7-aac5-0a1b2c3d4e5f"}, "invalid_grant"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"code": "guessed"}, "invalid_grant"),
        ({"code": "\0"}, "invalid_grant"),
    ],
)
async def test_a_stolen_code_is_useless_and_does_no_harm(
    client: McpClient, browser: Browser, changed: dict[str, str], error: str
) -> None:
    code = (await browser.log_in(client.address()))["code"]

    stolen = await client.exchange(code, **changed)

    assert (stolen.status_code, stolen.json()["error"]) == (400, error)
    assert (await client.exchange(code)).status_code == 200


async def test_a_code_without_verifier_is_refused(client: McpClient, browser: Browser) -> None:
    code = (await browser.log_in(client.address()))["code"]

    answer = await client.token(grant_type="authorization_code", code=code, redirect_uri=client.redirect_uri)

    assert answer.json()["error"] == "invalid_request"


async def test_a_code_lasts_a_minute(client: McpClient, browser: Browser, clock: Clock) -> None:
    code = (await browser.log_in(client.address()))["code"]
    clock.time += timedelta(seconds=60)

    assert (await client.exchange(code)).json()["error"] == "invalid_grant"


async def test_an_access_token_lasts_an_hour_by_the_database_s_clock(
    site: Site, client: McpClient, clock: Clock
) -> None:
    tokens = await client.logged_in()
    clock.time += timedelta(minutes=59)
    assert await works(site, tokens["access_token"])
    clock.time += timedelta(minutes=1)

    assert tokens["expires_in"] == 3600
    assert not await works(site, tokens["access_token"])
    assert (await client.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("apart_s", [-86_400, 86_400])
async def test_a_machine_whose_clock_is_wrong_takes_and_gives_good_tokens(
    client: McpClient, monkeypatch: pytest.MonkeyPatch, apart_s: float
) -> None:
    wrong = SimpleNamespace(time=lambda: time() + apart_s)
    for module in ("handlers.token", "middleware.bearer_auth"):
        monkeypatch.setattr(f"mcp.server.auth.{module}.time", wrong)

    tokens = await client.logged_in()
    renewed = (await client.refresh(tokens["refresh_token"])).json()
    answer = await client.http.post("/mcp", json={}, headers={"Authorization": f"Bearer {renewed['access_token']}"})

    assert answer.status_code not in {401, 403}


async def test_a_refresh_token_is_replaced(site: Site, client: McpClient) -> None:
    first = await client.logged_in()

    second = (await client.refresh(first["refresh_token"])).json()
    third = (await client.refresh(second["refresh_token"])).json()

    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert await works(site, third["access_token"])


async def test_a_client_whose_answer_was_lost_gets_the_same_tokens(client: McpClient, clock: Clock) -> None:
    first = await client.logged_in()
    lost = (await client.refresh(first["refresh_token"])).json()
    clock.time += timedelta(seconds=29)

    again = (await client.refresh(first["refresh_token"])).json()

    assert again == {**lost, "expires_in": lost["expires_in"] - 29}


async def test_a_refresh_token_that_comes_back_later_ends_the_grant(
    site: Site, client: McpClient, clock: Clock
) -> None:
    first = await client.logged_in()
    second = (await client.refresh(first["refresh_token"])).json()
    clock.time += timedelta(seconds=30)

    stolen = await client.refresh(first["refresh_token"])

    assert stolen.json()["error"] == "invalid_grant"
    assert (await client.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await works(site, second["access_token"])


async def test_a_client_that_renews_without_end_does_not_fill_the_database(
    site: Site, client: McpClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "_MOST_OF_A_KIND", 3)
    tokens = await client.logged_in()

    for _ in range(6):
        clock.time += timedelta(seconds=1)
        tokens = (await client.refresh(tokens["refresh_token"])).json()

    found = await site.server.grants.refresh_token(tokens["refresh_token"], client.client_id)
    assert found
    async with site.database.transaction() as db:
        counted = await db.execute("SELECT count(*) FROM oauth_token WHERE oauth_grant = %s", (found.grant,))
        row = await counted.fetchone()
    assert row == (3 + 3 + 1,)  # access, refresh, code
    assert await works(site, tokens["access_token"])


async def test_64_callers_on_two_replicas_get_the_same_tokens(site: Site, client: McpClient) -> None:
    first = await client.logged_in()
    given: set[str] = set()

    async def renew(number: int) -> None:
        server = site.server if number % 2 else site.replica()
        found = await server.grants.refresh_token(first["refresh_token"], client.client_id)
        assert found
        given.add((await server.grants.renew(found)).access_token)

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(renew, number)

    assert len(given) == 1


async def test_a_refresh_token_lasts_30_days_and_only_for_its_client(
    site: Site, client: McpClient, clock: Clock
) -> None:
    tokens = await client.logged_in()
    async with site.client() as other:
        assert (await other.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    wrong = await client.refresh(tokens["refresh_token"], resource="https://other.example/mcp")
    assert wrong.json()["error"] == "invalid_target"
    clock.time += timedelta(days=30)

    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("token", ["", "guessed", "x" * 10_000, "\0"])
async def test_an_unknown_token_is_none(site: Site, token: str) -> None:
    assert await site.server.verify_token(token) is None


async def test_neither_code_nor_refresh_token_is_an_access_token(
    site: Site, client: McpClient, browser: Browser
) -> None:
    code = (await browser.log_in(client.address()))["code"]
    assert not await works(site, code)

    assert not await works(site, (await client.exchange(code)).json()["refresh_token"])


async def test_a_token_for_another_audience_is_refused_by_mcp(site: Site, client: McpClient) -> None:
    own = site.server.grants
    site.server.grants = Grants(site.database, site.keys, Addresses("https://other.example"))
    tokens = await client.logged_in()
    site.server.grants = own

    answer = await client.http.post("/mcp", json={}, headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert answer.status_code == 401
    assert "oauth-protected-resource/mcp" in answer.headers["www-authenticate"]


async def test_revoking_any_token_ends_the_grant_and_the_last_one_the_login(site: Site, client: McpClient) -> None:
    await site.log_out(3)
    one, other = await client.logged_in(3), await client.logged_in(3)

    await client.http.post("/revoke", data={"client_id": client.client_id, "token": one["access_token"]})
    assert not await works(site, one["access_token"])
    assert await works(site, other["access_token"])
    assert site.sessions(3) == 1
    await client.http.post("/revoke", data={"client_id": client.client_id, "token": other["refresh_token"]})

    assert await site.server.verify_token(other["access_token"]) is None
    assert site.sessions(3) == 0


async def test_a_grant_that_ended_on_another_replica_ends_here_within_seconds(site: Site, client: McpClient) -> None:
    now = MagicMock(return_value=0.0)
    here = Grants(site.database, site.keys, site.server.addresses, clock=now)
    token = (await client.logged_in())["access_token"]
    assert await here.access_token(token)

    await site.replica().end_grant(token, client.client_id)

    now.return_value = BELIEVED_S - 0.1
    assert await here.access_token(token)
    now.return_value = BELIEVED_S
    assert await here.access_token(token) is None


async def test_a_client_cannot_revoke_the_token_of_another(site: Site, client: McpClient) -> None:
    tokens = await client.logged_in()
    async with site.client() as other:
        sent = {"client_id": other.client_id, "token": tokens["access_token"]}
        answers = [await other.http.post("/revoke", data=each) for each in (sent, {"token": "x"}, {"client_id": "x"})]

    assert [each.status_code for each in answers] == [200, 400, 400]
    assert await works(site, tokens["access_token"])


async def test_a_token_ends_with_the_login_at_ringcentral(site: Site, client: McpClient) -> None:
    tokens = await client.logged_in(2)
    person = await site.server.verify_token(tokens["access_token"])
    assert person

    await site.server.log_out(person.person)

    assert await site.server.verify_token(tokens["access_token"]) is None
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert site.sessions(2) == 0


async def test_a_session_that_ringcentral_ended_makes_the_client_log_in_again(site: Site, client: McpClient) -> None:
    tokens = await client.logged_in()
    site.emulator.sessions.end_all()
    auth = site.logins.auth_for(site.person())

    async with MessageStoreClient(auth, server_url=site.emulator.server_url) as store:
        with pytest.raises(LoginEnded):
            await store.list_messages()

    assert not await works(site, tokens["access_token"])
    assert await works(site, (await client.logged_in())["access_token"])
    async with MessageStoreClient(auth, server_url=site.emulator.server_url) as store:
        assert (await store.list_messages()).records


async def test_what_nobody_uses_is_forgotten(site: Site, client: McpClient, clock: Clock) -> None:
    tokens = await client.logged_in(1)
    async with site.client() as unused:
        clock.time += timedelta(days=1, seconds=1)
        await site.server.tidy()
        async with site.browser() as browser:
            assert (await browser.open(client.address())).status_code == 200
            assert (await browser.open(unused.address())).status_code == 400
    assert (await client.refresh(tokens["refresh_token"])).status_code == 200
    assert site.sessions(1) == 1
    clock.time += timedelta(days=32)
    await site.server.tidy()

    assert site.sessions(1) == 0


async def test_a_login_that_cannot_be_ended_now_keeps_no_other_one(
    site: Site, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (2, 3):
        await site.log_out(number)
        await client.logged_in(number)
    async with site.database.transaction() as db:
        await db.execute("DELETE FROM oauth_grant")
    asked: list[Person] = []

    async def locked(_: Logins, person: Person) -> None:
        asked.append(person)
        raise LoginNotKept("Another replica has locked this login for a minute.")

    with monkeypatch.context() as patch:
        patch.setattr(Logins, "forget", locked)
        await site.server.tidy()
    assert {site.person(2), site.person(3)} <= set(asked)
    await site.server.tidy()
    assert (site.sessions(2), site.sessions(3)) == (0, 0)
