"""Logging in on a page: the authorization endpoint, PKCE, and the code exchanged at the token endpoint."""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator

pytestmark = pytest.mark.anyio

CALLBACK = "http://127.0.0.1:53682/callback"
REGISTERED = "https://app.example/oauth?tenant=7"
VERIFIER = "pIUgx4tiqFpaOUz0HMc_QbIyQlL901w8mRmkrmhEJ_E"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
S256 = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
HTML = {"Accept": "text/html"}


@dataclass
class Browser:
    """An app and its user's browser, one step at a time."""

    emulator: Emulator
    http: httpx.AsyncClient

    async def visit(self, **changes: str | None) -> httpx.Response:
        return await self.http.get("authorize", params=self.asked(changes), headers=HTML)

    async def log_in(self, **changes: str | None) -> httpx.Response:
        """Submit the login form, as the owner unless `changes` names another user."""
        owner = self.emulator.users[0]
        login = {"username": owner.username, "password": owner.password}
        return await self.http.post("authorize", data=self.asked({**login, **changes}), headers=HTML)

    async def code(self, **changes: str | None) -> str:
        return back(await self.log_in(**changes))["code"]

    async def exchange(self, code: str, **changes: str | None) -> httpx.Response:
        """Exchange the code as a public app does: with its id and the verifier."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        form |= {"client_id": self.emulator.client_id, "code_verifier": VERIFIER}
        return await self.http.post("token", data=merged(form, changes))

    def asked(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        usual = {
            "response_type": "code",
            "client_id": self.emulator.client_id,
            "redirect_uri": CALLBACK,
            "state": "xyz",
        }
        return merged(usual, changes)


def merged(usual: dict[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def back(answer: httpx.Response) -> dict[str, str]:
    """Return the parameters of the redirect to the app."""
    assert answer.status_code == 302
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error"], answer.json()["errors"][0]["errorCode"]


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {unescape(name): unescape(value) for name, value in found}


@pytest.fixture
async def browser(emulator: Emulator) -> AsyncIterator[Browser]:
    base = f"{emulator.server_url}/restapi/oauth/"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=base) as http:
        yield Browser(emulator, http)


async def test_a_login_ends_at_the_app_with_a_code_and_its_state(browser: Browser) -> None:
    answer = await browser.log_in(**S256)
    assert answer.headers["location"].startswith(f"{CALLBACK}?")
    assert answer.headers["cache-control"] == "no-store"
    given = back(answer)
    assert given == {"code": given["code"], "state": "xyz", "expires_in": "60"}


async def test_the_code_and_its_verifier_are_exchanged_without_a_secret(browser: Browser) -> None:
    answer = await browser.exchange(await browser.code(**S256))
    assert answer.status_code == 200
    token = answer.json()
    assert (token["owner_id"], token["token_type"]) == (browser.emulator.extension_id, "bearer")
    url = f"{browser.emulator.server_url}/restapi/v1.0/account/~/extension/~/message-store"
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await browser.http.get(url, headers=headers)).status_code == 200


async def test_a_public_app_refreshes_and_revokes_with_only_its_client_id(browser: Browser) -> None:
    old = (await browser.exchange(await browser.code(**S256))).json()
    public = {"client_id": browser.emulator.client_id}
    form = {"grant_type": "refresh_token", "refresh_token": old["refresh_token"], **public}
    new = (await browser.http.post("token", data=form)).json()
    assert new["owner_id"] == old["owner_id"]
    assert (await browser.http.post("revoke", data={"token": new["refresh_token"], **public})).status_code == 200
    assert browser.emulator.sessions.user(new["access_token"]) is None


async def test_without_pkce_the_exchange_needs_the_secret(browser: Browser) -> None:
    code = await browser.code()
    assert refused(await browser.exchange(code, code_verifier=None)) == (401, "invalid_client", "OAU-146")
    secret = browser.emulator.client_secret
    assert (await browser.exchange(code, code_verifier=None, client_secret=secret)).status_code == 200


async def test_pkce_and_the_secret_can_be_combined(browser: Browser) -> None:
    secret = browser.emulator.client_secret
    answer = await browser.exchange(await browser.code(**S256), client_secret=secret)
    assert answer.status_code == 200


async def test_a_challenge_without_a_method_is_plain(browser: Browser) -> None:
    assert (await browser.exchange(await browser.code(code_challenge=VERIFIER))).status_code == 200
    assert (await browser.exchange(await browser.code(code_challenge=CHALLENGE))).status_code == 400
    plain = {"code_challenge": VERIFIER, "code_challenge_method": "plain"}
    assert (await browser.exchange(await browser.code(**plain))).status_code == 200


async def test_a_code_works_once(browser: Browser) -> None:
    code = await browser.code(**S256)
    assert (await browser.exchange(code)).status_code == 200
    assert refused(await browser.exchange(code)) == (400, "invalid_grant", "OAU-106")


async def test_a_code_works_for_a_minute(browser: Browser, clock: list[datetime]) -> None:
    in_time, late = await browser.code(**S256), await browser.code(**S256)
    clock[0] += timedelta(seconds=59)
    assert (await browser.exchange(in_time)).status_code == 200
    clock[0] += timedelta(seconds=1)
    assert refused(await browser.exchange(late)) == (400, "invalid_grant", "OAU-108")


@pytest.mark.parametrize("verifier", ["x" * 43, CHALLENGE, "", "ü" * 43, None])
async def test_a_wrong_verifier_uses_the_code_up(browser: Browser, verifier: str | None) -> None:
    code = await browser.code(**S256)
    assert refused(await browser.exchange(code, code_verifier=verifier)) == (400, "invalid_grant", "CMN-101")
    assert refused(await browser.exchange(code)) == (400, "invalid_grant", "OAU-106")


async def test_a_verifier_for_a_code_that_had_no_challenge_is_refused(browser: Browser) -> None:
    answer = await browser.exchange(await browser.code(), client_secret=browser.emulator.client_secret)
    assert refused(answer) == (400, "invalid_grant", "CMN-101")


@pytest.mark.parametrize("uri", ["http://127.0.0.1:53682/other", "http://127.0.0.1:1/callback", "", None])
async def test_the_redirect_uri_must_be_repeated(browser: Browser, uri: str | None) -> None:
    answer = await browser.exchange(await browser.code(**S256), redirect_uri=uri)
    assert refused(answer) == (400, "invalid_grant", "OAU-109")


async def test_another_app_cannot_use_the_code_nor_use_it_up(browser: Browser) -> None:
    code = await browser.code(**S256)
    assert refused(await browser.exchange(code, client_id="another")) == (401, "invalid_client", "OAU-146")
    assert (await browser.exchange(code)).status_code == 200


async def test_each_user_gets_a_separate_session(browser: Browser) -> None:
    for user in browser.emulator.users:
        code = await browser.code(username=f" {user.username.upper()} ", password=user.password, **S256)
        assert (await browser.exchange(code)).json()["owner_id"] == user.extension_id


async def test_the_page_keeps_the_parameters_of_the_request(browser: Browser) -> None:
    page = await browser.visit(ui_locales="en-US", brandId="1210", display="page", prompt="login sso", **S256)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert hidden(page.text) == browser.asked({**S256})
    assert "http://127.0.0.1:53682" in page.text


async def test_a_post_without_a_login_shows_the_page_too(browser: Browser) -> None:
    page = await browser.http.post("authorize", data=browser.asked({}))
    assert (page.status_code, hidden(page.text)) == (200, browser.asked({}))


async def test_a_wrong_login_is_shown_on_the_page(browser: Browser) -> None:
    owner = browser.emulator.users[0]
    for username, password in [(owner.username, "wrong"), ("unknown", owner.password), (owner.username, " ")]:
        page = await browser.log_in(username=username, password=password, **S256)
        assert page.status_code == 200
        assert 'role="alert"' in page.text
        assert f'name="username" value="{username}"' in page.text
        assert f'value="{password}"' not in page.text
        assert hidden(page.text) == browser.asked({**S256})


async def test_a_password_in_the_address_is_not_a_login(browser: Browser) -> None:
    owner = browser.emulator.users[0]
    page = await browser.visit(username=owner.username, password=owner.password)
    assert page.status_code == 200
    assert 'role="alert"' not in page.text


async def test_a_user_can_cancel_the_login(browser: Browser) -> None:
    answer = await browser.log_in(cancel="1")
    given = back(answer)
    assert given.pop("error_description")
    assert given == {"error": "access_denied", "state": "xyz"}


class Markup(HTMLParser):
    """The tags and attribute names of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


