"""Faults in process: each has its documented effect, on the requests it matches, as often as requested."""

from datetime import datetime, timedelta
from typing import Any, get_args

import anyio
import anyio.lowlevel
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.operations.routes import EntryPoint, find_operation
from rc_mcp.emulator.vocabulary import OperationName
from tests.emulator.conftest import HELLO, code, log_in, mailbox_of, states

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(emulator: Emulator) -> str:
    """Return the address of a message."""
    return f"message-store/{emulator.store.add(HELLO)['id']}"


@pytest.mark.parametrize(("acted", "expected"), [(False, "Alive"), (True, "Deleted")])
async def test_a_dropped_connection_is_lost_before_or_after_the_service_acted(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str, acted: bool, expected: str
) -> None:
    emulator.faults.inject("drop", acted=acted)
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        await mailbox.delete(path)
    assert states(emulator) == [expected]
    assert (await mailbox.get(path)).status_code == 200


@pytest.mark.parametrize(("acted", "expected"), [(False, "Alive"), (True, "Deleted")])
async def test_the_gateway_answers_before_or_after_the_service_acted(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str, acted: bool, expected: str
) -> None:
    emulator.faults.inject("gateway", acted=acted)
    answer = await mailbox.delete(path)
    assert (answer.status_code, answer.headers["server"]) == (404, "nginx")
    assert answer.json() == {"errorCode": "AGW-404", "message": "Resource not found", "errors": []}
    assert states(emulator) == [expected]


@pytest.mark.parametrize(("acted", "expected"), [(False, "Alive"), (True, "Deleted")])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_comes_before_or_after_the_service_acted(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str, status: int, acted: bool, expected: str
) -> None:
    emulator.faults.inject("server_error", status=status, acted=acted)
    answer = await mailbox.delete(path)
    assert answer.status_code == status
    assert answer.headers["rcrequestid"]
    assert answer.headers["content-type"].startswith("text/html" if status in {502, 504} else "application/json")
    assert states(emulator) == [expected]


@pytest.mark.parametrize(("acted", "expected"), [(False, "Alive"), (True, "Deleted")])
async def test_a_stalled_answer_never_comes(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str, acted: bool, expected: str
) -> None:
    emulator.faults.inject("stall", acted=acted)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mailbox.delete, path)
        while not emulator.requests or emulator.requests[-1].fault != "stall":
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert states(emulator) == [expected]


@pytest.mark.parametrize(("acted", "expected"), [(False, "Alive"), (True, "Deleted")])
async def test_a_late_answer_comes_when_the_emulators_clock_reaches_its_time(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str, acted: bool, expected: str
) -> None:
    answers: list[httpx.Response] = []

    async def delete() -> None:
        answers.append(await mailbox.delete(path))

    emulator.faults.inject("latency", seconds=30, acted=acted)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delete)
            while emulator.faults.active:
                await anyio.lowlevel.checkpoint()
            assert (states(emulator), answers) == ([expected], [])
            emulator.clock.advance(seconds=30)
    assert [answer.status_code for answer in answers] == [204]
    assert states(emulator) == ["Deleted"]


async def test_a_truncated_answer_breaks_off(mailbox: httpx.AsyncClient, emulator: Emulator, path: str) -> None:
    emulator.faults.inject("truncate")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        await mailbox.get(path)
    assert emulator.requests[-1].status == 200


async def test_an_answer_without_a_body_cannot_be_truncated(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str
) -> None:
    emulator.faults.inject("truncate", times=2)
    assert (await mailbox.head(path)).status_code == 200
    assert (await mailbox.delete(path)).status_code == 204


async def test_a_malformed_answer_is_a_200_that_cannot_be_parsed(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str
) -> None:
    emulator.faults.inject("malformed", times=2)
    emulator.faults.inject("malformed", body="html")
    cut, nothing, html = await mailbox.get(path), await mailbox.delete(path), await mailbox.get(path)
    assert [answer.status_code for answer in (cut, nothing, html)] == [200] * 3
    for answer in (cut, nothing):
        assert answer.headers["content-type"].startswith("application/json")
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()
    assert html.headers["content-type"].startswith("text/html")
    assert states(emulator) == ["Deleted"]


async def test_a_fax_can_be_in_progress(mailbox: httpx.AsyncClient, emulator: Emulator, path: str) -> None:
    emulator.faults.inject("fax_in_progress", operation="readMessageContent")
    message = (await mailbox.get(path)).json()
    uri = message["attachments"][0]["uri"]
    assert code(await mailbox.get(uri)) == (404, "MSG-368")
    assert (await mailbox.get(uri)).text == "Hello"


async def test_a_revoked_login_is_refused_like_an_unknown_token(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str
) -> None:
    emulator.faults.inject("token_revoked", operation="deleteMessage")
    assert (await mailbox.get(path)).status_code == 200
    assert code(await mailbox.delete(path)) == (401, "OAU-213")
    assert code(await mailbox.get(path)) == (401, "OAU-213")
    assert states(emulator) == ["Alive"]
    await log_in(mailbox, emulator)
    assert (await mailbox.delete(path)).status_code == 204


