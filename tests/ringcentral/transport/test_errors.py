"""Tests that a refusal becomes the right error, with RingCentral's facts, and without secrets or large texts."""

import json
import sys
import traceback
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.ringcentral import (
    AnswerLost,
    APIError,
    BadEnvironment,
    BadRequest,
    FaxNotReady,
    Forbidden,
    GatewayAnswered,
    MailboxNotFound,
    MessageStoreClient,
    NotInPlan,
    NotSent,
    RangeNotSatisfiable,
    RateLimited,
    RingCentralError,
    StillProcessing,
    SyncTokenRejected,
    TokenAuth,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport import connection
from rc_mcp.ringcentral.transport.responses import parsed, refusal

pytestmark = pytest.mark.anyio

TOKEN = "U0pDMTFQMDFQQVMwMHxBQUJ"
SYNC_TOKEN = "AAAAAv8AAAE1"


async def raised_by(answer: httpx.Response | httpx.HTTPError) -> RingCentralError:
    def handler(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    async with MessageStoreClient(TokenAuth(TOKEN), transport=httpx.MockTransport(handler), max_wait_s=0) as store:
        with pytest.raises(RingCentralError) as caught:
            await store.sync_messages(sync_token=SYNC_TOKEN)
    return caught.value


async def test_an_answer_above_the_limit_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LIMITS", replace(LIMITS, answer_bytes=1_000))
    page: dict[str, Any] = {"records": [], "syncInfo": {"syncToken": "t"}, "uri": "x" * 1_000}
    assert isinstance(await raised_by(httpx.Response(200, json=page)), UnexpectedAnswer)


async def test_a_failure_that_names_no_request_may_have_been_carried_out() -> None:
    assert isinstance(await raised_by(httpx.DecodingError("not gzip")), AnswerLost)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"socks9://user:{TOKEN}@proxy.test"),
        ("HTTPS_PROXY", f"http://user:{TOKEN}@proxy:eighty"),
        ("SSL_CERT_FILE", f"/nowhere/{TOKEN}"),
        ("ALL_PROXY", f"socks5://user:{TOKEN}@proxy.test"),
    ],
)
async def test_an_unusable_environment_is_reported_without_its_values(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "socksio", None)  # as if it is not installed
    async with MessageStoreClient(TokenAuth("t"), max_wait_s=0) as store:
        with pytest.raises(BadEnvironment, match=name) as caught:
            await store.list_messages()
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert ("socksio" in str(caught.value)) == (name == "ALL_PROXY")


def envelope(code: str, message: str = "", *nested: dict[str, str], **extra: str) -> dict[str, Any]:
    return {"errorCode": code, "message": message, **extra, "errors": list(nested)}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, envelope("CMN-101", "Parameter [messageType] value is invalid", parameterName="messageType"), BadRequest),
        (400, envelope("CMN-101", "", {"errorCode": "CMN-101", "parameterName": "syncToken"}), SyncTokenRejected),
        (400, envelope("CMN-101", "Parameter [syncToken] value is invalid."), SyncTokenRejected),
        (400, envelope("MSG-333"), SyncTokenRejected),
        (400, envelope("CMN-101", "", {"errorCode": "MSG-411"}), SyncTokenRejected),
        (401, envelope("TokenInvalid", "", {"errorCode": "OAU-149"}), Unauthorized),
        (403, envelope("CMN-101", parameterName="syncToken"), Forbidden),
        (404, envelope("CMN-102"), APIError),
        (404, envelope("CMN-102", parameterName="messageId"), APIError),
        (404, envelope("CMN-102", parameterName="extensionId"), MailboxNotFound),
        (404, envelope("AGW-404", "Resource not found"), GatewayAnswered),
        (404, envelope("CMN-120", "Invalid URI"), GatewayAnswered),
        (400, envelope("CMN-120", "Invalid URI"), GatewayAnswered),
        (403, envelope("InsufficientPermissions", "", {"errorCode": "AGW-403"}), GatewayAnswered),
        (405, envelope("AGW-405"), GatewayAnswered),
        (401, envelope("AGW-401"), Unauthorized),
        (429, envelope("AGW-429"), RateLimited),
        (503, envelope("AGW-503"), Unavailable),
        (408, {}, Unavailable),
        (409, envelope("MSG-368"), FaxNotReady),
        (416, envelope("CMN-107"), RangeNotSatisfiable),
        (429, envelope("CMN-301"), RateLimited),
        (429, envelope("CMN-304"), StillProcessing),
        (429, envelope("RequestRateExceeded", "", {"errorCode": "CMN-304"}), StillProcessing),
        (403, envelope("BIL-103"), NotInPlan),
        (400, envelope("InvalidParameter", "", {"errorCode": "BIL-102"}), NotInPlan),
        (404, envelope("BIL-101"), NotInPlan),
        (401, envelope("BIL-101"), Unauthorized),
        (429, envelope("BIL-102"), RateLimited),
        (500, envelope("CMN-201"), Unavailable),
        (409, envelope("CMN-201"), Unavailable),
        (503, {}, Unavailable),
        (413, envelope("CMN-199"), APIError),
    ],
)
async def test_status_and_code_decide_the_class(status: int, body: dict[str, Any], kind: type[RingCentralError]):
    assert type(await raised_by(httpx.Response(status, json=body))) is kind


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 409, 410, 413, 415, 418, 451, 499])
@pytest.mark.parametrize(
    "body",
    [
        "<html><h1>Not here</h1></html>",
        "",
        '{"message": "no route"}',
        '{"errorCode": 404, "error": "CMN-102"}',
        '{"errorCode": "NotFound", "errors": [{"errorCode": "NOT_FOUND"}]}',
        '{"errorCode": "CMN-102", "message": "cut of',
    ],
)
async def test_a_refusal_without_a_ringcentral_code_is_not_attributed_to_ringcentral(status: int, body: str):
    error = await raised_by(httpx.Response(status, text=body))
    assert type(error) is UnexpectedAnswer
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Unauthorized), (408, Unavailable), (416, RangeNotSatisfiable), (429, RateLimited), (502, Unavailable)],
)
async def test_some_statuses_keep_their_class_without_a_code(status: int, kind: type[RingCentralError]):
    assert type(await raised_by(httpx.Response(status, text="<html>"))) is kind