async def test_nothing_an_app_sends_becomes_markup(browser: Browser) -> None:
    attack = "\"'><script src=//evil.example></script><form action='https://evil.example'>\r\nX: 1"
    ordinary = await browser.visit(**S256)
    names = ("state", "login_hint", "ui_locales", "prompt", "nonce", "scope", "display", "brand_id")
    page = await browser.visit(**S256, **dict.fromkeys(names, attack))
    assert Markup(page.text).tags == Markup(ordinary.text).tags
    assert hidden(page.text)["state"] == attack
    shown = await browser.visit(redirect_uri=attack)
    assert "script" not in Markup(shown.text).tags
    wrong = await browser.log_in(username=attack, password=attack, state=attack)
    assert set(Markup(wrong.text).tags) == set(Markup(ordinary.text).tags)


async def test_the_page_loads_nothing_runs_nothing_and_cannot_be_framed(browser: Browser) -> None:
    page = await browser.visit()
    policy = page.headers["content-security-policy"].split("; ")
    style = re.search(r"<style>(.*)</style>", page.text, re.DOTALL)
    assert style
    digest = hashlib.sha256(style[1].encode()).digest()
    assert policy[0] == "default-src 'none'"
    assert policy[1].startswith("style-src 'sha256-")
    assert urlsafe_b64encode(digest).decode().translate({45: "+", 95: "/"}) in policy[1]
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://127.0.0.1:53682"} <= set(policy)
    assert {"src", "href", "style", "onclick"}.isdisjoint(Markup(page.text).attributes)
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")