async def test_a_rate_limit_starts_the_penalty(clock: list[datetime]) -> None:
    with Emulator(scenario="empty", now=lambda: clock[0]) as emulator:
        async with mailbox_of(emulator) as mailbox:
            emulator.faults.inject("rate_limit", operation="deleteMessage")
            answer = await mailbox.delete("message-store/111")
            assert code(answer) == (429, "CMN-301")
            assert answer.headers["retry-after"] == "60"
            assert answer.headers["x-rate-limit-group"] == "medium"
            assert answer.headers["x-rate-limit-remaining"] == "0"
            clock[0] += timedelta(seconds=59)
            assert code(await mailbox.delete("message-store/111")) == (429, "CMN-301")
            assert (await mailbox.get("message-store")).status_code == 200
            clock[0] += timedelta(seconds=60)
            assert code(await mailbox.delete("message-store/111")) == (404, "CMN-102")


async def test_without_limits_a_rate_limit_fault_affects_one_request(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str
) -> None:
    emulator.faults.inject("rate_limit")
    answer = await mailbox.delete(path)
    assert (code(answer), answer.headers["retry-after"]) == ((429, "CMN-301"), "60")
    assert states(emulator) == ["Alive"]
    assert (await mailbox.delete(path)).status_code == 204


async def test_a_login_can_fail_too(web: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.faults.inject("server_error", operation="token")
    with pytest.raises(KeyError):
        await log_in(web, emulator)
    await log_in(web, emulator)
    assert [seen.status for seen in emulator.requests] == [503, 200]


async def test_a_fault_affects_only_matching_requests_as_often_as_requested(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str
) -> None:
    emulator.faults.inject("server_error", operation="readMessage", times=2)
    emulator.faults.inject("server_error", method="PUT", status=500, times=None)
    assert (await mailbox.get("message-store")).status_code == 200
    assert [(await mailbox.get(path)).status_code for _ in range(3)] == [503, 503, 200]
    marks = [await mailbox.put(path, json={"readStatus": "Read"}) for _ in range(4)]
    assert [answer.status_code for answer in marks] == [500] * 4
    [(number, fault)] = emulator.faults.active.items()
    assert fault.times is None
    emulator.faults.clear(number)
    assert (await mailbox.put(path, json={"readStatus": "Read"})).status_code == 200


async def test_a_fault_matches_an_overridden_method(mailbox: httpx.AsyncClient, emulator: Emulator, path: str) -> None:
    emulator.faults.inject("server_error", operation="deleteMessage", method="DELETE")
    assert (await mailbox.post(path, headers={"X-HTTP-Method-Override": "DELETE"})).status_code == 503


async def test_a_request_meets_only_the_oldest_matching_fault(
    mailbox: httpx.AsyncClient, emulator: Emulator, path: str
) -> None:
    emulator.faults.inject("server_error", status=500)
    emulator.faults.inject("server_error", status=501)
    assert [(await mailbox.get(path)).status_code for _ in range(3)] == [500, 501, 200]


async def test_an_address_without_an_operation_meets_no_fault(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.faults.inject("drop")
    assert (await mailbox.get("nowhere")).json()["errorCode"] == "AGW-404"
    assert len(emulator.faults.active) == 1
    emulator.faults.clear()
    assert emulator.faults.active == {}


async def test_the_request_log_names_the_fault(mailbox: httpx.AsyncClient, emulator: Emulator, path: str) -> None:
    emulator.faults.inject("drop", acted=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await mailbox.delete(path)
    await mailbox.get(path)
    assert [(seen.fault, seen.status) for seen in emulator.requests[-2:]] == [("drop", 0), (None, 200)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("crash", {}),
        ("drop", {"operation": "deleteMessages"}),
        ("drop", {"method": "PURGE"}),
        ("drop", {"times": 0}),
        ("drop", {"status": 500}),
        ("rate_limit", {"acted": True}),
        ("truncate", {"seconds": 3}),
        ("server_error", {"status": 404}),
        ("latency", {"seconds": -1}),
        ("malformed", {"body": "xml"}),
        ("drop", {"colour": "red"}),
    ],
)
def test_an_invalid_fault_is_refused(emulator: Emulator, kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Fault"):
        emulator.faults.inject(kind, **options)
    assert emulator.faults.active == {}


def test_every_operation_can_be_named() -> None:
    store = "/restapi/v1.0/account/~/extension/~/message-store"
    addresses = {
        store: ("GET", "DELETE"),
        f"{store}/1": ("GET", "PUT", "PATCH", "DELETE"),
        f"{store}/1/content/1": ("GET",),
        "/restapi/v1.0/account/~/extension/~/message-sync": ("GET",),
        "/restapi/v1.0/account/~/message-store-configuration": ("GET", "PUT"),
        "/restapi/v1.0/account/~/message-store-report": ("POST",),
        "/restapi/v1.0/account/~/message-store-report/1": ("GET",),
        "/restapi/v1.0/account/~/message-store-report/1/archive": ("GET",),
        "/restapi/v1.0/account/~/message-store-report/1/archive/0": ("GET",),
        "/restapi/v1.0/account/~": ("GET",),
        "/restapi/v1.0/account/~/extension/~": ("GET",),
        "/restapi/v1.0/account/~/directory/entries": ("GET",),
    }
    both: frozenset[EntryPoint] = frozenset({"platform", "media"})
    names = {find_operation(both, method, path)[0].name for path, methods in addresses.items() for method in methods}
    assert names | {"authorize", "token", "revoke"} == set(get_args(OperationName))