async def test_an_error_carries_ringcentrals_facts():
    body = envelope(
        "InsufficientPermissions",
        "user needs to have [ReadMessages] permission",
        {"errorCode": "CMN-408", "message": "user needs to have [ReadMessages]", "permissionName": "ReadMessages"},
    )
    error = await raised_by(httpx.Response(403, json=body, headers={"RCRequestId": "abc-123"}))
    assert isinstance(error, Forbidden)
    assert (error.status, error.error_code, error.envelope_code) == (403, "CMN-408", "InsufficientPermissions")
    assert (error.permission, error.request_id) == ("ReadMessages", "abc-123")
    assert (error.method, error.path) == ("GET", "/restapi/v1.0/account/~/extension/~/message-sync")
    assert [detail.error_code for detail in error.errors] == ["CMN-408"]
    assert str(error) == (
        "RingCentral answered 403 CMN-408: user needs to have [ReadMessages] permission"
        " (GET /restapi/v1.0/account/~/extension/~/message-sync; permission ReadMessages; request id abc-123)"
    )


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("0", 1.0),
        (None, 60.0),
        ("soon", 60.0),
        ("-5", 60.0),
        ("²", 60.0),
        ("3601", 3600.0),
        ("9" * 5000, 3600.0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", 60.0),
        ("Mon, 01 Jan 99999 00:00:00 GMT", 60.0),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 1.0),
        ("Mon, 01 Jan 0001 00:00:00 +0100", 1.0),
        ("Fri, 31 Dec 9999 23:59:59 -0100", 3600.0),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait_and_for_which_group(retry_after: str | None, seconds: float):
    headers = httpx.Headers({"X-Rate-Limit-Group": "light"}, encoding="utf-8")
    if retry_after:
        headers["Retry-After"] = retry_after
    error = await raised_by(httpx.Response(429, headers=headers))
    assert isinstance(error, RateLimited)
    assert (error.retry_after_s, error.group) == (seconds, "light")


async def test_a_rate_limit_can_give_a_date():
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    error = await raised_by(httpx.Response(429, headers={"Retry-After": date}))
    assert isinstance(error, RateLimited)
    assert 80 < error.retry_after_s <= 90


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), Unreachable),
        (httpx.ConnectTimeout("slow"), Unreachable),
        (httpx.PoolTimeout("busy"), NotSent),
        (httpx.ReadTimeout("late"), AnswerLost),
        (httpx.WriteTimeout("late"), AnswerLost),
        (httpx.ReadError("reset"), AnswerLost),
        (httpx.WriteError("reset"), AnswerLost),
        (httpx.CloseError("reset"), AnswerLost),
        (httpx.RemoteProtocolError("half an answer"), AnswerLost),
        (httpx.LocalProtocolError("odd"), AnswerLost),
        (httpx.ProxyError("407 Proxy Authentication Required"), Unreachable),
        (httpx.DecodingError("gzip"), AnswerLost),
    ],
)
async def test_every_transport_failure_says_whether_the_request_may_have_arrived(
    failure: httpx.HTTPError, kind: type[RingCentralError]
):
    assert type(await raised_by(failure)) is kind


async def test_a_status_counts_even_if_its_body_does_not_arrive():
    async def breaks() -> AsyncIterator[bytes]:
        yield b'{"errorCode": "CMN'
        raise httpx.ReadError("reset")

    assert type(await raised_by(httpx.Response(503, content=breaks()))) is Unavailable


