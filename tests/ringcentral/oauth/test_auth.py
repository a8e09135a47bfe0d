"""Tests of logins: one for all waiting requests, again when the token expires, and never too often."""

import base64
import gzip
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from math import ceil
from typing import Any
from urllib.parse import parse_qs

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.ringcentral import (
    InvalidRequest,
    JWTAuth,
    LoginFailed,
    LoginUnavailable,
    MessageStoreClient,
    NotSent,
    RateLimited,
    RingCentralError,
    TokenAuth,
    Unauthorized,
)
from rc_mcp.ringcentral import at_once as sent_once
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.views.error_texts import in_words

pytestmark = pytest.mark.anyio

SERVER = "https://platform.ringcentral.com"
SECRET, JWT = "shhh-client-secret", "eyJ-a-jwt-credential"
EMPTY_PAGE: dict[str, Any] = {"records": [], "paging": {}, "navigation": {}}


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Service(httpx.AsyncBaseTransport):
    """A token endpoint that counts its tokens, and an API that accepts those in `good`."""

    def __init__(self, login: Callable[[], httpx.Response | httpx.HTTPError] | None = None) -> None:
        self.logins: list[httpx.Request] = []
        self.calls: list[httpx.Request] = []
        self.tokens: list[str] = []
        self.good: Callable[[str], bool] = lambda _: True
        self._login = login or self._token

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        if request.url.path == "/restapi/oauth/token":
            self.logins.append(request)
            answer = self._login()
            if isinstance(answer, httpx.HTTPError):
                raise answer
            return answer
        self.calls.append(request)
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.tokens.append(token)
        if not self.good(token):
            return httpx.Response(401, json={"errorCode": "TokenInvalid", "errors": [{"errorCode": "OAU-129"}]})
        return httpx.Response(204) if request.method == "DELETE" else httpx.Response(200, json=EMPTY_PAGE)

    def _token(self) -> httpx.Response:
        return httpx.Response(200, json={"access_token": f"token-{len(self.logins)}", "expires_in": 3600})


def store(service: Service, clock: Clock | None = None, secret: str = SECRET) -> MessageStoreClient:
    auth = JWTAuth(SERVER, "an-app", secret, JWT, clock=clock or Clock())
    return MessageStoreClient(auth, server_url=SERVER, transport=service)


async def at_once(count: int, act: Callable[[], Awaitable[object]]) -> list[RingCentralError | None]:
    results: list[RingCentralError | None] = []

    async def one() -> None:
        try:
            await act()
        except RingCentralError as error:
            results.append(error)
        else:
            results.append(None)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(one)
    return results


async def test_a_confidential_app_logs_in_with_basic_and_its_jwt():
    service = Service()
    await store(service).list_messages()
    (login,) = service.logins
    assert login.headers["authorization"] == "Basic " + base64.b64encode(f"an-app:{SECRET}".encode()).decode()
    assert parse_qs(login.content.decode()) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "assertion": [JWT],
    }
    assert service.tokens == ["token-1"]


async def test_a_public_app_sends_its_id_in_the_form():
    service = Service()
    await store(service, secret="").list_messages()
    assert "authorization" not in service.logins[0].headers
    assert parse_qs(service.logins[0].content.decode())["client_id"] == ["an-app"]


async def test_a_login_waits_no_longer_than_any_request():
    service = Service()
    await store(service).list_messages()
    assert service.logins[0].extensions["timeout"] == service.calls[0].extensions["timeout"]
    assert service.logins[0].extensions["timeout"]["read"] == 30.0


@pytest.mark.parametrize("lifetime", ["1e999", "9" * 4000, "99999999999"])
async def test_a_token_with_an_impossible_lifetime_is_used_for_a_day(lifetime: str):
    service = Service(lambda: httpx.Response(200, content=f'{{"access_token": "t", "expires_in": {lifetime}}}'))
    clock = Clock()
    client = store(service, clock)
    await client.list_messages()
    clock.now_s += 86_000
    await client.list_messages()
    assert len(service.logins) == 1
    clock.now_s += 400
    await client.list_messages()
    assert len(service.logins) == 2


async def test_all_waiting_requests_share_one_login():
    service = Service()
    client = store(service)
    assert await at_once(20, client.list_messages) == [None] * 20
    assert len(service.logins) == 1


