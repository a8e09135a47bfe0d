"""What a client may ask for, what its user is shown, and in which browser a login goes on."""

import re
from datetime import timedelta
from html import unescape

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.team.database import MOST_CONNECTIONS, Database
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.oauth import login_attempts
from rc_mcp.team.oauth.authorize import OVER
from rc_mcp.team.oauth.login_attempts import Asked, LoginAttempts
from rc_mcp.team.oauth.redirects import with_parameters
from rc_mcp.team.people import tenants
from tests.desk import Clock
from tests.team.oauth.documents import Documents
from tests.team.oauth.site import ELSEWHERE, Browser, McpClient, Site, leads_to, open_site, parameters_of, sent_to

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),  # which means plain
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"state": "x" * 3_000}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_refused_to_the_person_who_can_go_on_and_tell_the_client(
    client: McpClient, browser: Browser, changed: dict[str, str | None], error: str
) -> None:
    page = await browser.http.get(client.address(**changed))

    assert page.status_code == 400
    assert "http-equiv" not in page.text  # it opens nobody's site by itself
    [link] = re.findall(r'href="([^"]*)"', page.text)
    assert unescape(link).startswith(f"{ELSEWHERE}?")
    told = parameters_of(unescape(link))
    assert (told["error"], told["iss"]) == (error, client.site.url)
    assert "code" not in told


@pytest.mark.parametrize(
    "other", [f"{ELSEWHERE}/", f"{ELSEWHERE}?a=1", "https://client.example/", "https://evil.example/"]
)
async def test_another_redirect_uri_is_refused_to_the_person(client: McpClient, browser: Browser, other: str) -> None:
    page = await browser.http.get(client.address(redirect_uri=other))

    assert page.status_code == 400
    assert "redirect_uri" in page.text
    assert "location" not in page.headers


async def test_a_parameter_that_comes_twice_is_refused_to_the_person(client: McpClient, browser: Browser) -> None:
    page = await browser.http.get(f"{client.address()}&redirect_uri=https://evil.example/")

    assert page.status_code == 400


@pytest.mark.parametrize(
    "client_id", ["", "nobody", "\0", "6f5902ac-237e-4de7-aac5-0a1b2c3d4e5f", "http://a.example/c"]
)
async def test_an_unknown_client_is_refused_to_the_person(client: McpClient, browser: Browser, client_id: str) -> None:
    page = await browser.http.get(client.address(client_id=client_id))

    assert page.status_code == 400
    assert "not registered" in page.text


async def test_older_clients_that_name_no_resource_and_no_scope_log_in(client: McpClient, browser: Browser) -> None:
    answer = await browser.log_in(client.address(resource=None, scope=None, state=None))

    assert set(answer) == {"code", "iss"}


async def test_a_native_app_may_listen_on_any_port(site: Site, browser: Browser) -> None:
    async with site.client("http://127.0.0.1/callback") as native:
        page = await browser.open(native.address(redirect_uri="http://127.0.0.1:51234/callback"))
        other = await browser.open(native.address(redirect_uri="http://127.0.0.1:51234/other"))

    assert (page.status_code, other.status_code) == (200, 400)


@pytest.mark.parametrize(
    "asked",
    [
        r"http://evil.example\@127.0.0.1:51234/callback",  # a browser goes to evil.example
        "http://somebody@127.0.0.1:51234/callback",
        "http://127.0.0.1:51234/callback#fragment",
        "http://127.0.0.1:51234/call\tback",
    ],
)
async def test_only_the_port_of_a_native_app_may_differ(site: Site, browser: Browser, asked: str) -> None:
    async with site.client("http://127.0.0.1/callback") as native:
        page = await browser.open(native.address(redirect_uri=asked))

    assert page.status_code == 400
    assert "redirect_uri" in page.text


@pytest.mark.parametrize(
    "uri",
    ["com.example.app:///done", "com.example.app:/done", "https://app.test/done?a=%20+b", "https://app.test/done?a"],
)
def test_the_answer_goes_to_the_redirect_uri_letter_by_letter(uri: str) -> None:
    there = with_parameters(uri, code="one&two", state=None, iss="https://team.test")

    assert there.removeprefix(uri) in {f"{mark}code=one%26two&iss=https%3A%2F%2Fteam.test" for mark in "?&"}


async def test_the_page_names_the_app_as_data_and_where_it_leads(site: Site, browser: Browser) -> None:
    name = '</bdi><script>alert(1)</script>\u202eevil & <img src="https://evil.example/">'
    async with site.client(client_name=name) as hostile:
        page = await browser.open(hostile.address())

    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "\u202e" not in page.text
    assert "<b>client.example</b>" in page.text
    assert "without proof" in page.text