async def test_a_403_without_its_body_is_not_attributed_to_ringcentral():
    async def breaks() -> AsyncIterator[bytes]:
        yield b'{"errorCode": "CMN'
        raise httpx.ReadError("reset")

    error = await raised_by(httpx.Response(403, content=breaks()))
    assert isinstance(error, UnexpectedAnswer)
    assert error.status == 403


async def test_a_success_without_its_body_is_lost():
    async def breaks() -> AsyncIterator[bytes]:
        yield b'{"records": ['
        raise httpx.ReadError("reset")

    assert type(await raised_by(httpx.Response(200, content=breaks()))) is AnswerLost


async def test_a_page_with_a_number_too_long_to_read_is_an_error():
    error = await raised_by(httpx.Response(200, text=f'{{"records": [], "paging": {{"page": {"9" * 5000}}}}}'))
    assert isinstance(error, UnexpectedAnswer)


@pytest.mark.parametrize("text", ["", "<html>", "[]", '"x"', "{}", '{"records": null}', '{"records": {}}', "{" * 9999])
async def test_an_invalid_200_is_never_an_empty_page(text: str):
    error = await raised_by(httpx.Response(200, text=text))
    assert isinstance(error, UnexpectedAnswer)
    assert error.status == 200


async def test_a_redirect_is_not_followed():
    error = await raised_by(httpx.Response(307, headers={"location": "https://elsewhere.example/"}))
    assert isinstance(error, UnexpectedAnswer)
    assert error.status == 307


@pytest.mark.parametrize("echo", [TOKEN, f"Bearer {TOKEN}", "x" * 30 + TOKEN * 3])
async def test_no_token_gets_into_an_error_even_when_the_server_sends_it_back(echo: str):
    error = await raised_by(httpx.Response(401, json=envelope("OAU-149", f"Bad token {echo}", parameterName=echo)))
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert TOKEN not in shown
    assert SYNC_TOKEN not in shown


async def test_a_token_sent_back_escaped_or_in_a_header_is_not_shown():
    escaped = "".join(f"\\u{ord(char):04x}" for char in TOKEN)
    body = f'{{"errorCode": "OAU-149", "message": "Bad token {escaped}"}}'
    headers = {"RCRequestId": f"r-{TOKEN}", "X-Rate-Limit-Group": TOKEN}
    for status in (401, 429):
        error = await raised_by(httpx.Response(status, content=body, headers=headers))
        assert isinstance(error, APIError)
        assert (error.message, error.request_id) == ("Bad token ***", "r-***")
        assert TOKEN not in repr(vars(error))


async def test_no_part_of_a_possible_token_is_shown_where_a_text_is_cut():
    strange = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI2MzQzNzAwNCJ9.c2lnbmF0dXJl"
    error = await raised_by(httpx.Response(400, json=envelope("OAU-213", "so " * 95 + strange)))
    assert isinstance(error, BadRequest)
    assert error.message is not None
    assert strange[:5] not in error.message
    assert len(error.message) <= 300


async def test_no_possible_token_gets_into_an_error():
    strange = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI2MzQzNzAwNCJ9.c2lnbmF0dXJl"
    error = await raised_by(httpx.Response(400, json=envelope("OAU-213", f"Token not found: {strange}")))
    assert strange not in str(error)
    assert "Token not found" in str(error)


async def test_a_header_that_the_http_library_quotes_is_not_shown():
    error = await raised_by(httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'"))
    assert TOKEN not in "".join(traceback.format_exception(error))


async def test_a_servers_text_is_bounded_and_on_one_line():
    message = "bad\r\n\x1b[31m\u202e" + "words " * 10_000
    error = await raised_by(httpx.Response(400, json=envelope("CMN-101", message), headers={"RCRequestId": "r" * 4000}))
    assert isinstance(error, BadRequest)
    assert error.message is not None
    assert len(error.message) <= 300
    assert error.message.isprintable()
    assert len(str(error)) < 600


async def test_a_huge_error_body_is_not_read_to_its_end():
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 1024

    assert type(await raised_by(httpx.Response(500, content=endless()))) is Unavailable
    assert read < 100


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.sampled_from(["errors", "errorCode", "message", "parameterName", "error"]), inner),
    ),
)


@given(
    status=st.integers(300, 599),
    body=st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode())),
    headers=st.dictionaries(st.sampled_from(["retry-after", "rcrequestid", "x-rate-limit-group"]), st.text()),
)
def test_no_body_and_no_header_break_the_parsing_of_a_refusal(status: int, body: bytes, headers: Mapping[str, str]):
    error = refusal(status, parsed(body), headers, method="DELETE", path="/x")
    assert str(error).isprintable()
    assert len(str(error)) < 1000
