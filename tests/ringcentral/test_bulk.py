"""Tests of requests for many ids: with any answer every id gets one outcome, and never a false success."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.ringcentral import (
    AnswerLost,
    APIError,
    BadRequest,
    Forbidden,
    MessageStoreClient,
    NotFound,
    NotSent,
    Outcome,
    RateLimited,
    RingCentralError,
    TokenAuth,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from rc_mcp.ringcentral.bulk import outcomes_of
from rc_mcp.ringcentral.calls import Call, change, delete, read
from rc_mcp.ringcentral.limits import LIMITS
from rc_mcp.ringcentral.transport.connection import MAYBE_CARRIED_OUT
from rc_mcp.ringcentral.transport.responses import CompleteResponse

pytestmark = pytest.mark.anyio

MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"
BOX = "/restapi/v1.0/account/~/extension/~"
WHEN = datetime(2026, 3, 1, tzinfo=UTC)
GONE = {
    "errorCode": "CMN-102",
    "message": "Resource for parameter [messageId] is not found",
    "parameterName": "messageId",
}

Step = httpx.Response | httpx.HTTPError


class Script(httpx.AsyncBaseTransport):
    """A transport that plays one step per request: an answer or a transport failure."""

    def __init__(self, *steps: Step) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = next(self._steps)
        if isinstance(step, httpx.HTTPError):
            raise step
        return step


def store(script: Script) -> MessageStoreClient:
    return MessageStoreClient(TokenAuth("a-token"), transport=script, max_wait_s=0, assume_limits=False)


def numbers(count: int, start: int = 1) -> list[str]:
    return [str(n) for n in range(start, start + count)]


def part(id_: str, status: int = 200, **body: Any) -> dict[str, Any]:
    return {"resourceId": id_, "status": status, "body": {"id": int(id_), **body} if status == 200 else body}


def multi(*parts: dict[str, Any]) -> httpx.Response:
    return httpx.Response(207, content=json.dumps(parts), headers={"content-type": MULTIPART_JSON})


def mixed(statuses: list[dict[str, Any]], *bodies: object) -> httpx.Response:
    chunks = [{"response": statuses}, *bodies]
    text = "".join(f"--b1\r\nContent-Type: application/json\r\n\r\n{json.dumps(chunk)}\r\n" for chunk in chunks)
    return httpx.Response(207, content=f"{text}--b1--\r\n", headers={"content-type": 'multipart/mixed; boundary="b1"'})


def href(id_: str) -> str:
    return f"https://platform.ringcentral.com/restapi/v1.0/account/1/extension/2/message-store/{id_}"


def summary(outcomes: list[Outcome]) -> list[tuple[str, int | None, str]]:
    return [(o.id, o.status, type(o.error).__name__ if o.error else "ok") for o in outcomes]


async def test_parts_come_back_in_the_callers_order_each_with_its_own_error():
    script = Script(multi(part("3"), part("2", 404, **GONE), part("1", subject="hello")))
    outcomes = await store(script).read_messages(["1", "2", "3"])
    assert summary(outcomes) == [("1", 200, "ok"), ("2", 404, "NotFound"), ("3", 200, "ok")]
    assert outcomes[0].message is not None
    assert outcomes[0].message.subject == "hello"
    assert isinstance(outcomes[1].error, NotFound)
    assert outcomes[1].error.error_code == "CMN-102"
    assert outcomes[1].error.parameter == "messageId"


@pytest.mark.parametrize("beyond", [0, 1])
async def test_an_answer_in_mime_parts_too_large_to_parse_leaves_every_id_unknown(beyond: int):
    answer = mixed([{"href": href("1"), "status": 200}], {"id": 1})
    epilogue = b" " * (LIMITS.multipart_bytes + beyond - len(answer.content))
    script = Script(httpx.Response(207, content=answer.content + epilogue, headers=answer.headers))
    (outcome,) = await store(script).update_message("1", "Read")
    assert (outcome.ok, outcome.unknown) == (not beyond, bool(beyond))


async def test_a_plain_204_means_that_all_were_deleted():
    outcomes = await store(Script(httpx.Response(204))).delete_message(["1", "2"])
    assert summary(outcomes) == [("1", 204, "ok"), ("2", 204, "ok")]


async def test_a_delete_that_failed_for_some_says_so_for_those():
    script = Script(multi({"resourceId": "1", "status": 204}, part("2", 404, **GONE)))
    assert summary(await store(script).delete_message(["1", "2"])) == [("1", 204, "ok"), ("2", 404, "NotFound")]


async def test_multipart_mixed_is_read_too():
    statuses = [
        {"href": href("1"), "status": 200, "responseDescription": "OK"},
        {"href": href("2"), "status": 404, "responseDescription": "Not Found"},
    ]
    outcomes = await store(Script(mixed(statuses, {"id": 1, "subject": "é"}, GONE))).read_messages(["1", "2"])
    assert summary(outcomes) == [("1", 200, "ok"), ("2", 404, "NotFound")]
    assert outcomes[0].message is not None
    assert outcomes[0].message.subject == "é"


async def test_multipart_mixed_without_a_body_per_part_still_gives_a_deletes_statuses():
    statuses = [{"href": href("1"), "status": 204}, {"href": href("2"), "status": 404}]
    outcomes = await store(Script(mixed(statuses, GONE))).delete_message(["1", "2"])
    assert summary(outcomes) == [("1", 204, "ok"), ("2", 404, "UnexpectedAnswer")]


async def test_multipart_mixed_bodies_are_ignored_when_one_is_missing():
    statuses = [{"href": href("1"), "status": 200}, {"href": href("2"), "status": 200}]
    outcomes = await store(Script(mixed(statuses, {"id": 2}))).read_messages(["1", "2"])
    assert [o.unknown for o in outcomes] == [True, True]


async def test_multipart_mixed_bodies_are_ignored_when_there_is_one_too_many():
    statuses = [{"href": href("1"), "status": 200}]
    outcomes = await store(Script(mixed(statuses, {"id": 1}, {"id": 1}))).read_messages(["1", "2"])
    assert [o.unknown for o in outcomes] == [True, True]


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="<html>hotel login</html>"), httpx.Response(200, json={"id": 7})]
)
async def test_a_200_is_not_a_valid_answer_to_a_delete(answer: httpx.Response):
    (outcome,) = await store(Script(answer)).delete_message("7")
    assert isinstance(outcome.error, UnexpectedAnswer)
    assert outcome.status is None


async def test_parts_without_ids_are_matched_by_position():
    script = Script(multi({"status": 200, "body": {"id": 7}}, {"status": 404, "body": GONE}))
    assert summary(await store(script).update_message(["7", "8"], "Read")) == [("7", 200, "ok"), ("8", 404, "NotFound")]


async def test_parts_without_ids_are_not_matched_by_position_when_one_is_missing():
    script = Script(multi({"status": 204}))
    assert [o.unknown for o in await store(script).delete_message(["7", "8"])] == [True, True]


async def test_parts_without_ids_mean_nothing_when_the_ids_were_not_in_the_path():
    ids = numbers(51)
    script = Script(multi(*({"status": 200, "body": {"id": int(id_)}} for id_ in ids)))
    assert all(o.unknown for o in await store(script).update_message(ids, "Read"))


async def test_a_missing_part_is_unknown_never_a_success():
    outcomes = await store(Script(multi({"resourceId": "1", "status": 204}))).delete_message(["1", "2"])
    assert [(o.ok, o.unknown, o.status) for o in outcomes] == [(True, False, 204), (False, True, None)]


@pytest.mark.parametrize("statuses", [(204, 404), (404, 204), (204, 503, 204), (404, 204, 404)])
async def test_contradictory_parts_make_their_message_unknown(statuses: tuple[int, ...]):
    parts = [{"resourceId": "1", "status": status, "body": GONE} for status in statuses]
    outcomes = await store(Script(multi(*parts, {"resourceId": "2", "status": 204}))).delete_message(["1", "2"])
    assert [(o.ok, o.unknown) for o in outcomes] == [(False, True), (True, False)]


async def test_parts_for_other_ids_and_repeated_parts_are_ignored():
    script = Script(
        multi(
            {"resourceId": "1", "status": 204}, {"resourceId": "1", "status": 204}, {"resourceId": "9", "status": 204}
        )
    )
    assert summary(await store(script).delete_message(["1", "2"])) == [
        ("1", 204, "ok"),
        ("2", None, "UnexpectedAnswer"),
    ]


async def test_an_answer_about_another_message_is_not_a_success():
    assert summary(await store(Script(httpx.Response(200, json={"id": 8}))).update_message("7", "Read")) == [
        ("7", 200, "UnexpectedAnswer")
    ]


async def test_a_part_that_says_server_error_is_unknown():
    outcomes = await store(Script(multi(part("1", 500), part("2", 503)))).delete_message(["1", "2"])
    assert all(o.unknown and isinstance(o.error, Unavailable) for o in outcomes)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>hotel login</html>"),
        httpx.Response(200, json={"id": 1}),
        httpx.Response(207, content=b'[{"resourceId": "1", "sta', headers={"content-type": MULTIPART_JSON}),
        httpx.Response(207, content=b"", headers={"content-type": "multipart/mixed"}),
        httpx.Response(207, content=b"--b\r\n\r\n", headers={"content-type": "multipart/mixed; boundary=b"}),
        httpx.Response(202),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
        httpx.Response(400, text="<html>bad request</html>"),
        httpx.Response(403, text="<html>blocked</html>"),
        httpx.Response(404, text="<html>no such page</html>"),
        httpx.Response(409),
        httpx.Response(413, json={"message": "too large"}),
        httpx.Response(500, text="oops"),
        httpx.Response(504, json={"errorCode": "CMN-201", "message": "Service Temporary Unavailable"}),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("gone"),
        httpx.WriteError("half"),
    ],
)
async def test_a_delete_without_a_reliable_answer_is_unknown_and_the_rest_is_not_sent(answer: Step):
    script = Script(answer, httpx.Response(204))
    outcomes = await store(script).delete_message(numbers(60))
    assert len(script.requests) == 1
    assert all(o.unknown and not o.ok for o in outcomes[:50])
    assert all(isinstance(o.error, NotSent) and not o.unknown and o.status is None for o in outcomes[50:])
    assert [o.id for o in outcomes] == numbers(60)


async def test_a_later_chunk_that_fails_keeps_the_earlier_outcomes():
    limited = httpx.Response(429, json={"errorCode": "CMN-301"})
    script = Script(httpx.Response(204), limited, httpx.Response(204))
    outcomes = await store(script).delete_message(numbers(101))
    assert [len(request.url.path.split(",")) for request in script.requests] == [50, 50]
    assert all(o.ok for o in outcomes[:50])
    assert all(isinstance(o.error, RateLimited) and o.status == 429 and not o.unknown for o in outcomes[50:100])
    assert isinstance(outcomes[100].error, NotSent)


async def test_an_unknown_part_also_ends_the_run():
    script = Script(multi(*(part(id_, 204) for id_ in numbers(49))), httpx.Response(204))
    outcomes = await store(script).delete_message(numbers(51))
    assert len(script.requests) == 1
    assert (outcomes[49].unknown, type(outcomes[50].error)) == (True, NotSent)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401), Unauthorized),
        (httpx.Response(403, json={"errorCode": "CMN-408"}), Forbidden),
        (httpx.Response(429), RateLimited),
        (httpx.ConnectError("refused"), NotSent),
        (httpx.ConnectTimeout("slow"), NotSent),
        (httpx.PoolTimeout("busy"), NotSent),
    ],
)
async def test_an_error_that_stops_the_first_chunk_is_raised(answer: Step, kind: type[Exception]):
    with pytest.raises(kind):
        await store(Script(answer)).delete_message(numbers(60))


async def test_a_404_without_a_ringcentral_code_says_nothing_about_the_messages():
    page = httpx.Response(404, text="<html>no such page</html>")
    for outcomes in (
        await store(Script(page)).read_messages(["1", "2"]),
        await store(Script(page)).update_message(["1"], "Read"),
        await store(Script(page)).delete_message("1"),
    ):
        assert all(o.unknown and isinstance(o.error, UnexpectedAnswer) and o.error.status == 404 for o in outcomes)
    with pytest.raises(UnexpectedAnswer):
        await store(Script(page)).read_message("7")


async def test_a_part_of_a_207_needs_no_code_to_be_ringcentrals_refusal():
    outcomes = await store(Script(multi({"resourceId": "2", "status": 403}))).delete_message(["2"])
    assert summary(outcomes) == [("2", 403, "Forbidden")]
    assert not outcomes[0].unknown


NO_WORD_ABOUT_A_MESSAGE: list[tuple[dict[str, Any], str]] = [
    ({}, "UnexpectedAnswer"),
    ({"message": "no route"}, "UnexpectedAnswer"),
    ({"errorCode": "AGW-404", "message": "Resource not found", "errors": []}, "GatewayAnswered"),
    ({"errorCode": "CMN-120", "message": "Invalid URI"}, "GatewayAnswered"),
    ({**GONE, "errors": [{"errorCode": "AGW-404", "message": "Resource not found"}]}, "GatewayAnswered"),
    ({"errorCode": "CMN-102", "message": "Resource not found"}, "APIError"),
    ({"errorCode": "CMN-102", "parameterName": "attachmentId"}, "APIError"),
    ({"errorCode": "CMN-102", "parameterName": "conversationId"}, "APIError"),
    ({**GONE, "errorCode": "MSG-304"}, "APIError"),
    ({"errorCode": "CMN-102", "parameterName": "extensionId"}, "MailboxNotFound"),
    ({"errorCode": "CMN-102", "parameterName": "accountId"}, "MailboxNotFound"),
    ({**GONE, "errors": [{"errorCode": "CMN-102", "parameterName": "extensionId"}]}, "MailboxNotFound"),
]
"""Bodies of a 404 that do not prove that the message does not exist, and the resulting error."""


@pytest.mark.parametrize(("body", "kind"), NO_WORD_ABOUT_A_MESSAGE)
async def test_a_404_in_a_part_is_not_found_only_where_it_names_the_message(body: dict[str, Any], kind: str):
    odd = {"resourceId": "2", "status": 404, "body": body}
    is_doubtful = kind in {"UnexpectedAnswer", "GatewayAnswered"}
    for outcomes in (
        await store(Script(multi(part("1"), odd))).read_messages(["1", "2"]),
        await store(Script(multi(part("1"), odd))).update_message(["1", "2"], "Read"),
        await store(Script(multi({"resourceId": "1", "status": 204}, odd))).delete_message(["1", "2"]),
    ):
        assert [(type(o.error).__name__, o.unknown) for o in outcomes[1:]] == [(kind, is_doubtful)]
        assert outcomes[0].ok


@pytest.mark.parametrize(("body", "kind"), NO_WORD_ABOUT_A_MESSAGE)
async def test_a_404_to_one_message_is_not_found_only_where_it_names_the_message(body: dict[str, Any], kind: str):
    answer = httpx.Response(404, json=body)
    for outcomes in (
        await store(Script(answer)).read_messages(["2"]),
        await store(Script(answer)).patch_message("2", availability="Alive"),
        await store(Script(answer)).delete_message("2"),
    ):
        assert [type(outcome.error).__name__ for outcome in outcomes] == [kind]


@pytest.mark.parametrize(
    "body",
    [
        GONE,
        {"errorCode": "CMN-102", "message": GONE["message"]},
        {"errorCode": "InvalidParameter", "message": "no", "errors": [GONE]},
        {"errorCode": "InvalidParameter", "errors": [{"errorCode": "CMN-102", "message": GONE["message"]}]},
    ],
)
async def test_a_missing_message_is_not_found_in_every_form_of_answer(body: dict[str, Any]):
    single = await store(Script(httpx.Response(404, json=body))).read_messages(["2"])
    in_part = await store(Script(multi({"resourceId": "2", "status": 404, "body": body}))).read_messages(["2"])
    assert [type(outcome.error) for outcome in (*single, *in_part)] == [NotFound, NotFound]


async def test_one_404_to_a_request_for_many_does_not_say_which_message_is_meant():
    answer = httpx.Response(404, json=GONE)
    for outcomes in (
        await store(Script(answer)).read_messages(["1", "2"]),
        await store(Script(answer)).update_message(["1", "2"], "Read"),
        await store(Script(answer)).delete_message(["1", "2"]),
        await store(Script(answer)).update_message(numbers(51), "Read"),
    ):
        assert {type(outcome.error) for outcome in outcomes} == {APIError}


async def test_a_401_makes_only_a_delete_unknown():
    turned_away = httpx.Response(401, json={"errorCode": "OAU-129"})
    deleted = await store(Script(httpx.Response(204), turned_away)).delete_message(numbers(51))
    assert (type(deleted[50].error), deleted[50].status, deleted[50].unknown) == (Unauthorized, 401, True)
    read = await store(Script(multi(*map(part, numbers(50))), turned_away)).read_messages(numbers(51))
    assert (type(read[50].error), read[50].unknown) == (Unauthorized, False)


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "1", "²", "-1"])
async def test_an_impossible_id_is_ignored(digits: str):
    parts = multi({"resourceId": digits, "status": 204}, {"resourceId": "2", "status": 204})
    outcomes = await store(Script(parts)).delete_message(["1", "2"])
    assert [(o.ok, o.unknown) for o in outcomes] == [(False, True), (True, False)]
    (changed,) = await store(Script(httpx.Response(200, json={"id": digits}))).update_message("1", "Read")
    assert isinstance(changed.error, UnexpectedAnswer)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(207, content=f'[{{"resourceId": {"9" * 5000}, "status": 204}}]'),
        httpx.Response(207, content=f'[{{"resourceId": "1", "status": {"2" * 5000}}}]'),
        httpx.Response(207, headers={"content-type": f"multipart/mixed; boundary*{'9' * 5000}=b"}, content=b"--b--"),
        httpx.Response(207, headers={"content-type": "multipart/mixed; boundary*=a%00b'x'b"}, content=b"--b--"),
    ],
)
async def test_an_answer_that_cannot_be_read_after_a_delete_is_unknown(answer: httpx.Response):
    (outcome,) = await store(Script(answer)).delete_message("1")
    assert isinstance(outcome.error, UnexpectedAnswer)
    assert outcome.unknown


async def test_a_single_ids_plain_error_is_its_outcome():
    outcomes = await store(Script(httpx.Response(404, json=GONE))).delete_message("7")
    assert summary(outcomes) == [("7", 404, "NotFound")]


async def test_an_error_about_the_whole_request_is_each_ids_error():
    answer = httpx.Response(400, json={"errorCode": "CMN-106", "message": "Batch request is limited to 20 entries"})
    outcomes = await store(Script(answer)).read_messages(["7", "8"])
    assert all(isinstance(o.error, BadRequest) and o.error.error_code == "CMN-106" for o in outcomes)


async def test_updates_are_sent_a_thousand_at_a_time_and_the_rest_in_the_fitting_form():
    ids = numbers(1001)
    script = Script(multi(*map(part, ids[:1000])), httpx.Response(200, json={"id": 1001}))
    outcomes = await store(script).update_message(ids, "Read")
    assert all(o.ok for o in outcomes)
    assert [request.url.path.rpartition("/")[2] for request in script.requests] == ["*", "1001"]


@pytest.mark.parametrize(
    "answer", [multi(part("7")), httpx.Response(200, json={"id": 8}), httpx.Response(200, json=[])]
)
async def test_one_message_is_read_as_one_record_and_must_be_that_message(answer: httpx.Response) -> None:
    with pytest.raises(UnexpectedAnswer):
        await store(Script(answer)).read_message("7")


async def test_one_missing_message_raises():
    with pytest.raises(NotFound):
        await store(Script(httpx.Response(404, json=GONE))).read_message("7")


async def test_a_conversation_delete_that_is_lost_later_keeps_the_confirmed_outcomes():
    script = Script(httpx.Response(204), httpx.ReadError("dropped"))
    outcomes = await store(script).delete_message_by_filter(numbers(101), date_to=WHEN)
    assert [outcome.ok for outcome in outcomes] == [True] * 50 + [False] * 51
    assert {type(outcome.error) for outcome in outcomes[50:100]} == {AnswerLost}
    assert type(outcomes[100].error) is NotSent


async def test_only_a_change_with_a_lost_answer_may_have_been_carried_out():
    lost = await store(Script(httpx.ReadError("dropped"))).delete_message_by_filter(["5"], date_to=WHEN)
    assert MAYBE_CARRIED_OUT in str(lost[0].error)
    with pytest.raises(AnswerLost) as caught:
        await store(Script(*[httpx.ReadError("dropped")] * 9)).read_message("7")
    assert MAYBE_CARRIED_OUT not in str(caught.value)


async def test_each_conversation_of_a_delete_has_its_own_outcome():
    script = Script(multi({"resourceId": "5", "status": 204}, {"resourceId": "6", "status": 404, "body": GONE}))
    deleted, missing = await store(script).delete_message_by_filter(["5", "6"], date_to=WHEN)
    assert deleted.ok
    assert type(missing.error) is APIError


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["1", "2"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["resourceId", "status", "body", "id", "response", "href"]), inner, max_size=4),
    ),
    max_leaves=12,
)
bodies = st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode()))
content_types = st.sampled_from([MULTIPART_JSON, "application/json", "multipart/mixed; boundary=b", "", "text/html"])


@pytest.mark.parametrize("call", [read(BOX, ["1", "2"]), delete(BOX, ["1", "2"], ())])
@given(status=st.sampled_from([200, 202, 204, 206, 207]), content_type=content_types, body=bodies)
def test_no_answer_breaks_the_parsing_or_adds_an_id(call: Call, status: int, content_type: str, body: bytes):
    answer = CompleteResponse(status, {"content-type": content_type}, body)
    try:
        outcomes = outcomes_of(call, ["1", "2"], answer)
    except UnexpectedAnswer:
        return
    assert [outcome.id for outcome in outcomes] == ["1", "2"]
    assert all(outcome.error is None or isinstance(outcome.error, RingCentralError) for outcome in outcomes)


@given(cut=st.integers(0, 10_000))
def test_a_truncated_answer_never_reports_a_success_it_does_not_contain(cut: int):
    ids = numbers(60)
    whole = json.dumps([part(id_, 404 if int(id_) % 2 else 200) for id_ in ids]).encode()
    answer = CompleteResponse(207, {"content-type": MULTIPART_JSON}, whole[: min(cut, len(whole) - 1)])
    with pytest.raises(UnexpectedAnswer):
        outcomes_of(change("PUT", BOX, ids, {"readStatus": "Read"}), ids, answer)