async def test_the_page_shows_the_end_of_a_long_host(site: Site, browser: Browser) -> None:
    host = f"assistant.example.{'.'.join(['x' * 60] * 3)}.evil.example"
    async with site.client(f"https://{host}/callback") as misleading:
        page = await browser.open(misleading.address())

    assert f"<b>{host}</b>" in page.text


async def test_the_page_runs_nothing_and_is_in_no_frame(client: McpClient, browser: Browser) -> None:
    page = await browser.open(client.address())

    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["form-action"]) == ("'none'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'")
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "same-origin")
    assert "httponly" in page.headers["set-cookie"].lower()


async def test_a_local_app_comes_with_a_warning(site: Site, browser: Browser) -> None:
    async with site.client("http://localhost:3000/callback") as local, site.client("cursor://here/callback") as app:
        pages = [await browser.open(each.address()) for each in (local, app)]

    assert all("Continue only if you started this login" in page.text for page in pages)


async def test_a_person_can_say_no(client: McpClient, browser: Browser) -> None:
    told = parameters_of(await browser.agree(client.address(), answer="deny"))

    assert told == {"error": "access_denied", "state": "of the client", "iss": client.site.url}


async def test_a_refusal_at_ringcentral_reaches_the_client(client: McpClient, browser: Browser) -> None:
    told = await browser.at_ringcentral(await browser.agree(client.address()), cancel="1")

    assert told == {"error": "access_denied", "state": "of the client", "iss": client.site.url}


async def test_a_code_that_ringcentral_did_not_issue_gives_no_code_of_ours(client: McpClient, browser: Browser) -> None:
    at_ringcentral = await browser.agree(client.address())
    state = parameters_of(at_ringcentral)["state"]

    told = sent_to(await browser.http.get(f"{client.site.url}/login/ringcentral?code=forged&state={state}"))

    assert told["error"] == "temporarily_unavailable"
    assert told["iss"] == client.site.url


async def test_an_app_that_may_not_read_who_logged_in_is_told_to_its_operator(
    database: Database, keys: KeyRing
) -> None:
    with Emulator(rate_limits=False, permissions=["ReadMessages"]) as emulator:
        async with emulator.serve(), open_site(database, keys, emulator) as other, other.client() as client:
            async with other.browser() as browser:
                told = await browser.log_in(client.address())

            assert "ReadAccounts" in told["error_description"]
            assert [seen.path for seen in emulator.requests][-1] == "/restapi/oauth/revoke"


async def test_a_person_of_an_account_that_is_not_allowed_is_told_its_id_and_leaves_nothing(
    database: Database, keys: KeyRing, emulator: Emulator
) -> None:
    async with open_site(database, keys, emulator, accounts={"1"}) as other, other.client() as client:
        async with other.browser() as browser:
            told = await browser.log_in(client.address())

        assert told["error"] == "access_denied"
        assert emulator.account_id in told["error_description"]
        assert await tenants(database) == []
        assert [seen.path for seen in emulator.requests][-1] == "/restapi/oauth/revoke"


async def test_an_account_that_is_allowed_no_longer_is_kept_out_with_the_tokens_that_it_has(
    database: Database, keys: KeyRing, emulator: Emulator
) -> None:
    async with open_site(database, keys, emulator, accounts={emulator.account_id}) as before, before.client() as client:
        token = (await client.logged_in())["access_token"]
        now = {accounts: before.replica(accounts={accounts}) for accounts in ("1", emulator.account_id)}

        assert await now[emulator.account_id].verify_token(token)
        assert not await now["1"].verify_token(token)

        await now[emulator.account_id].tidy()
        assert await before.server.grants.has_any(before.person())
        await now["1"].tidy()
        assert not await before.server.grants.has_any(before.person())
        assert await before.server.grants.needless_logins() == []
        assert [seen.path for seen in emulator.requests][-1] == "/restapi/oauth/revoke"


async def test_a_consent_of_another_browser_is_refused(site: Site, client: McpClient, browser: Browser) -> None:
    page = await browser.open(client.address())
    async with site.browser() as victim:
        without_cookie = await victim.press(page, answer="allow")
        await victim.open(client.address())
        with_cookie = await victim.press(page, answer="allow")

    assert [answer.status_code for answer in (without_cookie, with_cookie)] == [400, 400]


async def test_a_form_of_another_site_is_refused(client: McpClient, browser: Browser) -> None:
    page = await browser.open(client.address())

    assert (await browser.press(page, origin="https://evil.example", answer="allow")).status_code == 400