async def test_a_token_is_renewed_a_minute_before_it_expires():
    service, clock = Service(), Clock()
    client = store(service, clock)
    await client.list_messages()
    clock.now_s += 3539
    await client.list_messages()
    clock.now_s += 2
    await client.list_messages()
    assert service.tokens == ["token-1", "token-1", "token-2"]


async def test_a_short_lived_token_is_still_used():
    service, clock = Service(lambda: httpx.Response(200, json={"access_token": "brief", "expires_in": 40})), Clock()
    client = store(service, clock)
    await client.list_messages()
    clock.now_s += 19
    await client.list_messages()
    assert len(service.logins) == 1


async def test_a_refused_token_is_renewed_once_and_the_request_sent_again():
    service = Service()
    service.good = lambda token: token != "token-1"
    await store(service).list_messages()
    assert service.tokens == ["token-1", "token-2"]


async def test_a_delete_with_a_401_is_not_sent_again_and_the_next_call_has_a_new_token():
    service = Service()
    service.good = lambda token: token != "token-1"
    client = store(service)
    with pytest.raises(Unauthorized) as caught:
        await client.delete_message("7")
    assert (caught.value.status, caught.value.error_code, caught.value.method) == (401, "OAU-129", "DELETE")
    assert (service.tokens, len(service.logins)) == (["token-1"], 1)
    assert [outcome.ok for outcome in await client.delete_message("7")] == [True]
    assert service.tokens == ["token-1", "token-2"]


async def test_a_request_in_at_once_is_not_sent_again_after_a_401():
    service = Service()
    service.good = lambda token: token != "token-1"
    client = store(service)
    with pytest.raises(Unauthorized), sent_once():
        await client.update_message_store_configuration(30)
    assert [request.method for request in service.calls] == ["PUT"]
    await client.list_messages()
    assert service.tokens == ["token-1", "token-2"]


async def test_a_delete_of_conversations_is_not_sent_again_after_a_401():
    service = Service()
    service.good = lambda _: False
    with pytest.raises(Unauthorized):
        await store(service).delete_message_by_filter(["5"], date_to=datetime(2026, 3, 1, tzinfo=UTC))
    assert [request.method for request in service.calls] == ["DELETE"]


async def test_a_delete_that_always_gets_a_401_does_not_repeat_the_login():
    service, clock = Service(), Clock()
    service.good = lambda _: False
    client = store(service, clock)
    for _ in range(5):
        with pytest.raises(Unauthorized):
            await client.delete_message("7")
    assert (len(service.calls), len(service.logins)) == (5, 2)
    clock.now_s += 61
    for _ in range(5):
        with pytest.raises(Unauthorized):
            await client.delete_message("7")
    assert len(service.logins) == 3


async def test_a_read_is_sent_again_although_a_concurrent_delete_got_a_401():
    class Overtaken(Service):
        """Answer the read only after a delete with the same token got a 401."""

        deleted = anyio.Event()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "GET" and request.headers["authorization"] == "Bearer token-1":
                await self.deleted.wait()
            return await super().handle_async_request(request)

    service = Overtaken()
    service.good = lambda token: token != "token-1"
    client = store(service)

    async def delete() -> None:
        with pytest.raises(Unauthorized):
            await client.delete_message("7")
        service.deleted.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.list_messages)
            tasks.start_soon(delete)
    assert [request.method for request in service.calls] == ["DELETE", "GET", "GET"]
    assert len(service.logins) == 2


async def test_a_late_401_to_a_delete_does_not_discard_the_new_token_of_another_call():
    class Overtaken(Service):
        """Answer the delete with 401 only after the read has a new token."""

        renewed = anyio.Event()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "DELETE":
                await self.renewed.wait()
            return await super().handle_async_request(request)

    service = Overtaken()
    service.good = lambda token: token != "token-1"
    client = store(service)

    async def delete() -> None:
        with pytest.raises(Unauthorized):
            await client.delete_message("7")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delete)
            await client.list_messages()
            service.renewed.set()
        await client.list_messages()
    assert service.tokens == ["token-1", "token-2", "token-1", "token-2"]
    assert len(service.logins) == 2