async def test_an_unknown_app_is_reported_to_the_user_not_to_the_app(browser: Browser) -> None:
    for answer in (await browser.visit(client_id="another"), await browser.log_in(client_id=None)):
        assert (answer.status_code, answer.headers.get("location")) == (400, None)
        assert answer.headers["content-type"].startswith("text/html")
        assert "form" not in Markup(answer.text).tags
    answer = await browser.http.get("authorize", params=browser.asked({"client_id": "another"}))
    assert refused(answer) == (400, "invalid_client", "OAU-146")


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1:80@evil.example/",
        "http://evil.example#@127.0.0.1/",
        "http://evil.example\\@127.0.0.1/",
        "http://127.0.0.1\\.evil.example/",
        "http://127.0.0.1:1/\\evil.example",
        "http://127.0.0.1/callback#fragment",
        "http://127.0.0.1/\r\nLocation: https://evil.example",
        "http://127.0.0.1/a b",
        "http://127.0.0.1\n",
        "http://127.0.0.2/",
        "http://0x7f000001/",
        "http://[::1/",
        "//127.0.0.1/callback",
        "/callback",
        "javascript:alert(1)//127.0.0.1",
        "http://\uff11\uff12\uff17.0.0.1/",
        "",
        None,
    ],
)
async def test_a_redirect_away_from_this_machine_is_refused(browser: Browser, uri: str | None) -> None:
    for answer in (await browser.visit(redirect_uri=uri), await browser.log_in(redirect_uri=uri)):
        assert (answer.status_code, answer.headers.get("location")) == (400, None)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:1/",
        "http://localhost:3000/a/b?c=d",
        "http://[::1]:65535/callback",
        "https://localhost",
        CALLBACK,
    ],
)
async def test_a_redirect_to_this_machine_may_have_any_port_and_path(browser: Browser, uri: str) -> None:
    answer = await browser.log_in(redirect_uri=uri)
    assert answer.headers["location"].startswith(f"{uri}{'&' if '?' in uri else '?'}")
    exchanged = await browser.exchange(await browser.code(redirect_uri=uri, **S256), redirect_uri=uri)
    assert exchanged.status_code == 200


async def test_a_registered_redirect_uri_is_compared_letter_by_letter_and_is_the_default() -> None:
    with Emulator(scenario="empty", rate_limits=False, redirect_uris=[REGISTERED]) as emulator:
        base = f"{emulator.server_url}/restapi/oauth/"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=base) as http:
            browser = Browser(emulator, http)
            for uri in (REGISTERED, None):
                answer = await browser.log_in(redirect_uri=uri, **S256)
                assert answer.headers["location"].startswith(f"{REGISTERED}&code=")
                assert (await browser.exchange(back(answer)["code"], redirect_uri=uri)).status_code == 200
            page = await browser.visit(redirect_uri=REGISTERED)
            assert "form-action 'self' https://app.example;" in page.headers["content-security-policy"]
            for uri in (f"{REGISTERED}1", "https://app.example/oauth", "https://app.example/"):
                assert (await browser.log_in(redirect_uri=uri)).status_code == 400


@pytest.mark.parametrize("uri", ["", "callback", "https://app.example/#x", "https://app.example/\r\n", "app: x"])
def test_an_invalid_redirect_uri_cannot_be_registered(uri: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(uri))):
        Emulator(redirect_uris=[uri])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
async def test_other_errors_are_sent_to_the_app(browser: Browser, changes: dict[str, str | None], error: str) -> None:
    for answer in (await browser.visit(**changes), await browser.log_in(**changes)):
        given = back(answer)
        assert (given["error"], given["state"]) == (error, "xyz")
        assert given["error_description"]
        assert "code" not in given


async def test_a_parameter_given_twice_is_refused(browser: Browser) -> None:
    twice = httpx.QueryParams(browser.asked({})).add("redirect_uri", "http://localhost/")
    answer = await browser.http.get("authorize", params=twice)
    assert refused(answer) == (400, "invalid_request", "OAU-111")


async def test_a_state_is_returned_unchanged(browser: Browser) -> None:
    state = "a b&c=d#e%20\r\nSet-Cookie: f=g ü\u2028"
    assert back(await browser.log_in(state=state))["state"] == state
    assert "state" not in back(await browser.log_in(state=None))


async def test_each_user_has_a_separate_login_limit(clock: list[datetime]) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        base = f"{emulator.server_url}/restapi/oauth/"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=base) as http:
            browser, colleague = Browser(emulator, http), emulator.users[1]
            assert {(await browser.visit()).status_code for _ in range(10)} == {200}
            tries = [(await browser.log_in(password="wrong")).status_code for _ in range(6)]
            assert tries == [200] * 5 + [429]
            assert (await browser.log_in()).status_code == 429
            assert (await browser.log_in(username=colleague.username, password=colleague.password)).status_code == 302


async def test_the_address_has_no_other_methods(browser: Browser) -> None:
    answer = await browser.http.put("authorize")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
