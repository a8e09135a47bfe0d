"""Tests of retries: which, how often and when; and of a DELETE only if it was certainly not carried out."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.ringcentral import (
    AnswerLost,
    JWTAuth,
    MessageStoreClient,
    NotSent,
    Outcome,
    RateLimited,
    RingCentralError,
    TokenAuth,
    Unavailable,
)
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio

EMPTY: dict[str, Any] = {"records": [], "paging": {}, "navigation": {}, "syncInfo": {"syncToken": "next"}}
CMN_201 = {"errorCode": "CMN-201", "message": "Service Temporary Unavailable"}
CMN_304 = {"errorCode": "CMN-304", "message": "Duplicate concurrent request"}
Answer = httpx.Response | httpx.HTTPError


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Fails(httpx.AsyncBaseTransport):
    """A service that fails a number of times, then succeeds."""

    def __init__(self, failure: Answer, times: int = 1) -> None:
        self._failure, self._left = failure, times
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        if self._left:
            self._left -= 1
            if isinstance(self._failure, httpx.HTTPError):
                raise self._failure
            retry_after = self._failure.headers.get("retry-after")
            headers = {"Retry-After": retry_after} if retry_after else {}
            return httpx.Response(self._failure.status_code, headers=headers, content=self._failure.content)
        if request.method == "GET":
            return httpx.Response(200, json=EMPTY)
        return httpx.Response(204) if request.method == "DELETE" else httpx.Response(200, json={"id": "5"})


def client(service: httpx.AsyncBaseTransport, max_wait_s: float | None = None) -> MessageStoreClient:
    return MessageStoreClient(TokenAuth("t"), transport=service, max_wait_s=max_wait_s)


AMBIGUOUS: list[Answer] = [
    httpx.ReadError("reset"),
    httpx.ReadTimeout("late"),
    httpx.RemoteProtocolError("half"),
    httpx.Response(500, json=CMN_201),
    httpx.Response(429, json=CMN_304),
    httpx.Response(502),
    httpx.Response(503),
    httpx.Response(504),
]
HARMLESS: list[Answer] = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("late"),
    httpx.ProxyError("407"),
    httpx.Response(429),
]
FINAL: list[Answer] = [httpx.Response(status) for status in (400, 403, 404, 408, 500, 501)]


@pytest.mark.parametrize("failure", [*AMBIGUOUS, *HARMLESS], ids=str)
async def test_reads_and_updates_are_sent_again(failure: Answer) -> None:
    for act in ("list_messages", "update_message", "patch_message"):
        service = Fails(failure)
        async with client(service) as store:
            if act == "list_messages":
                await store.list_messages()
            else:
                outcomes = await (
                    store.update_message("5", "Read")
                    if act == "update_message"
                    else store.patch_message("5", availability="Alive")
                )
                assert outcomes[0].ok
        assert service.sent == 2, act


@pytest.mark.parametrize("failure", AMBIGUOUS, ids=str)
async def test_a_delete_is_never_sent_again_when_it_may_have_been_carried_out(failure: Answer) -> None:
    service = Fails(failure)
    async with client(service) as store:
        (outcome,) = await store.delete_message("5")
    assert outcome.unknown
    assert service.sent == 1


@pytest.mark.parametrize("failure", HARMLESS, ids=str)
async def test_a_delete_is_sent_again_when_it_was_certainly_not_carried_out(failure: Answer) -> None:
    service = Fails(failure)
    async with client(service) as store:
        assert await store.delete_message("5") == [Outcome("5", status=204)]
    assert service.sent == 2


@pytest.mark.parametrize("failure", FINAL, ids=str)
async def test_a_request_that_would_fail_again_is_not_sent_again(failure: Answer) -> None:
    service = Fails(failure)
    async with client(service) as store:
        with pytest.raises(RingCentralError):
            await store.list_messages()
    assert service.sent == 1


async def test_a_request_that_is_still_processed_is_sent_again_after_a_moment() -> None:
    service, start = Fails(httpx.Response(429, json=CMN_304)), anyio.current_time()
    async with client(service) as store:
        await store.list_messages()
    assert service.sent == 2
    assert anyio.current_time() - start <= 1


@pytest.mark.parametrize(("failure", "kind"), [(httpx.ReadError("x"), AnswerLost), (httpx.Response(503), Unavailable)])
async def test_retries_end_after_four_attempts_and_a_few_seconds(failure: Answer, kind: type[RingCentralError]) -> None:
    service, start = Fails(failure, times=99), anyio.current_time()
    async with client(service) as store:
        with pytest.raises(kind):
            await store.list_messages()
    assert service.sent == 4
    assert 1.5 <= anyio.current_time() - start <= 3.5


@pytest.mark.parametrize(("retry_after", "least_s", "most_s"), [("30", 30, 30), ("0", 1, 1), ("soon", 0.25, 0.5)])
async def test_a_retry_waits_until_ringcentral_says_that_it_is_available(
    retry_after: str, least_s: float, most_s: float
) -> None:
    service, start = Fails(httpx.Response(503, headers={"Retry-After": retry_after})), anyio.current_time()
    async with client(service) as store:
        await store.list_messages()
    assert service.sent == 2
    assert least_s <= anyio.current_time() - start <= most_s


@pytest.mark.parametrize(("max_wait_s", "retry_after"), [(None, 151), (29, 30)])
async def test_no_retry_waits_longer_than_the_caller_allows(max_wait_s: float | None, retry_after: int) -> None:
    service, start = Fails(httpx.Response(503, headers={"Retry-After": str(retry_after)})), anyio.current_time()
    async with client(service, max_wait_s) as store:
        with pytest.raises(Unavailable) as caught:
            await store.list_messages()
    assert (service.sent, anyio.current_time() - start, caught.value.retry_after_s) == (1, 0, retry_after)


async def test_retries_end_during_a_penalty_that_does_not_end() -> None:
    service, start = Fails(httpx.Response(429), times=99), anyio.current_time()
    async with client(service) as store:
        with pytest.raises(RateLimited):
            await store.list_messages()
    assert service.sent == 3
    assert anyio.current_time() - start == pytest.approx(120)


async def test_a_caller_that_allows_no_wait_gets_no_retry() -> None:
    service = Fails(httpx.Response(503), times=99)
    async with client(service, max_wait_s=0) as store:
        with pytest.raises(Unavailable):
            await store.list_messages()
    assert service.sent == 1


async def test_cancelling_ends_the_wait_before_a_retry_at_once() -> None:
    service = Fails(httpx.Response(503), times=99)
    async with client(service) as store:
        with anyio.move_on_after(0.1):
            await store.list_messages()
    assert service.sent == 1


async def test_a_login_without_an_answer_is_not_sent_again() -> None:
    service = Fails(httpx.ReadTimeout("late"), times=99)
    auth = JWTAuth("https://platform.ringcentral.com", "app", "secret", "jwt")
    async with MessageStoreClient(auth, transport=service) as store:
        with pytest.raises(NotSent):
            await store.list_messages()
    assert service.sent == 1


async def test_requests_that_were_never_sent_take_no_place() -> None:
    service = Fails(httpx.ConnectError("refused"), times=90)
    async with client(service, max_wait_s=5) as store:
        for _ in range(20):
            with pytest.raises(NotSent):
                await store.list_messages()
    assert service.sent == 80


class Drips(httpx.AsyncByteStream):
    """A body that always sends one more byte before any timeout of the connection."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await anyio.sleep(20)
            yield b" "