async def test_a_token_about_to_expire_is_renewed_before_a_delete_is_sent():
    service, clock = Service(), Clock()
    client = store(service, clock)
    await client.list_messages()
    clock.now_s += 3541
    service.good = lambda token: token == "token-2"
    assert [outcome.ok for outcome in await client.delete_message("7")] == [True]
    assert [request.method for request in service.calls] == ["GET", "DELETE"]


async def test_a_body_is_sent_again_with_the_request():
    service = Service()
    service.good = lambda token: token != "token-1"
    await store(service).update_message("7", "Read")
    assert [request.content for request in service.calls] == [b'{"readStatus": "Read"}'] * 2


async def test_simultaneous_401s_cause_one_login():
    service = Service()
    client = store(service)
    await client.list_messages()
    service.good = lambda token: token != "token-1"
    assert await at_once(10, client.list_messages) == [None] * 10
    assert len(service.logins) == 2


async def test_a_renewal_that_does_not_help_is_not_repeated_for_a_minute():
    service, clock = Service(), Clock()
    service.good = lambda _: False
    client = store(service, clock)
    for _ in range(5):
        with pytest.raises(Unauthorized) as caught:
            await client.list_messages()
        assert caught.value.error_code == "OAU-129"
    assert len(service.logins) == 2
    clock.now_s += 61
    service.good = lambda token: token == "token-3"
    await client.list_messages()
    assert len(service.logins) == 3


async def test_a_refused_login_says_why_and_is_shared_and_not_repeated_for_a_minute():
    refused = {"error": "invalid_grant", "errors": [{"errorCode": "OAU-251", "message": "JWT is not good"}]}
    service, clock = Service(lambda: httpx.Response(400, json=refused, headers={"RCRequestId": "r-1"})), Clock()
    client = store(service, clock)
    failures = await at_once(10, client.list_messages)
    assert all(isinstance(failure, LoginFailed) for failure in failures)
    assert len(service.logins) == 1
    first = failures[0]
    assert isinstance(first, LoginFailed)
    assert (first.status, first.error_code, first.message, first.request_id) == (
        400,
        "OAU-251",
        "JWT is not good",
        "r-1",
    )
    clock.now_s += 61
    with pytest.raises(LoginFailed):
        await client.list_messages()
    assert len(service.logins) == 2
    assert service.calls == []


async def test_an_oauth_error_without_ringcentral_codes_is_reported_unchanged():
    answer = {"error": "invalid_client", "error_description": "Unknown app"}
    with pytest.raises(LoginFailed) as caught:
        await store(Service(lambda: httpx.Response(400, json=answer))).list_messages()
    assert (caught.value.error_code, caught.value.message) == ("invalid_client", "Unknown app")


async def test_a_rate_limited_login_waits_as_long_as_ringcentral_says():
    headers = {"Retry-After": "300", "X-Rate-Limit-Group": "auth"}
    service, clock = Service(lambda: httpx.Response(429, headers=headers)), Clock()
    client = store(service, clock)
    with pytest.raises(RateLimited) as caught:
        await client.list_messages()
    assert (caught.value.retry_after_s, caught.value.group) == (300, "auth")
    assert (caught.value.held_back, caught.value.wait_s) == (False, 300)
    for after_s, left_s in ((0, 300), (51.5, 248.5), (247.5, 1)):
        clock.now_s += after_s
        with pytest.raises(RateLimited) as caught:
            await client.list_messages()
        assert (caught.value.retry_after_s, caught.value.held_back) == (pytest.approx(left_s), True)
        assert caught.value.wait_s == ceil(left_s)
    assert len(service.logins) == 1


async def test_the_wait_for_a_limited_login_without_a_group_counts_down_in_what_a_user_reads():
    headers = {"RCRequestId": "canary"}
    service, clock = Service(lambda: httpx.Response(429, headers=headers, json={"errorCode": "CMN-301"})), Clock()
    client = store(service, clock)
    said: list[str] = []
    for after_s in (0, 20.5, 30):
        clock.now_s += after_s
        with pytest.raises(RateLimited) as caught:
            await client.list_messages()
        said.append(in_words(caught.value))
    assert [re.findall(r"Wait (\d+) s", text) for text in said] == [["60"], ["40"], ["10"]]
    assert ["canary" in text for text in said] == [True, False, False]
    assert "None" not in "".join(said)