async def test_ringcentral_s_answer_counts_once_and_in_the_browser_that_asked(
    site: Site, client: McpClient, browser: Browser
) -> None:
    back = await browser.back_from_ringcentral(await browser.agree(client.address()))
    async with site.browser() as thief:
        await thief.open(client.address())
        stolen = await thief.http.get(back)
    first, again = await browser.http.get(back), await browser.http.get(back)

    assert stolen.status_code == again.status_code == 400
    assert OVER in again.text
    assert "code" in sent_to(first)


async def test_a_state_that_nobody_sent_is_refused(site: Site, client: McpClient, browser: Browser) -> None:
    await browser.agree(client.address())

    for state in ("", "guessed", "%00"):
        answer = await browser.http.get(f"{site.url}/login/ringcentral?code=x&state={state}")
        assert answer.status_code == 400


async def test_nobody_who_begins_logins_without_end_fills_the_database(
    site: Site, client: McpClient, browser: Browser, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_attempts, "MOST", 2)
    backs: list[str] = []
    for _ in range(3):
        clock.time += timedelta(seconds=1)
        backs.append(await browser.back_from_ringcentral(await browser.agree(client.address())))

    async with site.database.transaction() as db:
        row = await (await db.execute("SELECT count(*) FROM login_attempt")).fetchone()
    assert row == (2,)
    assert [(await browser.http.get(back)).status_code for back in backs] == [400, 200, 200]


_WAIT_FOR_LOCK = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"


async def test_strangers_who_begin_logins_do_not_take_all_connections(database: Database, keys: KeyRing) -> None:
    asked = Asked(client_id="x", redirect_uri="x", names_redirect_uri=True, state=None, code_challenge="x")
    attempts = LoginAttempts(database, keys)
    async with (
        Database(database.url) as another_replica,
        anyio.create_task_group() as strangers,
        another_replica.transaction() as db,
    ):
        await db.execute("SELECT pg_advisory_xact_lock(hashtext('rc_mcp.login_attempt'))")
        for number in range(2 * MOST_CONNECTIONS):
            strangers.start_soon(attempts.begin, asked, "browser", str(number), "verifier")
        while await another_replica.statement(_WAIT_FOR_LOCK, ()) == (0,):  # noqa: ASYNC110  PostgreSQL sends no event
            await anyio.sleep(0.02)
        assert await database.statement("SELECT 1", ()) == (1,)  # and is not away

    assert await database.statement("SELECT count(*) FROM login_attempt", ()) == (2 * MOST_CONNECTIONS,)


async def test_a_login_lasts_ten_minutes(client: McpClient, browser: Browser, clock: Clock) -> None:
    page = await browser.open(client.address())
    leads_to(await browser.press(page, answer="allow"))
    back = await browser.back_from_ringcentral(await browser.agree(client.address()))
    clock.time += timedelta(minutes=10)

    assert (await browser.press(page, answer="allow")).status_code == 400
    assert (await browser.http.get(back)).status_code == 400


async def test_a_login_that_a_former_key_sealed_begins_again(site: Site, client: McpClient, browser: Browser) -> None:
    address = await browser.agree(client.address())
    back = await browser.back_from_ringcentral(address)
    with_other_key = LoginAttempts(site.database, KeyRing(["another key, which also has 32 characters"]))
    site.server.attempts, own = with_other_key, site.server.attempts
    try:
        assert OVER in (await browser.http.get(back)).text
        assert (await browser.open(client.address())).status_code == 200
    finally:
        site.server.attempts = own


async def test_a_request_that_was_changed_is_refused(client: McpClient, browser: Browser) -> None:
    led = await browser.http.get(client.address())
    sealed = led.headers["location"]
    changed = sealed[:-10] + ("A" if sealed[-10] != "A" else "B") + sealed[-9:]

    assert (await browser.http.get(f"{client.site.url}{changed}")).status_code == 400


async def test_a_client_with_a_document_logs_in_under_its_host(
    site: Site, documents: Documents, browser: Browser
) -> None:
    url = documents.publish("with-a-host", redirect_uris=[ELSEWHERE])
    async with httpx.AsyncClient(base_url=site.url) as http:
        client = McpClient(site, http, url, ELSEWHERE)
        page = await browser.open(client.address())
        assert "localhost" in page.text
        assert "without proof" not in page.text
        tokens = await client.logged_in()

    verified = await site.server.verify_token(tokens["access_token"])
    assert verified
    assert verified.client_id == url