@pytest.mark.parametrize("status", [200, 503])
async def test_the_wait_for_a_slow_endless_answer_ends(status: int) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, stream=Drips())

    start = anyio.current_time()
    async with client(httpx.MockTransport(answer)) as store:
        with pytest.raises(AnswerLost if status == 200 else Unavailable):
            await store.list_messages()
        (outcome,) = await store.delete_message("5")
    assert outcome.unknown
    assert anyio.current_time() - start < 5 * 61


class Silent(httpx.AsyncBaseTransport):
    """A transport that never answers requests to URLs with this ending, and ignores timeouts."""

    def __init__(self, path: str = "") -> None:
        self._path = path
        self.sent: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.method)
        if request.url.path.endswith(self._path):
            await anyio.sleep_forever()
        return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})


async def test_a_slow_endless_head_is_a_lost_answer() -> None:
    service = Silent()
    with anyio.fail_after(600):
        async with client(service) as store:
            (outcome,) = await store.delete_message("5")
            assert (service.sent, anyio.current_time()) == (["DELETE"], pytest.approx(1_060))
            with pytest.raises(AnswerLost):
                await store.list_messages()
    assert outcome.unknown
    assert service.sent == ["DELETE", *["GET"] * 4]


@pytest.mark.parametrize(("path", "kind", "sent"), [("/token", NotSent, 1), ("/message-store", AnswerLost, 5)])
async def test_the_head_of_a_logins_answer_has_its_own_time_limit(
    path: str, kind: type[RingCentralError], sent: int
) -> None:
    service = Silent(path)
    auth = JWTAuth("https://platform.ringcentral.com", "app", "secret", "jwt")
    with anyio.fail_after(600):
        async with MessageStoreClient(auth, transport=service) as store:
            with pytest.raises(kind):
                await store.list_messages()
    assert len(service.sent) == sent


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_wait_for_a_slow_endless_login_answer_ends_and_nothing_is_sent(method: str) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(200, stream=Drips())

    auth = JWTAuth("https://platform.ringcentral.com", "app", "secret", "jwt")
    with anyio.fail_after(61):
        async with MessageStoreClient(auth, transport=httpx.MockTransport(answer)) as store:
            with pytest.raises(NotSent):
                await (store.list_messages() if method == "GET" else store.delete_message("5"))
    assert sent == ["/restapi/oauth/token"]


async def test_a_slow_endless_body_of_a_401_does_not_block_the_renewal_for_ever() -> None:
    auth = JWTAuth("https://platform.ringcentral.com", "app", "secret", "jwt")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        return httpx.Response(401, stream=Drips())

    with anyio.fail_after(600):
        async with MessageStoreClient(auth, transport=httpx.MockTransport(answer)) as store:
            with pytest.raises(AnswerLost):
                await store.list_messages()


async def test_cancelling_ends_a_call_at_once_while_its_answer_arrives() -> None:
    async with client(httpx.MockTransport(lambda _: httpx.Response(200, stream=Drips()))) as store:
        start = anyio.current_time()
        with anyio.move_on_after(30) as scope:
            await store.list_messages()
    assert scope.cancelled_caught
    assert anyio.current_time() - start == 30


async def test_a_penalty_longer_than_the_callers_limit_is_raised_at_once() -> None:
    service, start = Fails(httpx.Response(429), times=99), anyio.current_time()
    async with client(service, max_wait_s=59) as store:
        with pytest.raises(RateLimited) as caught:
            await store.list_messages()
        with pytest.raises(RateLimited):
            await store.sync_messages()
    assert (caught.value.retry_after_s, caught.value.held_back) == (60, False)
    assert (service.sent, anyio.current_time() - start) == (1, 0)