@pytest.mark.parametrize(("status", "header", "pause_s"), [(503, "300", 300), (503, "3", 10), (408, "3", 60)])
async def test_an_unavailable_login_is_not_repeated_before_its_retry_after(status: int, header: str, pause_s: float):
    service, clock = Service(lambda: httpx.Response(status, headers={"Retry-After": header})), Clock()
    client = store(service, clock)
    for after_s, logins in ((0, 1), (pause_s - 1, 1), (1, 2)):
        clock.now_s += after_s
        with pytest.raises(LoginUnavailable) as caught:
            await client.list_messages()
        assert (len(service.logins), caught.value.retry_after_s) == (logins, float(header))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, text="down"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"expires_in": 3600}),
        httpx.Response(200, json={"access_token": "two\nlines"}),
        httpx.Response(302, headers={"location": "https://elsewhere.example"}),
    ],
)
async def test_a_login_without_a_token_means_that_a_delete_was_not_carried_out(answer: httpx.Response):
    service = Service(lambda: answer)
    with pytest.raises(LoginFailed):
        await store(service).delete_message("7")
    assert service.calls == []


class Endless(httpx.AsyncByteStream):
    """A body of these bytes, followed by endless blanks."""

    def __init__(self, begins: bytes) -> None:
        self._begins = begins
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._begins
        while True:
            await anyio.lowlevel.checkpoint()
            self.given += 1024
            yield b" " * 1024


class Sent(httpx.AsyncByteStream):
    """A body that its reader decodes, like one from a network."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


@pytest.mark.parametrize(
    ("status", "kind"), [*((status, LoginUnavailable) for status in (200, 302, 408, 503)), (400, LoginFailed)]
)
async def test_an_unavailable_login_differs_from_a_refused_one(status: int, kind: type[LoginFailed]):
    with pytest.raises(LoginFailed) as caught:
        await store(Service(lambda: httpx.Response(status))).list_messages()
    assert type(caught.value) is kind


async def test_an_endless_login_answer_is_not_read_to_its_end():
    body = Endless(b"<html>")
    service = Service(lambda: httpx.Response(200, stream=body))
    with anyio.fail_after(5), pytest.raises(LoginFailed):
        await store(service).list_messages()
    assert body.given < 2 * LIMITS.login_bytes
    assert service.calls == []


@pytest.mark.parametrize("turned_away", ["login", "call"])
async def test_an_answer_to_a_login_is_not_decoded(turned_away: str):
    bomb = gzip.compress(gzip.compress(b" " * 32 * LIMITS.login_bytes))
    assert len(bomb) < LIMITS.login_bytes // 32
    answers: list[httpx.Response] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and turned_away == "call":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 60})
        status = 200 if request.method == "POST" else 401
        answers.append(httpx.Response(status, headers={"Content-Encoding": "gzip, gzip"}, stream=Sent(bomb)))
        return answers[-1]

    auth = JWTAuth(SERVER, "an-app", SECRET, JWT)
    async with MessageStoreClient(auth, transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(LoginUnavailable if turned_away == "login" else Unauthorized):
            await client.list_messages()
    assert answers[0].content == bomb


async def test_a_login_asks_for_an_answer_without_encoding():
    service = Service()
    await store(service).list_messages()
    assert service.logins[0].headers["accept-encoding"] == "identity"


async def test_a_token_before_endless_blanks_is_used():
    service = Service(lambda: httpx.Response(200, stream=Endless(b'{"access_token": "t", "expires_in": 60}')))
    with anyio.fail_after(5):
        await store(service).list_messages()
    assert service.tokens == ["t"]


@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout("late"), httpx.RemoteProtocolError("gone"), httpx.ConnectError("no")]
)
async def test_a_login_without_an_answer_means_that_a_delete_was_not_carried_out(failure: httpx.HTTPError):
    with pytest.raises(NotSent):
        await store(Service(lambda: failure)).delete_message("7")


async def test_a_login_that_got_no_answer_does_not_hold_up_the_next():
    answers = iter([httpx.ReadTimeout("late"), httpx.Response(200, json={"access_token": "t", "expires_in": 60})])
    client = store(Service(lambda: next(answers)))
    with pytest.raises(NotSent):
        await client.list_messages()
    await client.list_messages()


async def test_a_cancelled_login_does_not_block_the_next():
    class Stuck(Service):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not self.logins:
                self.logins.append(request)
                await anyio.sleep_forever()
            return await super().handle_async_request(request)

    service = Stuck()
    client = store(service)
    with anyio.move_on_after(0.01):
        await client.list_messages()
    with anyio.fail_after(5):
        await client.list_messages()


async def test_a_ready_token_is_not_renewed():
    service = Service()
    service.good = lambda _: False
    client = MessageStoreClient(TokenAuth("ready"), transport=service)
    with pytest.raises(Unauthorized):
        await client.list_messages()
    assert (len(service.calls), service.logins) == (1, [])


@pytest.mark.parametrize("make_auth", [lambda: TokenAuth("ready"), lambda: JWTAuth(SERVER, "an-app", SECRET, JWT)])
async def test_a_token_is_sent_only_to_its_own_clients_entry_points(make_auth: Callable[[], TokenAuth | JWTAuth]):
    auth = make_auth()
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"access_token": "t", "expires_in": 60})

    async with MessageStoreClient(auth, transport=httpx.MockTransport(handler)):
        pass
    async with httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(handler)) as other:
        for url in ("https://evil.example/", "http://platform.ringcentral.com/", "https://media.ringcentral.com:8443/"):
            with pytest.raises(InvalidRequest, match=httpx.URL(url).host):
                await other.get(url)
    assert all(request.url.path == "/restapi/oauth/token" for request in seen)


async def test_a_token_without_a_client_is_not_sent():
    async with httpx.AsyncClient(
        auth=TokenAuth("ready"), transport=httpx.MockTransport(lambda _: httpx.Response(200))
    ) as c:
        with pytest.raises(InvalidRequest):
            await c.get(SERVER)


def test_a_client_does_not_take_a_login_made_for_another_server():
    with pytest.raises(InvalidRequest, match=r"\bserver_url\b"):
        MessageStoreClient(JWTAuth("https://other.example", "an-app", SECRET, JWT))


@pytest.mark.parametrize("bad", ["", " ", "a b", "line\nbreak", "ünïcode"])
def test_a_credential_that_a_header_cannot_contain_is_refused_without_being_shown(bad: str):
    for make in (
        lambda: TokenAuth(bad),
        lambda: JWTAuth(SERVER, bad, SECRET, JWT),
        lambda: JWTAuth(SERVER, "an-app", SECRET, bad),
    ):
        with pytest.raises(InvalidRequest) as caught:
            make()
        assert not bad.strip() or bad not in str(caught.value)


@pytest.mark.parametrize("secret", [SECRET, JWT, base64.b64encode(f"an-app:{SECRET}".encode()).decode()])
async def test_a_failed_login_shows_no_secret_that_comes_back_escaped_or_in_a_header(secret: str):
    escaped = "".join(f"\\u{ord(char):04x}" for char in secret)
    body = f'{{"error": "invalid_grant", "error_description": "no {escaped}"}}'
    service = Service(lambda: httpx.Response(400, content=body, headers={"RCRequestId": f"r {secret}"}))
    with pytest.raises(LoginFailed) as caught:
        await store(service).list_messages()
    assert (caught.value.message, caught.value.request_id) == ("no ***", "r ***")


async def test_secrets_show_neither_in_a_repr_nor_in_a_failed_login():
    service = Service(
        lambda: httpx.Response(400, json={"error": "invalid_grant", "error_description": f"{JWT} {SECRET}"})
    )
    auth = JWTAuth(SERVER, "an-app", SECRET, JWT)
    with pytest.raises(LoginFailed) as caught:
        await MessageStoreClient(auth, transport=service).list_messages()
    shown = f"{auth!r} {TokenAuth(SECRET)!r} {caught.value!r} {vars(caught.value)}" + "".join(
        traceback.format_exception(caught.value)
    )
    assert SECRET not in shown
    assert JWT not in shown


def test_a_client_can_be_made_before_there_is_an_event_loop():
    service = Service()
    client = store(service)
    anyio.run(client.list_messages)
    assert len(service.logins) == 1
